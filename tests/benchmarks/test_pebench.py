"""From PEBench's files to records and splits: what each set holds, and from which source."""

import shutil
from dataclasses import replace

import pytest

from kit.artifacts import PROJECT
from kit.benchmarks import load, require
from kit.benchmarks.clear import real_faces
from kit.benchmarks.left_out import OddRows
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Column, Concept
from kit.errors import DataError, ManifestError
from kit.experiment.manifest import SourceSection
from kit.experiment.manifest_file import load_manifest
from tests.toys.clear import tables, unpacked
from tests.toys.dataset import (
    EVENTS,
    HEADER,
    PEOPLE,
    loaded,
    manifest,
    places,
    refused,
    rows,
    write_dataset,
    write_pope,
    write_table,
)

pytest_plugins = ["tests.toys.pebench_fixtures"]

TARGETS = ["person", "event", "both"]


def test_an_error_names_the_folder_of_the_user_and_not_the_links_that_the_loader_reads(root):
    (root / "general.csv").unlink()
    source = SourceSection(name="pebench", folder="my-data", checksums="my-data.sha256")
    own = manifest().model_copy(update={"sources": (source,)})
    with pytest.raises(DataError, match=r"^my-data/general\.csv is missing") as caught:
        load(own, places(root))
    assert str(root) not in str(caught.value)
    assert "./run.sh lock MANIFEST" in caught.value.remedy


def test_an_image_becomes_a_person_record_and_an_event_record(benchmark):
    person = benchmark.records["pebench/images/Person Number0/1.png#person"]
    event = benchmark.records["pebench/images/Person Number0/1.png#event"]
    assert (person.concept, person.answer) == (Concept.PERSON, "Person Number0")
    assert (event.concept, event.answer) == (Concept.EVENT, "doing event 1")
    assert event.keywords == ("doing", "event 1")
    assert person.image == event.image
    assert person.question != event.question
    plain = [name for name in benchmark.records if not name.endswith("/reworded")]
    assert len(plain) == 2 * 24 + 2 * 3 + 3 * 4 + 3 * 3


def test_the_vanilla_model_learns_the_fictitious_people_and_nothing_of_real_or_world(benchmark):
    assert len(benchmark.finetune) == 48
    assert all(name.startswith("pebench/") for name in benchmark.finetune)


@pytest.mark.parametrize(("percent", "total"), [(95, 6), (90, 4)])
def test_a_split_that_keeps_nobody_or_no_event_is_refused(root, percent, total):
    with pytest.raises(ManifestError, match="forget_percent leaves nothing") as caught:
        loaded(root, split={"forget_percent": percent})
    assert f"a share of the {total} names" in caught.value.expected
    assert caught.value.found == f"{percent} %"


def images(benchmark, ids):
    return {benchmark.records[name].image for name in ids}


def concepts_of(target):
    return {
        "person": (Concept.PERSON,),
        "event": (Concept.EVENT,),
        "both": (Concept.PERSON, Concept.EVENT),
    }[target]


def forgotten(benchmark, target):
    """Return {concept: names} that the split forgets, read off its forget records."""
    records = [benchmark.records[name] for name in benchmark.splits[target].forget]
    return {
        concept: {
            record.person if concept is Concept.PERSON else record.event
            for record in records
            if record.concept is concept
        }
        for concept in Concept
    }


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_forgotten_has_the_size_that_the_manifest_says(benchmark, target):
    names = forgotten(benchmark, target)
    sizes = {Concept.PERSON: 2, Concept.EVENT: 1}
    for concept in (Concept.PERSON, Concept.EVENT):
        assert len(names[concept]) == (sizes[concept] if concept in concepts_of(target) else 0)


def test_all_targets_forget_the_same_people_and_events(benchmark):
    both = forgotten(benchmark, "both")
    assert forgotten(benchmark, "person")[Concept.PERSON] == both[Concept.PERSON]
    assert forgotten(benchmark, "event")[Concept.EVENT] == both[Concept.EVENT]


@pytest.mark.parametrize("target", TARGETS)
def test_generality_holds_no_image_that_its_concept_was_unlearned_on(benchmark, target):
    split = benchmark.splits[target]
    for concept in concepts_of(target):
        train = [n for n in split.forget if benchmark.records[n].concept is concept]
        test = split.evaluation[concept, Column.GENERALITY]
        assert train
        assert test
        assert not images(benchmark, train) & images(benchmark, test)
        names = {(r.person if concept is Concept.PERSON else r.event)
                 for r in map(benchmark.records.get, test)}  # fmt: skip
        assert names <= forgotten(benchmark, target)[concept]


@pytest.mark.parametrize("target", TARGETS)
def test_efficacy_asks_what_unlearning_saw(benchmark, target):
    split = benchmark.splits[target]
    for concept in concepts_of(target):
        asked = split.evaluation[concept, Column.EFFICACY]
        assert set(asked) <= set(split.forget)
        assert {benchmark.records[name].concept for name in asked} == {concept}


