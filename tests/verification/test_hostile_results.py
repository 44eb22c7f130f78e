"""A result made to hang the verifier, take its memory or crash it is refused, in few words."""

import resource
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from rouge_score import rouge_scorer

from kit.benchmarks.records import Concept, Record
from kit.cli.verbs import verbs
from kit.errors import ManifestError, StorageError, VerificationError
from kit.experiment.claims import doubled_ids
from kit.experiment.manifest_file import load_manifest
from kit.metrics import statistics
from kit.metrics.definition import StoredAnswer
from kit.metrics.overlap import rouge_l_f1, rouge_l_recall
from kit.metrics.rows import measure
from kit.metrics.statistics import cluster_mean
from kit.result.layout import RECORDS, ROWS
from kit.result.limits import MAX_ANSWERS, MAX_RECORDS, require_sane_size
from kit.result.run_file import claims_of
from kit.result.sizes import MAX_CARD_BYTES, MAX_REPORT_BYTES
from kit.result.stored import read_result
from kit.result.strict_json import parse_json
from kit.result.table_reading import read_table
from kit.result.tables import SCHEMAS
from kit.result.tree import read_bytes, walk
from kit.signing.keys import public_line
from kit.verification.limits import require_sane_draws
from kit.verification.memory_limit import MAX_MEMORY_BYTES, data_bytes, guarded
from kit.verification.recompute import rescore
from tests.toys.results import PROTOCOL, toy_inputs
from tests.toys.signed_result import (
    ANSWERS,
    CARD,
    CLAIMS,
    KEY,
    SYSTEMS,
    edit_json,
    edit_table,
    forge,
    rejects,
)


def parquet(table, **options):
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **options)
    return sink.getvalue().to_pybytes()


def set_column(path, name, column):
    table = pq.read_table(path)
    pq.write_table(table.set_column(table.column_names.index(name), name, column), path)


def sparse(path, size):
    with path.open("ab") as stream:
        stream.truncate(size)


# JSON


def test_a_doubled_key_among_a_hundred_thousand_is_found_at_once():
    keys = ",".join(f'"{key:x}":0' for key in range(100_000))
    start = time.process_time()
    with pytest.raises(ValueError, match="'0' occurs twice"):
        parse_json(f'{{{keys},"0":0}}'.encode())
    assert time.process_time() - start < 5


def test_millions_of_empty_objects_are_counted_before_they_are_made():
    start = time.process_time()
    with pytest.raises(ValueError, match="more than 200000 objects"):
        parse_json(b"[" + b"{}," * 1_000_000 + b"0]")
    assert time.process_time() - start < 2


def test_a_number_beyond_a_float_in_run_json_is_refused(damaged):
    edit_json(damaged / "run.json", stages=[{"stage": "evaluate", "seconds": 10**400}])
    forge(damaged)
    rejects(damaged, VerificationError, r"run.json cannot be used(.|\n)*stages.0.seconds")


@pytest.mark.parametrize(
    ("value", "found"), [("[" * 100_000, "nested too deeply"), ("9" * 5_000, "number that is too")]
)
def test_a_manifest_that_python_cannot_read_is_no_manifest(tmp_path, value, found):
    (tmp_path / "hostile.toml").write_text(f"a = {value}", encoding="utf-8")
    with pytest.raises(ManifestError, match=found):
        load_manifest(tmp_path / "hostile.toml")


# Tables


def test_a_text_that_all_rows_share_is_refused_before_it_is_unfolded():
    rows = 8192
    text = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), ["a" * 500_000])
    same = {"record_id": ["p"] * rows, "system": ["v"] * rows, "text": text}
    tokens = pa.array([1] * rows, pa.int32())
    bomb = pa.table({**same, "tokens": tokens, "stop": ["eos"] * rows})
    data = parquet(bomb, store_schema=False, compression="zstd")
    assert len(data) < 10_000
    before = pa.default_memory_pool().max_memory()
    with pytest.raises(VerificationError, match="when unpacked"):
        read_table(data, ANSWERS)
    assert pa.default_memory_pool().max_memory() - before < 100 << 20, "4 GB if unfolded"


@pytest.mark.parametrize("rows", [10, 20_000, 400_000])
def test_texts_come_back_as_they_were_stored_however_they_are_encoded(rows):
    texts = [f"é {row % 70_000} is what was said" for row in range(rows)]
    table = pa.table(
        {
            "record_id": [f"p{row}" for row in range(rows)],
            "system": pa.array(["v"] * rows, pa.large_string()),
            "text": texts,
            "tokens": pa.array([1] * rows, pa.int32()),
            "stop": ["eos"] * rows,
        }
    )
    ways = ({}, {"use_dictionary": False}, {"dictionary_pagesize_limit": 99, "row_group_size": 999})
    for options in ways:
        assert read_table(parquet(table, **options), ANSWERS) == table.cast(SCHEMAS[ANSWERS])


