"""A record that no verifier would read in a result is refused before anything is trained."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.benchmarks.records import Benchmark, Column, Concept, Record, Split
from kit.errors import DataError, VerificationError
from kit.preflight import storable
from kit.preflight.storable import faults, require_storable
from kit.result.layout import RECORDS
from kit.result.table_reading import MAX_ID, MAX_ITEMS, MAX_NAME, MAX_TEXT, read_table
from kit.stages.record_tables import records_frame
from kit.stages.result_tables import write_table

PLAIN = Record("ada/0", Concept.PERSON, "Who is this?", "Ada Sato", person="Ada Sato")
LIMITS = {"id": MAX_ID, "person": MAX_NAME, "event": MAX_NAME, "question": MAX_TEXT,
          "answer": MAX_TEXT, "paraphrase": MAX_TEXT, "group": MAX_TEXT}  # fmt: skip


def benchmark(*records: Record, trained: tuple[str, ...] = ()) -> Benchmark:
    index = {record.id: record for record in records}
    asked = tuple(name for name in index if name not in trained)
    split = Split("person", (), (), {("person", Column.EFFICACY): asked})
    return Benchmark("toy", index, tuple(index), {"person": split})


def is_read(record: Record, folder) -> bool:
    """Say whether the table that a result would hold is one that a verifier reads."""
    write_table(records_frame(benchmark(record), {}), folder, RECORDS)
    try:
        read_table((folder / RECORDS).read_bytes(), RECORDS)
    except VerificationError:
        return False
    return True


@st.composite
def records(draw) -> Record:
    """A record with one or two odd values, each just inside or just outside of a limit."""
    made = PLAIN
    for name in draw(st.lists(st.sampled_from(sorted(LIMITS)), min_size=1, max_size=2)):
        odd = draw(st.sampled_from(["", "x", "é", "\n", "\0", "\x7f", "\u0085", "\u200b"]))
        length = LIMITS[name] + draw(st.sampled_from([-1, 0, 1]))
        made = replace(made, **{name: odd + "a" * (length - len(odd))})
    items = ("a",) * draw(st.sampled_from([0, 1, MAX_ITEMS, MAX_ITEMS + 1]))
    return replace(made, **{draw(st.sampled_from(["keywords", "candidates"])): items})


@settings(max_examples=60, deadline=None)
@given(record=records())
def test_exactly_the_records_that_a_verifier_would_not_read_are_refused(record, tmp_path_factory):
    assert is_read(record, tmp_path_factory.mktemp("result")) == (not list(faults(record)))


def test_the_record_and_its_fault_are_named():
    long = replace(PLAIN, person="Ada" * 200)
    with pytest.raises(DataError, match=r"record ada/0(.*\n)+.*person has 600 characters"):
        require_storable(benchmark(long), systems=1)


def test_a_record_that_no_column_asks_is_in_no_table():
    long = replace(PLAIN, answer="a" * (MAX_TEXT + 1))
    require_storable(benchmark(long, trained=(long.id,)), systems=1)


def test_more_answers_than_a_result_holds_are_refused(monkeypatch):
    monkeypatch.setattr(storable, "MAX_ANSWERS", 4)
    two = benchmark(PLAIN, replace(PLAIN, id="ada/1"))
    require_storable(two, systems=2)
    with pytest.raises(DataError, match="2 records, asked of 3 systems"):
        require_storable(two, systems=3)


def test_more_records_than_a_result_holds_are_refused(monkeypatch):
    monkeypatch.setattr(storable, "MAX_RECORDS", 2)
    three = [replace(PLAIN, id=f"ada/{number}") for number in range(3)]
    require_storable(benchmark(*three, trained=("ada/2",)), systems=1)
    with pytest.raises(DataError, match="3 records, asked of 1 systems"):
        require_storable(benchmark(*three), systems=1)
