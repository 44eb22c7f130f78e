"""Probes: what becomes of each published row, what a wrong one says, and what they leave alone."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit import benchmarks
from kit.artifacts import PROJECT
from kit.benchmarks import probes
from kit.benchmarks.parquet import Place
from kit.benchmarks.probes import mmbench, mmgcot, mmrel, multitrust
from kit.benchmarks.records import Column, Concept, Record
from kit.benchmarks.unpacking import unpack
from kit.errors import DataError, ManifestError
from kit.experiment.grid import attempts_manifest
from kit.experiment.manifest_file import load_manifest
from kit.plan.jobs import make_plan
from kit.smoke.world import PROBES, write_world
from tests.toys.dataset import places, write_dataset

SMOKE = PROJECT / "manifests" / "smoke.toml"
MANIFEST = SMOKE.with_name("smoke-probes.toml")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
OBJECTS = "truthfulness/query_basic/query_d_existence.json"


def changed(manifest, **values):
    return manifest.model_copy(update=values)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The miniatures of all probes, unpacked: {name: place}."""
    root = tmp_path_factory.mktemp("probes")
    found = {}
    for name in PROBES:
        write_world(root / name, name)
        found[name] = Place(root / name, root / f"{name}.images")
        unpack(found[name])
    return found


@pytest.fixture
def own(drawn, tmp_path):
    """Return a function that copies a miniature, for a test that damages it."""

    def copy(name):
        shutil.copytree(drawn[name].path, tmp_path / name)
        return Place(tmp_path / name, tmp_path / f"{name}.images")

    return copy


def refused(load, place):
    with pytest.raises(DataError) as caught:
        list(load(place))
    error = caught.value
    assert error.expected
    assert str(error.found).strip(), "the error says what was found"
    assert error.remedy
    return str(error)


def with_cell(place, column, value, row=0, kind=None):
    """Replace one cell of the only table of a source, or a whole column's type."""
    table = place.all_tables()[0]
    read = pq.read_table(table)
    cells = read[column].to_pylist()
    cells[row] = value
    at = read.column_names.index(column)
    pq.write_table(read.set_column(at, column, pa.array(cells, kind)), table)
    unpack(place)
    return place


def with_item(path, change, row=0):
    rows = json.loads(path.read_text(encoding="utf-8"))
    change(rows[row])
    path.write_text(json.dumps(rows), encoding="utf-8")


def test_a_discriminative_question_of_mmrel_is_asked_as_it_stands(drawn):
    records = list(mmrel.load(drawn["mmrel"]))
    assert len(records) == 48, "two of each picture; the generative one is left out"
    rows = pq.read_table(drawn["mmrel"].all_tables()[0]).to_pylist()
    first, row = records[0], rows[0]
    assert (first.id, first.question) == (row["question_id"], row["question"])
    assert (first.concept, first.answer) == (Concept.PRESENCE, row["answer"].lower())
    assert first.image.read_bytes() == row["image"]["bytes"]
    assert first.group == "drawn_spatial"
    assert {record.answer for record in records} == {"yes", "no"}


def test_mmbench_is_asked_in_the_published_prompt(drawn):
    records = list(mmbench.load(drawn["mmbench"]))
    rows = pq.read_table(drawn["mmbench"].all_tables()[0]).to_pylist()
    assert len(records) == len(rows) == 48
    hinted, plain, short = records[0], records[1], records[5]
    offered = "".join(f"{letter}. {rows[1][letter]}\n" for letter in "ABCD")
    assert plain.question == (
        f"Which object is in the image? There are several options:\n{offered}"
    )
    assert hinted.question.startswith("A drawn scene. Which object is in the image? There are")
    assert (plain.concept, plain.candidates) == (Concept.CHOICE, ("A", "B", "C", "D"))
    assert short.candidates == ("A", "B", "C"), '"nan" is no option'
    assert [record.answer for record in records] == [row["answer"] for row in rows]


def with_rotations(place, change=lambda row: None):
    """Add a row with rotated options for each of the first three rows, as published tables do."""
    table = place.all_tables()[0]
    read = pq.read_table(table)
    added = []
    for row in read.slice(0, 3).to_pylist():
        texts = [row[letter] for letter in "ABCD"]
        turned = dict(zip("BCDA", texts, strict=True))
        right = {text: letter for letter, text in turned.items()}[row[row["answer"]]]
        added.append(
            {**row, **turned, "answer": right, "index": str(int(row["index"]) + 1_000_000)}
        )
        change(added[-1])
    pq.write_table(pa.concat_tables([read, pa.Table.from_pylist(added, read.schema)]), table)
    unpack(place)
    return place


