"""From PEBench's files to records and splits: what a wrong file says, and what the sets hold."""

import pytest

from kit.benchmarks import load, require
from kit.errors import DataError, ManifestError
from kit.records import Column, Concept, Target
from tests.toy_dataset import EVENTS, HEADER, PEOPLE, manifest, rows, write_dataset, write_table


@pytest.fixture
def root(tmp_path):
    return write_dataset(tmp_path)


@pytest.fixture
def benchmark(root):
    return load(manifest(), root)


def replaced(root, header=HEADER, table=None, mark=""):
    write_table(root / "PEBench.csv", header, rows() if table is None else table, mark=mark)
    return root


def test_an_image_becomes_a_person_record_and_an_event_record(benchmark):
    person = benchmark.records["pebench/images/Person Number0/1.png#person"]
    event = benchmark.records["pebench/images/Person Number0/1.png#event"]
    assert (person.concept, person.answer) == (Concept.PERSON, "Person Number0")
    assert (event.concept, event.answer) == (Concept.EVENT, "doing event 1")
    assert event.keywords == ("doing", "event 1")
    assert person.image == event.image
    assert person.question != event.question
    assert len(benchmark.records) == 2 * 24 + 2 * 3 + 4 + 3 * 3


def test_the_vanilla_model_learns_the_fictitious_people_and_nothing_of_real_or_world(benchmark):
    assert len(benchmark.finetune) == 48
    assert all(name.startswith("pebench/") for name in benchmark.finetune)


def test_a_missing_column_prints_the_real_ones_and_the_remedy(root):
    replaced(root, ["file", "person_name", "event", "description", "keywords"])
    with pytest.raises(DataError, match=r"PEBench\.csv has no column 'name'") as caught:
        load(manifest(), root)
    assert caught.value.found == "file, person_name, event, description, keywords"
    assert "[benchmark.columns]" in caught.value.remedy


def test_the_manifest_maps_columns_of_other_names(root, benchmark):
    replaced(root, ["Image Path", "person_name", "event", "caption", "keywords"])
    columns = {"file": "Image Path", "person": "person_name", "description": "caption"}
    mapped = load(manifest(benchmark={"columns": columns}), root)
    assert mapped == benchmark


def test_a_byte_order_mark_is_not_part_of_the_first_column(root, benchmark):
    replaced(root, mark="\ufeff")
    assert load(manifest(), root) == benchmark


@pytest.mark.parametrize("name", ["../outside.png", "images/../../outside.png", "/etc/passwd"])
def test_an_image_path_may_not_leave_the_dataset(root, name):
    replaced(root, table=[[name, *rows()[0][1:]], *rows()[1:]])
    with pytest.raises(DataError, match="leaves the dataset's folder"):
        load(manifest(), root)


def test_a_missing_image_is_named_with_the_remedy(root):
    gone = root / rows()[5][0]
    gone.unlink()
    with pytest.raises(DataError, match="is missing") as caught:
        load(manifest(), root)
    assert str(gone) in caught.value.what
    assert "fetch" in caught.value.remedy


def test_a_doubled_row_is_an_error_and_never_a_doubled_record(root):
    replaced(root, table=[*rows(), rows()[3]])
    with pytest.raises(DataError, match="occurs twice") as caught:
        load(manifest(), root)
    assert "images/Person Number0/3.png" in caught.value.what


@pytest.mark.parametrize("column", range(len(HEADER)))
def test_an_empty_value_is_an_error_that_names_its_line(root, column):
    table = rows()
    table[7][column] = ""
    replaced(root, table=table)
    with pytest.raises(DataError, match="line 9: an empty or missing value"):
        load(manifest(), root)


def test_a_short_row_is_an_error_that_names_its_line(root):
    replaced(root, table=[*rows()[:3], rows()[3][:2]])
    with pytest.raises(DataError, match="line 5"):
        load(manifest(), root)


@pytest.mark.parametrize("table", ["PEBench.csv", "real.csv", "world.csv", "general.csv"])
def test_a_missing_table_is_named_with_the_remedy(root, table):
    (root / table).unlink()
    with pytest.raises(DataError, match=rf"{table} is missing"):
        load(manifest(), root)


