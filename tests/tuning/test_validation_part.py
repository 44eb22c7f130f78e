"""The validation part: no column of any target or benchmark reports a record of it."""

import pytest

from kit.benchmarks import load
from kit.benchmarks.validation import validation_ids, with_one_part
from kit.errors import DataError
from kit.experiment.settings import TuneSection
from tests.toys import clear, dataset, mllmu, offside, umu

LOADERS = ("pebench", "mllmu", "clear", "umu", "offside")


def section(asks="reported", percent=50):
    return TuneSection(
        methods=("npo",), seeds=(31,), validation_percent=percent, learning_rates=(1e-4, 1e-3),
        file="toy.json", asks=asks,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Give a function: the toy of a benchmark, as a manifest without tuning loads it."""

    def make(loader):
        folder = tmp_path_factory.mktemp(loader) / "data"
        if loader == "mllmu":
            return mllmu.loaded(folder)
        if loader == "umu":
            return umu.loaded(folder)
        if loader == "offside":
            return offside.loaded(folder)
        if loader == "clear":
            places = {"clear": clear.unpacked(folder, clear.tables())}
            return load(clear.manifest(), places)
        return dataset.loaded(dataset.write_dataset(folder))

    found = {loader: make(loader) for loader in LOADERS}
    return found.__getitem__


def columns(benchmark):
    return {
        (target, *place): set(ids)
        for target, split in benchmark.splits.items()
        for place, ids in split.evaluation.items()
    }


@pytest.mark.parametrize("loader", LOADERS)
def test_the_two_parts_are_the_whole_and_share_no_image_in_any_column_of_any_target(whole, loader):
    benchmark, records = whole(loader), whole(loader).records
    chosen = validation_ids(benchmark, 50, seed=1)
    images = [{records[n].image or n for n in ids} for ids in (chosen, set(records) - chosen)]
    images[1] -= {records[n].image or n for n in benchmark.rehearsal}
    assert images[0]
    assert images[0].isdisjoint(images[1])


def test_every_column_is_divided_and_nothing_is_lost(whole):
    benchmark = whole("pebench")
    parts = [columns(with_one_part(benchmark, section(a), 1)) for a in ("reported", "validation")]
    for place, ids in columns(benchmark).items():
        assert parts[0][place] | parts[1][place] == ids
        assert all(part[place] for part in parts), f"{place} has records in both parts"
    reported, validation = (set().union(*part.values()) for part in parts)
    assert reported.isdisjoint(validation), "also where targets and columns share an image"


def test_what_is_trained_is_the_same(whole):
    benchmark = whole("pebench")
    divided = with_one_part(benchmark, section(), 1)
    assert divided.finetune == benchmark.finetune
    for target, split in benchmark.splits.items():
        assert divided.splits[target].forget == split.forget
        assert divided.splits[target].retain == split.retain


def test_the_share_is_that_of_the_images_and_about_the_same_for_each_person(whole):
    """Six people with four images each, of which every second one in the order is taken."""
    benchmark = whole("pebench")
    chosen = validation_ids(benchmark, 50, seed=1)
    for person in dataset.PEOPLE:
        own = {r.image for r in benchmark.records.values() if r.person == person}
        taken = {benchmark.records[n].image for n in chosen} & own
        assert (len(own), len(taken)) == (4, 2)


def test_the_draw_depends_on_the_seed_and_not_on_the_targets_or_the_folder(tmp_path):
    roots = [dataset.write_dataset(tmp_path / name) for name in ("a", "b")]
    document = dataset.manifest().resolved()
    few = {"targets": ["person"], "methods": [], "claims": [], "calibration": None}
    one = load(dataset.manifest(), dataset.places(roots[0]))
    other = load(type(dataset.manifest()).model_validate(document | few), dataset.places(roots[1]))
    assert validation_ids(one, 50, 1) == validation_ids(other, 50, 1)
    assert validation_ids(one, 50, 1) != validation_ids(one, 50, 2)


def test_a_manifest_with_tuning_loads_the_reported_part_alone(tmp_path):
    root = dataset.write_dataset(tmp_path / "data")
    plain = dataset.manifest()
    tuned = plain.model_copy(update={"tune": section()})
    whole, part = (load(each, dataset.places(root)) for each in (plain, tuned))
    chosen = validation_ids(whole, 50, plain.split.seed)
    assert columns(part) == {place: ids - chosen for place, ids in columns(whole).items()}


def test_a_column_that_cannot_be_divided_is_refused_with_its_name(whole):
    with pytest.raises(DataError) as caught:
        with_one_part(whole("pebench"), section(percent=1), 1)
    assert "has no record in the validation part" in str(caught.value)
    assert "raise tune.validation_percent" in str(caught.value)