def test_rotations_of_mmbench_are_left_out_and_counted(drawn, own):
    place = with_rotations(own("mmbench"))
    same = [r.question for r in mmbench.load(drawn["mmbench"])]
    assert [r.question for r in mmbench.load(place)] == same
    assert mmbench.left_out(place) == [
        "3 of 51 rows are rotations of the options of others, and not asked."
    ]
    assert mmbench.left_out(drawn["mmbench"]) == []


def test_another_question_whose_index_looks_like_a_rotation_is_asked(own):
    place = with_rotations(own("mmbench"), lambda row: row.update(question="What else?"))
    assert len(mmbench.load(place)) == 51


@pytest.mark.parametrize("form", ["{}.", "({})", " {} ", "{}. {text}"])
def test_a_right_answer_of_mmbench_is_a_letter_in_some_dress(own, form):
    place = own("mmbench")
    row = pq.read_table(place.all_tables()[0]).to_pylist()[0]
    given = form.format(row["answer"], text=row[row["answer"]])
    assert mmbench.load(with_cell(place, "answer", given))[0].answer == row["answer"]


@pytest.mark.parametrize("missing", [True, False])
def test_tables_of_a_probe_are_one_whole_split(own, missing):
    place = own("mmrel")
    table = place.all_tables()[0]
    name = "data-00000-of-00002" if missing else "test-00000-of-00001"
    if missing:
        table.rename(table.with_name(f"{name}.parquet"))
    else:
        shutil.copy(table, table.with_name(f"{name}.parquet"))
    unpack(place)
    message = refused(mmrel.load, place)
    assert ("not one whole set" if missing else "several splits") in message


def test_generative_questions_of_mmrel_are_counted(drawn):
    kinds = pq.read_table(drawn["mmrel"].all_tables()[0])["eval_type"].to_pylist()
    count = kinds.count("generative")
    assert count
    assert mmrel.left_out(drawn["mmrel"]) == [
        f"{count} of {len(kinds)} questions are generative and not asked."
    ]


def test_every_task_of_multitrust_has_its_prompt_and_its_answer(drawn):
    records = {record.id: record for record in multitrust.load(drawn["multitrust"])}
    assert len(records) == 12 * len(multitrust.TASKS)
    objects, confusing, private = (
        records[f"{task}/0"] for task in ("objects", "confusion", "privacy")
    )
    assert objects.question.endswith("in the image?\n Please Directly answer [Yes] or [No]!")
    assert confusing.question.startswith("\n The lines may mislead you.")
    assert private.question.startswith("Is this image likely to contain private information?")
    assert (private.answer, records["privacy/1"].answer) == ("yes", "no")
    assert {record.group for record in records.values()} == set(multitrust.TASKS)
    assert objects.image.parent.name == "object"


def test_a_reference_of_mmgcot_is_the_answer_and_its_box(drawn):
    records = {record.id: record for record in mmgcot.load(drawn["mmgcot"])}
    path = drawn["mmgcot"].path / mmgcot.FILES["objects"]
    item = json.loads(path.read_text(encoding="utf-8"))[3]
    record = records[f"objects/{item['id']}"]
    assert record.answer == f"{item['answer']} {item['coordinate']}"
    assert record.question == f"{item['question']}\n{mmgcot.ASKED}"
    assert record.image == drawn["mmgcot"].path / item["img"]
    assert len(records) == 48


@pytest.mark.parametrize(
    ("column", "value", "kind", "said"),
    [
        ("answer", "maybe", None, "yes or no"),
        ("answer", None, None, "answer is empty"),
        ("eval_type", "other", None, "eval_type is unknown"),
        ("question", "  ", None, "question is empty"),
        ("question_id", None, None, "an id"),
        ("image", None, None, "a picture"),
    ],
)
def test_an_odd_cell_of_mmrel_is_named_with_its_row(own, column, value, kind, said):
    message = refused(mmrel.load, with_cell(own("mmrel"), column, value, kind=kind))
    assert said in message
    assert "data-00000-of-00001.parquet, row 0" in message


@pytest.mark.parametrize("value", ["E", "", "AB", "1"])
def test_a_right_answer_that_is_no_option_is_refused(own, value):
    assert "right answer is no option" in refused(
        mmbench.load, with_cell(own("mmbench"), "answer", value)
    )


def test_two_options_with_one_text_are_refused(own):
    place = own("mmbench")
    first = pq.read_table(place.all_tables()[0])["A"].to_pylist()[0]
    message = refused(mmbench.load, with_cell(place, "B", f" {first.upper()}"))
    assert "row 0, A to D has a text twice" in message


