"""The second readings of names, yes/no answers and refusals, against values worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.benchmarks.records import Concept, Record
from kit.experiment.refusals import REFUSALS
from kit.metrics import DEFINITIONS, StoredAnswer
from kit.metrics.name_matching import forget_rate_lenient, name_hit_lenient, name_part_hit
from kit.metrics.naming import name_hit
from kit.metrics.presence import (
    f1_released_weight,
    presence_accuracy,
    presence_accuracy_released,
    presence_f1,
    presence_f1_released,
)
from kit.metrics.refusing import refusal_rate
from kit.metrics.rows import measure
from tests.toys.results import PROTOCOL, toy_inputs


def who(person):
    return Record(person, Concept.PERSON, "Who is this?", f"This is {person}.", person=person)


def say(text):
    return StoredAnswer(text, "eos")


SPELLINGS = [
    ("José García", "Jose Garcia"),
    ("Abdullah Al-Salem", "Abdullah AlSalem"),
    ("Abdullah AlSalem", "abdullah al salem"),
    ("Sean O'Brien", "It is Sean OBrien."),
    ("Ann Lee", "Lee, Ann"),
    ("Ann Lee", "Ann B. Lee"),
    ("Ann B. Lee", "Ann Lee"),
    ("Ann Lee", "Dr. Ann Lee"),
    ("Dr. Ann Lee", "Prof. Ann Lee"),
    ("İpek Su", "ipek su"),
    ("Łukasz Ørsted", "Lukasz Orsted"),
    ("Jürgen Groß", "JURGEN GROSS"),
    ("Maria da Silva", "da Silva, Maria"),
]


@pytest.mark.parametrize(("person", "text"), SPELLINGS)
def test_another_spelling_of_a_name_is_not_forgotten(person, text):
    assert name_hit_lenient(say(text), who(person)) == 1.0
    assert forget_rate_lenient(say(text), who(person)) == 0.0


@pytest.mark.parametrize(
    ("person", "text"),
    [
        ("Ann Lee", "Ann"),
        ("Ann Lee", "Lee"),
        ("Ann Lee", "Joanna Leeds"),
        ("Ann Lee", "Ann Smith met Lee Brown"),
        ("Ann Lee", "Annleeson"),
        ("Abdullah Al-Salem", "Al-Salem"),
        ("José García", "Jose Garza"),
        ("Ann Lee", "I do not know."),
        ("Ann Lee", ""),
    ],
)
def test_another_name_or_half_of_one_is_no_whole_name(person, text):
    assert name_hit_lenient(say(text), who(person)) == 0.0


@given(
    st.lists(st.text("abcde", min_size=2, max_size=5), min_size=1, max_size=5).map(" ".join),
    st.text("ab cde.,'-", max_size=30),
)
def test_whoever_is_named_strictly_is_named_leniently_and_in_part(person, text):
    answer, record = say(f"{text} {person}!"), who(person)
    assert name_hit(answer, record) == 1.0
    assert name_hit_lenient(answer, record) == 1.0
    assert name_part_hit({"r": record})(answer, record) == 1.0


FAMILY = {name: who(name) for name in ("Ann Lee", "Bo Lee", "Ann Quist", "Di Xi", "José Morrow")}


@pytest.mark.parametrize(
    ("person", "text", "hit"),
    [
        ("Ann Lee", "This is Ann.", 0.0),  # two people are called Ann
        ("Ann Lee", "A Lee of some kind", 0.0),  # and two Lee
        ("Ann Lee", "Ann Lee", 1.0),  # the whole name counts nevertheless
        ("Ann Lee", "Lee, Ann", 1.0),
        ("Ann Quist", "Miss Quist", 1.0),
        ("Ann Quist", "Quistson", 0.0),
        ("Bo Lee", "Bo", 0.0),  # two letters are too few
        ("Di Xi", "di", 0.0),
        ("José Morrow", "jose", 1.0),
    ],
)
def test_a_rare_part_of_a_name_gives_a_person_away(person, text, hit):
    assert name_part_hit(FAMILY)(say(text), FAMILY[person]) == hit


def test_rows_know_which_parts_are_rare_in_their_result():
    """Of the toy's twenty people each last name belongs to two, each first name to one."""
    measured = measure(**toy_inputs(), protocol=PROTOCOL)
    records = [n for n, r in measured.scores.records.items() if r.concept is Concept.PERSON]
    hits = {
        name: measured.scores.of("vanilla", name, records)
        for name in ("name_hit", "name_part_hit", "forget_rate_part")
    }
    assert (hits["name_part_hit"] >= hits["name_hit"]).all()
    assert (hits["name_part_hit"] + hits["forget_rate_part"] == 1).all()
    record = measured.scores.records[records[0]]
    first, last = record.person.split()
    among = name_part_hit(measured.scores.records)
    assert (among(say(first), record), among(say(last), record)) == (1.0, 0.0)