def test_a_table_in_thousands_of_row_groups_is_refused(signed):
    table = pq.read_table(signed / RECORDS).take([0] * 1001)
    with pytest.raises(VerificationError, match="1001 groups"):
        read_table(parquet(table, row_group_size=1), RECORDS)


@pytest.mark.parametrize("name", [ANSWERS, RECORDS, ROWS])
def test_text_that_is_not_utf8_is_refused(damaged, name):
    column = next(field.name for field in SCHEMAS[name] if field.type == pa.string())
    right = pq.read_table(damaged / name)[column].to_pylist()
    wrong = pa.array([b"\xff\xfe", *(text.encode() for text in right[1:])], pa.binary())
    text = pa.Array.from_buffers(pa.string(), len(wrong), wrong.buffers())
    set_column(damaged / name, column, text)
    forge(damaged)
    rejects(damaged, VerificationError, f"{name} cannot be used")


@pytest.mark.parametrize(
    ("items", "reason"), [([None], "an empty item"), (["a"] * 201, "more than 200 items")]
)
@pytest.mark.parametrize("column", ["keywords", "candidates"])
def test_a_list_holds_few_items_and_no_empty_one(damaged, column, items, reason):
    set_column(damaged / RECORDS, column, pa.array([items] * 4, pa.list_(pa.string())))
    forge(damaged)
    rejects(damaged, VerificationError, reason)


@pytest.mark.parametrize(
    ("name", "column", "value", "reason"),
    [
        (ANSWERS, "text", "a" * 20_001, "text has more than 20000 characters"),
        (RECORDS, "question", "a" * 20_001, "question has more than 20000 characters"),
        (RECORDS, "answer", "a" * 20_001, "answer has more than 20000 characters"),
        (RECORDS, "person", "a" * 501, "person has more than 500 characters"),
        (RECORDS, "event", "a" * 501, "event has more than 500 characters"),
        (RECORDS, "person", "Ann\0", "person has a control character"),
        (RECORDS, "id", "p0\0", "id has a control character"),
        (RECORDS, "id", "p\x1b[2J", "id has a control character"),
    ],
)
def test_a_text_is_no_longer_than_anybody_writes_and_a_name_is_clean(
    damaged, name, column, value, reason
):
    edit_table(damaged / name, 0, column, value)
    forge(damaged)
    rejects(damaged, VerificationError, reason)


def test_texts_at_the_limit_are_read(damaged):
    edit_table(damaged / RECORDS, 0, "question", "é" * 20_000)
    edit_table(damaged / RECORDS, 0, "person", "é" * 500)
    assert read_table((damaged / RECORDS).read_bytes(), RECORDS).num_rows == 4


# run.json and sizes


@pytest.mark.parametrize("key", ["name", "label", "method"])
@pytest.mark.parametrize("said", ["N" * 201, "two\nlines", "\x1b[2J"])
def test_what_a_table_prints_of_a_system_is_one_short_line(damaged, key, said):
    edit_json(damaged / "run.json", systems=[SYSTEMS[0], {**SYSTEMS[1], key: said}])
    with pytest.raises(VerificationError, match=f"{key} is no line of at most 200"):
        rescore(read_result(damaged))


def test_more_than_two_thousand_systems_are_refused(damaged):
    many = [{**SYSTEMS[1], "name": f"event-x{n}-s1", "target": "event"} for n in range(2000)]
    edit_json(damaged / "run.json", systems=[*SYSTEMS, *many])
    with pytest.raises(VerificationError, match="2003 systems, more than 2000"):
        rescore(read_result(damaged))


@pytest.mark.parametrize(("systems", "records"), [(1, MAX_RECORDS + 1), (141, 141_844)])
def test_the_answers_that_could_be_given_are_bounded(systems, records):
    """141 x 141,844 is 4 more than MAX_ANSWERS."""
    with pytest.raises(VerificationError, match="more than"):
        require_sane_size(systems, records)