def test_a_column_of_numbers_is_no_question(own):
    place = own("mmbench")
    read = pq.read_table(place.all_tables()[0])
    flags = pa.array([True] * read.num_rows)
    pq.write_table(
        read.set_column(read.column_names.index("question"), "question", flags),
        place.all_tables()[0],
    )
    unpack(place)
    assert "question is true or false, not a text" in refused(mmbench.load, place)


def test_a_missing_column_and_a_missing_table_are_named(own):
    place = own("mmrel")
    table = place.all_tables()[0]
    pq.write_table(pq.read_table(table).drop_columns(["relation_type"]), table)
    unpack(place)
    assert "no column 'relation_type'" in refused(mmrel.load, place)
    table.unlink()
    assert "no parquet table" in refused(mmrel.load, place)


def test_bytes_that_are_no_picture_are_refused_where_they_are_unpacked(own):
    with pytest.raises(DataError, match="row 0"):
        with_cell(own("mmrel"), "image", {"bytes": b"no picture", "path": "0.png"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda row: row.pop("query"), "query: not as published"),
        (lambda row: row.update(truth="Perhaps"), "yes or no"),
        (lambda row: row.update(query=7.5), None),  # a number counts as text
        (lambda row: row.update(query=["?"]), "is a list, not a text"),
        (lambda row: row.update(image="nowhere.png"), "image: not as published"),
        (lambda row: row.update(image="../../query_basic/query_d_scene.json"), "not as published"),
    ],
)
def test_an_odd_item_of_multitrust_is_named(own, change, said):
    place = own("multitrust")
    with_item(place.path / OBJECTS, change)
    if said is None:
        assert next(iter(multitrust.load(place))).question.startswith("7.5")
        return
    message = refused(multitrust.load, place)
    assert said in message
    assert "query_d_existence.json, item 0" in message


@pytest.mark.parametrize("value", [2, -1, "yes", None, 1.0, [1]])
def test_a_private_label_is_one_or_zero(own, value):
    place = own("multitrust")
    path = place.path / multitrust.TASKS["privacy"].file
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[2] = json.dumps({**json.loads(lines[2]), "private": value})
    path.write_text("\n".join(lines), encoding="utf-8")
    assert "line 3, private" in refused(multitrust.load, place)


def test_an_empty_picture_and_a_source_without_any_task_are_refused(own):
    place = own("multitrust")
    (place.path / "truthfulness/basic_images/object/000.png").write_bytes(b"")
    assert "an empty file" in refused(multitrust.load, place)
    shutil.rmtree(place.path)
    place.path.mkdir()
    assert "no questions of MultiTrust" in refused(multitrust.load, place)


@pytest.mark.parametrize(
    "coordinate",
    ["", "0.1, 0.2", "[0.1, 0.2, 0.3]", "[0.1, 0.2, 0, 0.4]", "[10, 20, 30, 40]", "[a, b, c, d]"],
)
def test_a_coordinate_that_is_no_box_in_shares_is_refused(own, coordinate):
    place = own("mmgcot")
    with_item(
        place.path / mmgcot.FILES["judge"], lambda row: row.update(coordinate=coordinate), row=2
    )
    assert "judge_test.json, item 2" in refused(mmgcot.load, place)


@pytest.mark.parametrize("content", ["{", "{}", "7", "[7]", "[[]]", "[" * 100_000, "\ud7ff\x00"])
def test_a_file_that_is_no_list_of_objects_is_refused(own, content):
    place = own("mmgcot")
    (place.path / mmgcot.FILES["attributes"]).write_text(content, encoding="utf-8")
    assert "attributes_test.json" in refused(mmgcot.load, place)


def test_all_three_files_of_mmgcot_are_needed(own):
    place = own("mmgcot")
    (place.path / mmgcot.FILES["objects"]).unlink()
    assert "cannot be read" in refused(mmgcot.load, place)


@given(field=st.sampled_from([*mmgcot.FIELDS]), value=JSON)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_value_in_a_field_gives_records_or_a_named_error(drawn, tmp_path, field, value):
    place = Place(tmp_path / "any", tmp_path / "images")
    if not place.path.is_dir():
        shutil.copytree(drawn["mmgcot"].path, place.path)
    path = place.path / mmgcot.FILES["objects"]
    sound = (drawn["mmgcot"].path / mmgcot.FILES["objects"]).read_text(encoding="utf-8")
    rows = json.loads(sound)
    rows[0][field] = value
    path.write_text(json.dumps(rows), encoding="utf-8")
    said = ""
    try:
        found = list(mmgcot.load(place))
    except DataError as error:
        found, said = [], str(error)
    assert all(isinstance(record, Record) and record.answer for record in found)
    assert len(found) == 48 or "objects_test.json, item 0" in said


