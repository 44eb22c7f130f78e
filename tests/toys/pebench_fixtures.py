"""Fixtures of the tests of PEBench's loader: name this module in `pytest_plugins`."""

from pathlib import Path

import pytest

from kit.benchmarks.records import Benchmark
from tests.toys.dataset import loaded, write_dataset


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of a tiny dataset in PEBench's layout."""
    return write_dataset(tmp_path / "data")


@pytest.fixture
def benchmark(root: Path) -> Benchmark:
    """What the loader makes of that dataset."""
    return loaded(root)
