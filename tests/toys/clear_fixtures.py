"""Fixtures of the tests of CLEAR's loader: name this module in `pytest_plugins`."""

from pathlib import Path

import pytest

from tests.toys.clear import Reader, Rows, tables


@pytest.fixture
def configs() -> dict[str, Rows]:
    """The rows of every configuration, to be changed."""
    return tables()


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """Writes configurations and loads them."""
    return Reader(tmp_path / "data")