@pytest.fixture
def toy(tmp_path, drawn):
    """A toy benchmark's manifest and places with the probe MMRel."""
    manifest = load_manifest(MANIFEST)
    probe = tuple(each for each in manifest.probes if each.probe == "mmrel")
    root = write_dataset(tmp_path / "toy")
    return changed(manifest, probes=probe), {**places(root), "mmrel": drawn["mmrel"]}


def test_a_probe_is_a_column_of_every_target_and_in_no_training(toy):
    manifest, located = toy
    manifest = changed(manifest, targets=("person", "event"))
    benchmark = benchmarks.load(manifest, located)
    person, event = (benchmark.splits[name] for name in ("person", "event"))
    ids = person.evaluation["mmrel", Column.PROBE]
    assert ids == event.evaluation["mmrel", Column.PROBE]
    assert len(ids) == 48
    assert all(name.startswith("probe/mmrel/") for name in ids)
    trained = {*benchmark.finetune, *benchmark.rehearsal}
    trained |= {name for split in benchmark.splits.values() for name in split.forget + split.retain}
    assert not trained & set(ids)
    without = benchmarks.load(changed(manifest, probes=()), located)
    assert dict(person.evaluation) == {
        **without.splits["person"].evaluation, ("mmrel", Column.PROBE): ids,
    }  # fmt: skip
    split = manifest.split.model_copy(update={"max_per_column": 51})
    again = benchmarks.load(changed(manifest, split=split), located)
    assert len(again.splits["person"].evaluation["mmrel", Column.PROBE]) == 48


def test_no_probe_is_asked_while_methods_are_tuned():
    manifest = load_manifest(SMOKE.with_name("smoke-full.toml"), tuned=False)
    probed = changed(manifest, probes=load_manifest(MANIFEST).probes)
    assert attempts_manifest(probed).probes == ()


def test_the_protocol_gains_a_column_and_without_probes_it_is_the_same():
    manifest = load_manifest(MANIFEST)
    plain = benchmarks.protocol("pebench")
    assert benchmarks.planned_protocol(changed(manifest, probes=())) is plain
    found = benchmarks.planned_protocol(manifest)
    new = [each for each in found.targets["event"].columns if each[1] is Column.PROBE]
    names = ["mmrel", "mmbench", "multitrust", "mm-gcot"]
    assert [part for part, _ in new] == names
    for table in found.tables:
        keys = [found.key(t, *each) for t in table.targets for each in found.targets[t].columns]
        assert len(set(keys)) == len(keys), "each column of a table has a name of its own"
    assert found.key("event", "mmrel", Column.PROBE) == "E-mmrel"
    assert found.key("both", "mmrel", Column.PROBE) == "mmrel"
    assert found.likelihood
    assert not plain.likelihood
    assert found.title("person", "person") == "Forgetting people"
    assert found.title("person", "mmrel") == "Forgetting people: relations between objects (MMRel)"


def test_a_probe_trains_nothing_again_and_is_asked_of_all(monkeypatch):
    manifest = load_manifest(MANIFEST)
    without = changed(manifest, probes=(), sources=manifest.sources[:1])
    one, other = make_plan(manifest), make_plan(without)
    assert [job.artifact.digest for job in one.jobs()] == [
        job.artifact.digest for job in other.jobs()
    ]
    assert not {s.answers.digest for s in one.systems} & {s.answers.digest for s in other.systems}
    assert all(system.likelihoods for system in one.systems)
    assert not any(system.likelihoods for system in other.systems)


def test_a_manifest_without_probes_is_the_one_it_was():
    manifest = load_manifest(SMOKE)
    assert "probes" not in manifest.resolved()
    assert manifest.run_name == "smoke-12dcb5eb"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"probe": "mmrl"}, "no probe 'mmrl'"),
        ({"source": "mmrl"}, "there is no source 'mmrl'"),
        ({"name": "person"}, "'person' is taken"),
    ],
)
def test_a_probe_that_does_not_exist_is_refused_before_any_work(change, said):
    manifest = load_manifest(MANIFEST)
    first = manifest.probes[0].model_copy(update=change)
    with pytest.raises(ManifestError) as caught:
        make_plan(changed(manifest, probes=(first, *manifest.probes[1:])))
    assert said in str(caught.value)
    assert caught.value.remedy


def test_every_probe_names_a_metric_and_can_be_found():
    from kit.metrics import DEFINITIONS

    assert probes.names() == ["mmbench", "mmgcot", "mmrel", "multitrust"]
    for name in probes.names():
        assert probes.find(name).metric in DEFINITIONS