@pytest.mark.parametrize("target", TARGETS)
def test_the_retain_set_has_no_image_of_what_is_forgotten(benchmark, target):
    names = forgotten(benchmark, target)
    retained = [benchmark.records[name] for name in benchmark.splits[target].retain]
    assert not {record.person for record in retained} & names[Concept.PERSON]
    assert not {record.event for record in retained} & names[Concept.EVENT]
    kept_people = len(PEOPLE) - len(names[Concept.PERSON])
    kept_events = len(EVENTS) - len(names[Concept.EVENT])
    assert len(retained) == 2 * kept_people * kept_events


@pytest.mark.parametrize("target", TARGETS)
def test_the_retain_column_is_of_the_retain_set(benchmark, target):
    split = benchmark.splits[target]
    for concept in concepts_of(target):
        asked = split.evaluation[concept, Column.RETAIN]
        assert set(asked) <= set(split.retain)
        assert {benchmark.records[name].concept for name in asked} == {concept}


@pytest.mark.parametrize("target", ["person", "event"])
def test_scope_asks_the_other_concept_of_the_images_that_unlearning_saw(benchmark, target):
    split, (concept,) = benchmark.splits[target], concepts_of(target)
    asked = split.evaluation[concept, Column.SCOPE]
    other = Concept.EVENT if concept is Concept.PERSON else Concept.PERSON
    assert {benchmark.records[name].concept for name in asked} == {other}
    assert images(benchmark, asked) == images(benchmark, split.forget)
    assert not set(asked) & set(split.forget)


def test_forgetting_both_has_two_halves_and_no_scope(benchmark):
    split = benchmark.splits["both"]
    columns = [column for column in Column if column not in (Column.SCOPE, Column.PROBE)]
    assert set(split.evaluation) == {
        (concept, column) for concept in (Concept.PERSON, Concept.EVENT) for column in columns
    }
    assert len(set(split.forget)) == len(split.forget)


@pytest.mark.parametrize("target", TARGETS)
def test_real_and_world_are_never_trained_on(benchmark, target):
    split = benchmark.splits[target]
    for concept in concepts_of(target):
        for column, prefix in ((Column.REAL, "real/"), (Column.WORLD, "pope/")):
            asked = split.evaluation[concept, column]
            assert asked
            assert all(name.startswith(prefix) for name in asked)
            assert not set(asked) & {*split.forget, *split.retain, *benchmark.finetune}


def test_what_is_rehearsed_is_never_asked_and_never_forgotten(benchmark):
    assert len(benchmark.rehearsal) == 3 * 3
    for split in benchmark.splits.values():
        asked = {name for ids in split.evaluation.values() for name in ids}
        assert not set(benchmark.rehearsal) & {*asked, *split.forget, *split.retain}


def test_without_rehearsal_its_table_is_not_needed(root):
    (root / "general.csv").unlink()
    assert loaded(root, finetune={"rehearsal": 0.0}).rehearsal == ()


def test_a_column_has_at_most_as_many_records_as_the_manifest_says(tmp_path):
    table = [
        [f"images/{person}/{event}-{i}.png", person, event, "doing", "doing"]
        for person in PEOPLE
        for event in EVENTS
        for i in range(5)
    ]
    root = write_dataset(tmp_path)
    write_table(root / "PEBench.csv", HEADER, table)
    split = loaded(root, split={"max_per_column": 51}).splits["person"]
    asked = split.evaluation[Concept.PERSON, Column.RETAIN]
    assert len(set(asked)) == len(asked) == 51


def test_the_order_of_the_rows_decides_nothing_but_another_seed_does(root, benchmark):
    write_table(root / "PEBench.csv", HEADER, rows()[::-1])
    again = loaded(root)
    for target in TARGETS:
        assert again.splits[target].evaluation == benchmark.splits[target].evaluation
        assert set(again.splits[target].forget) == set(benchmark.splits[target].forget)
    drawn = {
        frozenset(loaded(root, split={"seed": seed}).splits["person"].forget) for seed in range(6)
    }
    assert len(drawn) > 2


def test_an_unknown_loader_names_the_nearest():
    with pytest.raises(ManifestError, match="did you mean 'pebench'"):
        require("pebensh")


def test_the_world_column_has_a_third_of_each_kind_of_pope(tmp_path):
    root = write_dataset(tmp_path)
    for kind, count in (("random", 400), ("popular", 30), ("adversarial", 5)):
        line = '{{"question_id": {0}, "image": "0.jpg", "text": "Is it {0}?", "label": "yes"}}\n'
        text = "".join(line.format(i) for i in range(count))
        (root / "pope" / f"coco_pope_{kind}.json").write_text(text, encoding="utf-8")
    split = loaded(root, split={"max_per_column": 64}).splits["both"]
    world = split.evaluation["person", Column.WORLD]
    assert len(set(world)) == len(world)
    kinds = [name.split("/")[1] for name in world]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "random": 22,
        "popular": 22,
        "adversarial": 5,
    }
    assert split.evaluation["event", Column.WORLD] == world, "the same answers of one model"


