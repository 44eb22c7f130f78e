"""Images and wordings that no system learns from: what they are, and where they are asked."""

import pytest

from kit.benchmarks.pebench import EVENT_REWORDINGS, PERSON_REWORDINGS
from kit.benchmarks.records import Column, Concept
from kit.errors import ManifestError
from tests.toys.dataset import PEOPLE, loaded

pytest_plugins = ["tests.toys.pebench_fixtures"]

TARGETS = ["person", "event", "both"]
HELD_OUT = {"options": {"held_out_percent": 25}}  # one of each person's four images


@pytest.fixture
def benchmark(root):
    return loaded(root, benchmark=HELD_OUT)


def trained_images(benchmark):
    ids = {*benchmark.finetune, *benchmark.rehearsal}
    for split in benchmark.splits.values():
        ids |= {*split.forget, *split.retain}
    return {benchmark.records[name].image for name in ids}


def test_one_image_of_each_person_is_in_no_training_set(benchmark):
    pictures = {(r.person, r.image) for r in benchmark.records.values() if r.person in PEOPLE}
    held_out = [person for person, image in pictures if image not in trained_images(benchmark)]
    assert sorted(held_out) == PEOPLE


@pytest.mark.parametrize("target", TARGETS)
def test_retain_is_asked_about_held_out_images_of_what_is_kept(benchmark, target):
    split, trained = benchmark.splits[target], trained_images(benchmark)
    retained = {benchmark.records[name].person for name in split.retain}
    for (concept, column), ids in split.evaluation.items():
        asked = [benchmark.records[name] for name in ids]
        if column is Column.RETAIN:
            assert asked, "no image would be asked about"
            assert not {record.image for record in asked} & trained
            assert {record.person for record in asked} <= retained or concept is Concept.EVENT
        elif column in (Column.EFFICACY, Column.REWORDED):
            assert {record.image for record in asked} <= trained


def test_the_same_images_are_held_out_for_every_split_of_the_data(root):
    drawn = [
        trained_images(loaded(root, benchmark=HELD_OUT, split=split))
        for split in ({"seed": 1}, {"seed": 2}, {"forget_percent": 50})
    ]
    assert drawn[0] == drawn[1] == drawn[2]


@pytest.mark.parametrize("target", TARGETS)
def test_reworded_asks_about_the_efficacy_images_in_words_that_no_training_used(benchmark, target):
    split = benchmark.splits[target]
    learned = {benchmark.records[name].question for name in (*benchmark.finetune, *split.forget)}
    for concept, forms in ((Concept.PERSON, PERSON_REWORDINGS), (Concept.EVENT, EVENT_REWORDINGS)):
        if (concept, Column.REWORDED) not in split.evaluation:
            continue
        usual = [benchmark.records[n] for n in split.evaluation[concept, Column.EFFICACY]]
        other = [benchmark.records[n] for n in split.evaluation[concept, Column.REWORDED]]
        assert [(r.image, r.answer) for r in other] == [(r.image, r.answer) for r in usual]
        assert {record.question for record in other} <= set(forms)
        assert not {record.question for record in other} & learned


def test_without_the_option_every_image_is_trained_on_as_in_pebench(root):
    benchmark = loaded(root)
    pictures = {r.image for r in benchmark.records.values() if r.person in PEOPLE}
    assert pictures <= trained_images(benchmark)


@pytest.mark.parametrize(
    ("percent", "expected"),
    [
        (-1, "a finite number >= 0 and <= 50"), (51, "a finite number >= 0 and <= 50"),
        ("30", "a whole number"), (True, "a whole number"),
    ],
)  # fmt: skip
def test_another_share_is_refused(root, percent, expected):
    with pytest.raises(ManifestError, match="held_out_percent") as caught:
        loaded(root, benchmark={"options": {"held_out_percent": percent}})
    assert caught.value.expected == expected