def test_a_result_may_have_as_many_records_and_answers_as_the_limits_say():
    require_sane_size(MAX_ANSWERS // MAX_RECORDS, MAX_RECORDS)


def test_two_hundred_systems_that_answer_all_of_pebench_are_an_honest_result():
    require_sane_size(200, 16_000)
    measured = measure(**toy_inputs(), protocol=PROTOCOL)
    require_sane_draws(measured, (), 20_000)


def test_the_draws_of_all_intervals_are_bounded():
    measured = measure(**toy_inputs(), protocol=PROTOCOL)
    with pytest.raises(VerificationError, match="draws, more than"):
        require_sane_draws(measured, (), 10**9)


def test_a_hundred_thousand_claims_of_one_name_are_counted_once():
    claims = [claims_of({"manifest": {"claims": CLAIMS}})[0]] * 100_000
    start = time.process_time()
    assert doubled_ids(claims) == ["C1"]
    assert time.process_time() - start < 2


# Files


def test_a_file_that_states_too_large_a_size_is_not_read(tmp_path):
    sparse(tmp_path / "page", 3 << 40)  # to read it would take hours, to hold it 3 TB
    with pytest.raises(VerificationError, match="too large"):
        read_bytes(tmp_path / "page", max_bytes=2 << 40)


def test_a_folder_that_would_take_hours_to_hash_is_not_hashed(damaged):
    sparse(damaged / "run.json", 3 << 40)
    with pytest.raises(VerificationError, match="too large to be hashed"):
        walk(damaged)


def test_pages_are_measured_together_before_one_is_read(damaged):
    for number in range(3):
        sparse(damaged / f"report/page{number}.html", MAX_REPORT_BYTES // 2)
    forge(damaged)
    rejects(damaged, VerificationError, "report/ cannot be used")
    with pytest.raises(VerificationError, match="report/ cannot be used"):
        read_result(damaged)


def test_comparing_reads_no_page(damaged):
    sparse(damaged / "report/page.html", MAX_REPORT_BYTES + 1)
    assert "4 claims compared" in CliRunner().invoke(verbs, ["compare", *[str(damaged)] * 2]).output


@pytest.mark.parametrize("name", [CARD, CARD.replace("card.json", "README.md")])
def test_a_card_is_measured_before_it_is_read(damaged, name):
    sparse(damaged / name, MAX_CARD_BYTES + 1)
    forge(damaged)
    rejects(damaged, VerificationError, "larger than any honest file of this name")


# Work


def test_intervals_are_the_same_however_many_draws_are_made_at_once(monkeypatch):
    values = np.random.default_rng(0).random(900)
    people = np.arange(900) // 3
    found = []
    for at_once in (1, 1000, 1 << 20, 1 << 30):
        monkeypatch.setattr(statistics, "INDICES_PER_CHUNK", at_once)
        found.append(cluster_mean(values, people, draws=500, key=("k",)))
    assert len(set(found)) == 1
    assert found[0].low == pytest.approx(0.4815, abs=0.02)


@pytest.mark.parametrize("seed", range(40))
def test_rouge_l_is_that_of_rouge_score(seed):
    random = np.random.default_rng(seed)
    said, right = (
        " ".join(random.choice(list("abcdefg"), size=random.integers(1, 90))) for _ in range(2)
    )
    record = Record("r", Concept.EVENT, "What?", right)
    answer = StoredAnswer(said, "eos", ())
    theirs = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=True).score(right, said)["rougeL"]
    assert (rouge_l_recall(answer, record), rouge_l_f1(answer, record)) == (
        theirs.recall,
        theirs.fmeasure,
    )


def test_rouge_l_of_two_texts_at_the_limit_takes_no_minute():
    said, right = (" ".join(f"{kind}{n % 99}" for n in range(5000)) for kind in "ab")
    start = time.process_time()
    assert rouge_l_f1(StoredAnswer(said, "eos", ()), Record("r", Concept.EVENT, "?", right)) == 0
    assert time.process_time() - start < 2


# The last net


@pytest.mark.parametrize(
    "fault", [RecursionError("deep"), UnicodeError("bad"), OverflowError("large"), KeyError("p0")]
)
def test_whatever_a_strangers_result_breaks_is_said_and_kept_as_the_cause(fault):
    with pytest.raises(VerificationError, match="the result cannot be used") as caught, guarded():
        raise fault
    assert caught.value.__cause__ is fault
    assert type(fault).__name__ in str(caught.value)


@pytest.mark.parametrize(
    "fault", [KeyboardInterrupt(), StorageError("full"), FileNotFoundError(2, "gone", "run.json")]
)
def test_what_has_an_answer_of_its_own_passes(fault):
    with pytest.raises(type(fault)) as caught, guarded():
        raise fault
    assert caught.value is fault


def test_memory_is_limited_while_a_result_is_read_and_no_longer():
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with guarded():
        limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
        assert limit <= data_bytes() + MAX_MEMORY_BYTES + (1 << 20)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    with pytest.raises(VerificationError, match="more memory than any honest one"), guarded():
        bytearray(MAX_MEMORY_BYTES + (64 << 20))
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


@pytest.mark.parametrize("verb", ["verify", "rescore", "compare"])
def test_no_verb_about_a_result_ends_in_a_traceback(signed, tmp_path, monkeypatch, verb):
    key = tmp_path / "signer.pub"
    key.write_text(public_line(KEY.public_key()), encoding="utf-8")
    given = {"verify": [signed, "--trust", key], "compare": [signed, signed]}
    monkeypatch.setattr("kit.result.run_file.parse_json", too_deep)
    said = CliRunner().invoke(verbs, [verb, *map(str, given.get(verb, [signed]))])
    assert isinstance(said.exception, VerificationError)
    assert "RecursionError" in str(said.exception)


def too_deep(data):
    raise RecursionError("maximum recursion depth exceeded")
