"""What `[split]` decides: the records that each job trains with, and nothing that it does not."""

import shutil
from pathlib import Path

import pytest

from kit import benchmarks
from tests.toys import clear, dataset, mllmu, offside, umu

TESTS = Path(__file__).parents[1]


def pebench_loaded(root, **split):
    place = root / "pebench"
    return dataset.loaded(place if place.exists() else dataset.write_dataset(place), split=split)


def mllmu_loaded(root, **split):
    shutil.rmtree(root, ignore_errors=True)  # the same folder again: records hold their paths
    return mllmu.loaded(root / "mllmu", split=split)


def umu_loaded(root, **split):
    shutil.rmtree(root, ignore_errors=True)  # the same folder again: records hold their paths
    return umu.loaded(root / "umu", split=split)


def offside_loaded(root, **split):
    shutil.rmtree(root, ignore_errors=True)  # the same folder again: records hold their paths
    return offside.loaded(root / "offside", split=split | {"forget_percent": 25})


def clear_loaded(root, **split):
    return clear.Reader(root / "clear")(clear.tables(), split=split)


LOADED = {
    "pebench": pebench_loaded, "mllmu": mllmu_loaded, "clear": clear_loaded, "umu": umu_loaded,
    "offside": offside_loaded,
}  # fmt: skip
ONE_SPLIT = {"offside"}
OTHER_SPLIT = {"forget_percent": 5, "seed": 9}
SPLIT = {"forget_percent": 10, "seed": 1}


def learnt(benchmark):
    """Return what the vanilla model learns: the records in their order, and those to rehearse."""
    ids = (*benchmark.finetune, "and", *benchmark.rehearsal)
    return [benchmark.records.get(name, name) for name in ids]


def test_every_loader_is_tried():
    """Here, or with the same claims in the file of its own that `./run.sh new benchmark` writes."""
    assert set(LOADED) <= set(benchmarks.names())
    for name in set(benchmarks.names()) - set(LOADED):
        own = (TESTS / "benchmarks" / f"test_{name}.py").read_text(encoding="utf-8")
        assert "finetune_follows_split" in own, name
        assert "max_per_column" in own, name


@pytest.mark.parametrize("loader", LOADED)
def test_a_protocol_tells_whether_the_vanilla_model_follows_the_split(loader, tmp_path):
    one, two = (LOADED[loader](tmp_path, **split) for split in (SPLIT, OTHER_SPLIT))
    changed = any(one.splits[t].forget != two.splits[t].forget for t in one.splits)
    follows = benchmarks.protocol(loader).finetune_follows_split
    assert changed or follows or loader in ONE_SPLIT, "the toy's splits are two"
    assert (learnt(one) != learnt(two)) == follows


@pytest.mark.parametrize("loader", LOADED)
def test_the_number_of_evaluated_records_decides_nothing_that_is_trained(loader, tmp_path):
    few, many = (LOADED[loader](tmp_path, **SPLIT, max_per_column=n) for n in (51, 200))
    assert learnt(few) == learnt(many)
    for target, split in few.splits.items():
        assert (split.forget, split.retain) == (
            many.splits[target].forget,
            many.splits[target].retain,
        )
