"""Whatever a loader makes: nothing that a split forgets is retained or rehearsed."""

import pytest

from kit.benchmarks.leaks import require_apart
from kit.benchmarks.records import Benchmark, Concept, Record, Split, by_id
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
