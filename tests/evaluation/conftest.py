"""A small benchmark, its questions, and the plan of an experiment on it."""

import pytest
from PIL import Image

from kit.benchmarks import load
from kit.benchmarks.parquet import Place
from kit.evaluation.questions import Questions
from kit.plan.jobs import make_plan
from tests.toys.dataset import write_dataset
from tests.toys.engine import smoke


@pytest.fixture
def benchmark(tmp_path):
    (tmp_path / "data").mkdir()
    root = write_dataset(tmp_path / "data")
    for path in (*root.rglob("*.png"), *root.rglob("*.jpg")):  # the prompt guard reads images
        Image.new("RGB", (64, 64), "navy").save(path)
    return load(smoke(), {"pebench": Place(root, root)})


@pytest.fixture
def questions(benchmark, processor):
    return Questions(benchmark, processor)


@pytest.fixture
def served(monkeypatch, tmp_path):
    """The plan of the smoke experiment, whose artifacts go to a folder of the test."""
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    return make_plan(smoke())
