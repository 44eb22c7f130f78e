"""Whatever a loader makes: nothing that a split forgets is retained or rehearsed."""

from dataclasses import replace

import pytest

from kit.benchmarks.leaks import require_apart
from kit.benchmarks.records import Benchmark, Column, Concept, Record, Split, by_id
from kit.errors import DataError

PERSON, EVENT, FACT = Concept.PERSON, Concept.EVENT, Concept.FACT


def record(name, concept, person="", event=""):
    return Record(name, concept, "Q?", "A", person=person, event=event)


def benchmark(forgotten, retained, rehearsed=()):
    records = by_id([forgotten, *retained, *rehearsed])
    split = Split("t", (forgotten.id,), tuple(r.id for r in retained), {})
    return Benchmark("b", records, (), {"t": split}, tuple(r.id for r in rehearsed))


ANN = record("f", PERSON, "Ann Lee", "dinner with friends")
DINNER = record("f", EVENT, "Ann Lee", "dinner with friends")


@pytest.mark.parametrize(
    ("forgotten", "kept"),
    [
        (ANN, record("k", FACT, "Ann\u00a0Lee")),
        (ANN, record("k", EVENT, "ANN LEE", "city walk")),
        (record("f", FACT, "Zoë"), record("k", PERSON, "Zoe\u0308")),
        (DINNER, record("k", EVENT, "Bo", "Dinner-with_friends")),
        (DINNER, record("k", PERSON, "Bo", "dinner\u200bwith friends")),
    ],
)
def test_a_forgotten_name_in_another_spelling_is_not_kept(forgotten, kept):
    with pytest.raises(DataError, match="forgets what is retained as well") as error:
        require_apart(benchmark(forgotten, [kept]))
    assert error.value.found == "1"
    with pytest.raises(DataError, match="forgets what is rehearsed as well"):
        require_apart(benchmark(forgotten, [], [kept]))


@pytest.mark.parametrize(
    ("forgotten", "kept"),
    [
        (ANN, record("k", PERSON, "Bo", "dinner with friends")),  # the event is not forgotten
        (DINNER, record("k", EVENT, "Ann Lee", "city walk")),  # the person is not forgotten
        (record("f", FACT), record("k", FACT)),  # nobody is named on either side
        (ANN, record("k", FACT, "Änn Lee")),
    ],
)
def test_what_is_not_forgotten_may_be_kept(forgotten, kept):
    require_apart(benchmark(forgotten, [kept], []))


def shows(record_, path, data):
    path.write_bytes(data)
    return replace(record_, image=path)


@pytest.mark.parametrize("side", ["retained", "rehearsed", "measured"])
def test_a_forgotten_picture_is_not_kept_under_another_name(tmp_path, side):
    forgotten = shows(ANN, tmp_path / "a.png", b"same bytes")
    kept = shows(record("k", PERSON, "Bo"), tmp_path / "b.png", b"same bytes")
    if side == "measured":
        made = benchmark(forgotten, [])
        split = replace(made.splits["t"], evaluation={("part", Column.REAL): ("k",)})
        made = replace(made, records=by_id([forgotten, kept]), splits={"t": split})
    else:
        made = benchmark(forgotten, *([kept], ()) if side == "retained" else ([], [kept]))
    with pytest.raises(DataError, match="forgets a picture that other records show") as error:
        require_apart(made)
    assert error.value.found == "1 pictures with the same bytes: f and k"


def test_pictures_of_equal_size_are_two(tmp_path):
    forgotten = shows(ANN, tmp_path / "a.png", b"some bytes")
    require_apart(
        benchmark(forgotten, [shows(record("k", FACT), tmp_path / "b.png", b"mean bytes")])
    )


@pytest.mark.parametrize(
    "name", ["Lee, Ann", "Dr. Ann Lee", "Ann B. Lee", "Änn Lee", "Ann Lee Jr.", "ANN LÉE"]
)
def test_names_that_read_alike_are_two_people_and_noted(name):
    noted = require_apart(benchmark(ANN, [record("k", FACT, name)])).notes
    assert noted == (
        f"A forgotten and a retained name read alike, and count as two: 'Ann Lee' and '{name}'.",
    )


@pytest.mark.parametrize("name", ["Ann Leed", "A. Lee", "Ann", "Bo Lee"])
def test_other_names_are_not_noted(name):
    assert require_apart(benchmark(ANN, [record("k", FACT, name)])).notes == ()


def test_a_known_person_with_a_forgotten_name_is_noted():
    famous = record("k", FACT, "ANN LEE")
    made = benchmark(ANN, [])
    split = replace(made.splits["t"], evaluation={("part", Column.REAL): ("k",)})
    made = replace(made, records=by_id([ANN, famous]), splits={"t": split})
    assert require_apart(made).notes == (
        "The column 'real' has the name of a forgotten person: 'Ann Lee' and 'ANN LEE'.",
    )