def test_a_table_without_rows_or_in_another_encoding_is_an_error(root):
    replaced(root, table=[])
    with pytest.raises(DataError, match="no rows"):
        load(manifest(), root)
    (root / "PEBench.csv").write_bytes("file,name\nä.png,Ä".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        load(manifest(), root)


@pytest.mark.parametrize(
    ("split", "named"),
    [
        ({"forget_people": 7}, "forget_people"),
        ({"forget_people": 6}, "forget_people"),
        ({"forget_events": 4}, "forget_events"),
    ],
)
def test_a_split_that_forgets_more_than_it_keeps_something_of_is_refused(root, split, named):
    with pytest.raises(ManifestError, match=named) as caught:
        load(manifest(split=split), root)
    assert str(6 if named == "forget_people" else 4) in str(caught.value)


def images(benchmark, ids):
    return {benchmark.records[name].image for name in ids}


def concepts_of(target):
    return {
        Target.PERSON: (Concept.PERSON,),
        Target.EVENT: (Concept.EVENT,),
        Target.BOTH: (Concept.PERSON, Concept.EVENT),
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


@pytest.mark.parametrize("target", Target)
def test_what_is_forgotten_has_the_size_that_the_manifest_says(benchmark, target):
    names = forgotten(benchmark, target)
    sizes = {Concept.PERSON: 2, Concept.EVENT: 1}
    for concept in (Concept.PERSON, Concept.EVENT):
        assert len(names[concept]) == (sizes[concept] if concept in concepts_of(target) else 0)


def test_all_targets_forget_the_same_people_and_events(benchmark):
    both = forgotten(benchmark, Target.BOTH)
    assert forgotten(benchmark, Target.PERSON)[Concept.PERSON] == both[Concept.PERSON]
    assert forgotten(benchmark, Target.EVENT)[Concept.EVENT] == both[Concept.EVENT]


@pytest.mark.parametrize("target", Target)
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


@pytest.mark.parametrize("target", Target)
def test_efficacy_asks_what_unlearning_saw(benchmark, target):
    split = benchmark.splits[target]
    for concept in concepts_of(target):
        asked = split.evaluation[concept, Column.EFFICACY]
        assert set(asked) <= set(split.forget)
        assert {benchmark.records[name].concept for name in asked} == {concept}


@pytest.mark.parametrize("target", Target)
def test_the_retain_set_has_no_image_of_what_is_forgotten(benchmark, target):
    names = forgotten(benchmark, target)
    retained = [benchmark.records[name] for name in benchmark.splits[target].retain]
    assert not {record.person for record in retained} & names[Concept.PERSON]
    assert not {record.event for record in retained} & names[Concept.EVENT]
    kept_people = len(PEOPLE) - len(names[Concept.PERSON])
    kept_events = len(EVENTS) - len(names[Concept.EVENT])
    assert len(retained) == 2 * kept_people * kept_events


@pytest.mark.parametrize("target", Target)
def test_the_retain_column_is_of_the_retain_set(benchmark, target):
    split = benchmark.splits[target]
    for concept in concepts_of(target):
        asked = split.evaluation[concept, Column.RETAIN]
        assert set(asked) <= set(split.retain)
        assert {benchmark.records[name].concept for name in asked} == {concept}


@pytest.mark.parametrize("target", [Target.PERSON, Target.EVENT])
def test_scope_asks_the_other_concept_of_the_images_that_unlearning_saw(benchmark, target):
    split, (concept,) = benchmark.splits[target], concepts_of(target)
    asked = split.evaluation[concept, Column.SCOPE]
    other = Concept.EVENT if concept is Concept.PERSON else Concept.PERSON
    assert {benchmark.records[name].concept for name in asked} == {other}
    assert images(benchmark, asked) == images(benchmark, split.forget)
    assert not set(asked) & set(split.forget)


def test_forgetting_both_has_two_halves_and_no_scope(benchmark):
    split = benchmark.splits[Target.BOTH]
    columns = [column for column in Column if column is not Column.SCOPE]
    assert set(split.evaluation) == {
        (concept, column) for concept in (Concept.PERSON, Concept.EVENT) for column in columns
    }
    assert len(set(split.forget)) == len(split.forget)


@pytest.mark.parametrize("target", Target)
def test_real_and_world_are_never_trained_on(benchmark, target):
    split = benchmark.splits[target]
    for concept in concepts_of(target):
        for column, prefix in ((Column.REAL, "real/"), (Column.WORLD, "world/")):
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
    assert load(manifest(finetune={"rehearsal": 0.0}), root).rehearsal == ()


def test_a_column_has_at_most_as_many_records_as_the_manifest_says(tmp_path):
    table = [
        [f"images/{person}/{event}-{i}.png", person, event, "doing", "doing"]
        for person in PEOPLE
        for event in EVENTS
        for i in range(5)
    ]
    root = replaced(write_dataset(tmp_path), table=table)
    split = load(manifest(split={"max_per_column": 51}), root).splits[Target.PERSON]
    asked = split.evaluation[Concept.PERSON, Column.RETAIN]
    assert len(set(asked)) == len(asked) == 51


def test_the_order_of_the_rows_decides_nothing_but_another_seed_does(root, benchmark):
    replaced(root, table=rows()[::-1])
    again = load(manifest(), root)
    for target in Target:
        assert again.splits[target].evaluation == benchmark.splits[target].evaluation
        assert set(again.splits[target].forget) == set(benchmark.splits[target].forget)
    drawn = {
        frozenset(load(manifest(split={"seed": seed}), root).splits[Target.PERSON].forget)
        for seed in range(6)
    }
    assert len(drawn) > 2


def test_an_unknown_loader_names_the_nearest():
    with pytest.raises(ManifestError, match="did you mean 'pebench'"):
        require("pebensh")