def test_a_source_of_pope_is_read_instead_of_the_folder(tmp_path, root, benchmark):
    other = write_pope(tmp_path / "elsewhere")
    (root / "pope" / "coco_pope_random.json").unlink()
    with pytest.raises(DataError, match=r"coco_pope_random\.json"):
        loaded(root)
    found = load(manifest(), {**places(root), "pope": Place(other, other)})
    assert found.records["pope/random/1"].image == other / "val2014" / "0.jpg"
    assert set(found.records) == set(benchmark.records)


def test_a_source_of_faces_is_the_real_set_and_events_have_none(tmp_path, root):
    faces = unpacked(tmp_path / "clear", {"real_faces": tables()["real_faces"]})
    (root / "real.csv").unlink()
    found = load(manifest(), {**places(root), "faces": faces})
    expected = {
        record.id: replace(record, candidates=()) for record in real_faces(faces, OddRows())
    }
    assert {k: v for k, v in found.records.items() if k.startswith("real")} == expected
    both = found.splits["both"].evaluation
    assert set(both["person", Column.REAL]) == set(expected)
    assert ("event", Column.REAL) not in both
    assert list(found.absent) == [("event", Column.REAL)]
    assert any("no Real column of events" in note for note in found.notes)


def test_own_data_may_have_neither_a_real_nor_a_world_set(root, benchmark):
    (root / "real.csv").unlink()
    shutil.rmtree(root / "pope")
    smoke = load_manifest(PROJECT / "manifests" / "smoke.toml")
    about_world = tuple(claim for claim in smoke.claims if claim.column == "world")
    with pytest.raises(ManifestError, match="is about the column 'world' of 'person'") as caught:
        load(manifest().model_copy(update={"claims": about_world}), places(root))
    assert "`claims = []`" in caught.value.remedy
    found = loaded(root)
    lost = {(part, c) for part in ("person", "event") for c in (Column.REAL, Column.WORLD)}
    assert set(found.absent) == lost
    for target, split in found.splits.items():
        whole = benchmark.splits[target].evaluation
        assert split.evaluation == {key: ids for key, ids in whole.items() if key not in lost}
    assert [note[:20] for note in found.notes] == ["no Real columns: the", "no World columns: th"]


def test_half_a_world_set_is_an_error(root):
    (root / "pope" / "coco_pope_popular.json").unlink()
    assert "coco_pope_popular.json are missing" in refused(root).what


def test_a_missing_table_is_named_with_those_that_are_there(root):
    (root / "PEBench.csv").rename(root / "pebench.csv")
    error = refused(root)
    assert "PEBench.csv is missing" in error.what
    assert error.found == "general.csv, pebench.csv, real.csv"
    assert "name the table PEBench.csv" in error.remedy


def test_without_a_table_for_rehearsal_the_manifest_has_to_do_without(root, benchmark):
    (root / "general.csv").unlink()
    error = refused(root)
    assert "general.csv is missing" in error.what
    assert "`rehearsal = 0` in [finetune]" in error.remedy
    found = loaded(root, finetune={"rehearsal": 0})
    assert found.splits == benchmark.splits


def test_images_that_no_row_names_are_left_out_and_noted(root, benchmark):
    assert benchmark.notes == ()
    for i in range(5):
        (root / "images" / PEOPLE[i] / "portrait.JPG").write_bytes(b"an image")
    (root / "images" / PEOPLE[0] / "notes.txt").write_text("no image", encoding="utf-8")
    found = loaded(root)
    assert found.records == benchmark.records
    (note,) = found.notes
    assert note.startswith("5 images that no row of the table names are left out: ")
    assert f"images/{PEOPLE[0]}/portrait.JPG" in note
    assert "notes.txt" not in note
    assert PEOPLE[4] not in note, "three examples are enough"


def test_counts_that_are_as_the_options_say_change_nothing(root, benchmark):
    (root / "images" / PEOPLE[0] / "portrait.png").write_bytes(b"an image")
    counted = loaded(root, benchmark={"options": {"people": 6, "events": 4}})
    assert counted.records == benchmark.records


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"people": 7}, "has 6 people, not 7"),
        ({"events": 3, "people": 6}, "has 4 events, not 3"),
    ],
)
def test_other_counts_are_an_error_with_examples(root, options, what):
    write_table(root / "PEBench.csv", HEADER, rows()[:-3])
    with pytest.raises(DataError, match=what) as caught:
        loaded(root, benchmark={"options": options})
    rarest = f"{PEOPLE[5]} (1)" if options.get("people") == 7 else "event 1 (5)"
    assert rarest in caught.value.found


@pytest.mark.parametrize(
    ("options", "hint"),
    [({"poeple": 6}, "did you mean 'people'?"), ({"people": 0}, "number >= 1"),
     ({"events": True}, "a whole number"), ({"events": "40"}, "a whole number")],
)  # fmt: skip
def test_an_option_that_does_not_exist_or_is_no_number_is_refused(root, options, hint):
    with pytest.raises(ManifestError) as caught:
        loaded(root, benchmark={"options": options})
    assert hint in str(caught.value)
    assert next(iter(options)) in caught.value.what