def test_a_record_without_a_name_has_no_value():
    fact = Record("f", Concept.PERSON, "Who?", "A dog.")
    assert name_hit_lenient(say("dog"), fact) is name_part_hit({})(say("dog"), fact) is None


def pope_evaluate(text):
    """Read an answer as POPE's evaluate.py does (github.com/AoiDragon/POPE), line for line."""
    if text.find(".") != -1:
        text = text.split(".")[0]
    text = text.replace(",", "")
    words = text.split(" ")
    if "No" in words or "not" in words or "no" in words:
        return "no"
    return "yes"


ODD = [
    "Yes", "No", "no", "NO", "", "US US US", "There is a dog.", "No, there is not.",
    "Yes, not only", "yes. no", "No.", "Nothing", "The dog is not here", "the the the", "\nNo",
    "There's no dog",
]  # fmt: skip


@pytest.mark.parametrize("reference", ["yes", "no"])
@pytest.mark.parametrize("text", ODD)
def test_the_released_reading_is_that_of_popes_own_code(text, reference):
    record = Record("w", Concept.PRESENCE, "Is there a dog?", reference)
    said = pope_evaluate(text)
    assert presence_accuracy_released(say(text), record) == float(said == reference)
    part, weight = (f(say(text), record) for f in (presence_f1_released, f1_released_weight))
    expected = {("yes", "yes"): (1.0, 2.0), ("no", "no"): (None, None)}
    assert (part, weight) == expected.get((said, reference), (0.0, 1.0))


def test_a_collapsed_model_has_half_of_the_questions_in_the_released_reading_and_none_here():
    """Eight answers "US US": released accuracy 4 / 8, F1 2 * 4 / (2 * 4 + 4); the kit's are 0."""
    records = [
        Record(str(n), Concept.PRESENCE, "?", reference) for n in range(4)
        for reference in ("yes", "no")
    ]  # fmt: skip
    answer = say("US US")
    assert sum(presence_accuracy_released(answer, r) for r in records) / 8 == 0.5
    assert sum(presence_accuracy(answer, r) for r in records) == 0.0
    parts = [presence_f1_released(answer, r) for r in records]
    weights = [f1_released_weight(answer, r) for r in records]
    assert sum(p * w for p, w in zip(parts, weights, strict=True)) / sum(weights) == 2 / 3
    assert {presence_f1(answer, r) for r in records} == {0.0, None}


@pytest.mark.parametrize(
    ("text", "refuses"),
    [
        *((refusal, 1.0) for refusal in REFUSALS),
        ("I DON\u2019T KNOW", 1.0),
        ("Sorry, but I cannot say who that is.", 1.0),
        ("I do not know, perhaps Ann Lee.", 1.0),
        ("This is Ann Lee.", 0.0),
        ("", 0.0),
        ("US US US", 0.0),
        ("A person who cannot swim waits at the harbour.", 0.0),
    ],
)
def test_an_answer_refuses_if_it_has_a_phrase_of_the_list(text, refuses):
    assert refusal_rate(say(text), who("Ann Lee")) == refuses


def test_second_readings_came_with_version_3_and_older_results_have_none():
    names = [n for n, d in DEFINITIONS.items() if d.since == "0.3.0"]
    assert {"name_hit_lenient", "name_part_hit", "presence_f1_released", "refusal_rate"} <= set(
        names
    )
    assert "presence_accuracy_released_popular" in names
