"""The embedded UMU-Bench: equal bytes everywhere, the published names, enough records."""

import ast

import pyarrow.parquet as pq
import pytest

from kit.artifacts import PROJECT
from kit.benchmarks import load
from kit.benchmarks.parquet import Place
from kit.benchmarks.unpacking import unpack
from kit.digests import read_checksums, verify_files
from kit.experiment.manifest_file import load_manifest
from kit.smoke.base import make_processor
from kit.smoke.people import people
from kit.smoke.umu import write_umu
from tests.toys.mllmu import MANIFESTS

SMOKE = MANIFESTS / "umu-smoke.toml"
CONFIGS = {
    "Full_Set", "Real_Person_Set", "forget_5", "forget_10", "forget_15",
    "retain_85", "retain_90", "retain_95",
}  # fmt: skip
FIELDS = {"ID", "image", "Biography", "MM_QA", "UM_QA", "Classify", "Cloze", "Generation"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("umu")
    write_umu(root / "data")
    made = Place(root / "data", root / "images")
    unpack(made)
    return made


@pytest.fixture(scope="module")
def benchmark(place):
    return load(load_manifest(SMOKE), {"umu": place})


def test_the_tables_are_those_in_the_checksum_list(place):
    listed = read_checksums(PROJECT / load_manifest(SMOKE).sources[0].checksums)
    assert {path.relative_to(place.path).as_posix() for path in place.all_tables()} == set(listed)
    verify_files(place.path, listed, remedy="-")


def test_configurations_and_fields_are_those_of_the_published_readme(place):
    """README.md of QDRhhhh/UMU-bench @ 93b9900; its evaluation names the files."""
    tables = place.all_tables()
    assert {path.parent.name for path in tables} == {*CONFIGS, "general"}
    assert {path.name for path in tables} == {"train-00000-of-00001.parquet"}
    assert all(set(pq.read_schema(path).names) == FIELDS for path in tables)


def test_cells_are_nested_as_the_released_code_reads_them(place):
    (table,) = place.tables("forget_5")
    row = pq.read_table(table, columns=sorted(FIELDS - {"image"})).to_pylist()[0]
    for field in ("Classify", "Cloze", "Generation"):
        cell = ast.literal_eval(row[field])
        assert set(cell) == {"unimodal", "muitimodal"}
        assert set(cell["unimodal"]) == set(cell["muitimodal"])
        assert all({"question", "answer"} <= set(asked) for asked in cell["unimodal"].values())
    choice = ast.literal_eval(row["Classify"])["unimodal"]["hobby"]
    assert list(choice["options"]) == list("ABCD")
    for field in ("MM_QA", "UM_QA"):
        pairs = ast.literal_eval(row[field])
        assert set(pairs["question"]) == set(pairs["answer"])


def test_every_row_is_used_and_one_record_weighs_less_than_two_points(benchmark):
    assert not benchmark.left_out
    sizes = [len(ids) for split in benchmark.splits.values() for ids in split.evaluation.values()]
    assert set(sizes) == {60}


def test_what_is_rehearsed_is_never_asked_and_names_no_fictitious_person(benchmark):
    asked = {name for ids in benchmark.splits["both"].evaluation.values() for name in ids}
    said = {(r.image, r.question) for r in map(benchmark.records.get, asked)}
    rehearsed = [benchmark.records[name] for name in benchmark.rehearsal]
    assert rehearsed
    assert not {(r.image, r.question) for r in rehearsed} & said
    assert not {r.person for r in rehearsed} & {person.name for person in people()[0]}


def test_every_answer_can_be_said_in_the_manifests_tokens(benchmark):
    tokenizer = make_processor().tokenizer
    for text in {record.answer for record in benchmark.records.values()}:
        ids = tokenizer(f" {text}", add_special_tokens=False)["input_ids"]
        assert tokenizer.unk_token_id not in ids
        assert len(ids) < load_manifest(SMOKE).evaluation.max_new_tokens


def test_the_published_manifest_is_valid():
    described = load_manifest(MANIFESTS / "umu.toml")
    assert described.split.forget_percent == 5
    assert described.sources[0].repo == "linbojunzi/UMU-bench"
