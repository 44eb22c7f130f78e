"""A question has one right answer, an option one letter, a key one value: all else is refused."""

import ast
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.benchmarks.left_out import OddCell
from kit.benchmarks.literals import DoubledKey, read_json, require_keys_once
from kit.benchmarks.options import offered
from kit.benchmarks.parquet import Place
from kit.benchmarks.pebench.csv import Reading
from kit.benchmarks.pebench.events import keywords_of
from kit.benchmarks.pebench.lists import item_value, list_of
from kit.benchmarks.pebench.table import presence_records
from kit.benchmarks.probes import mmgcot
from kit.benchmarks.probes.asked_once import note_repeated
from kit.benchmarks.probes.reading import json_rows
from kit.benchmarks.records import Concept, Record, by_id
from kit.benchmarks.right_answers import RightAnswers
from kit.errors import DataError

WORD = st.text("abcdef ", min_size=1).filter(str.strip)
VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
WRITTEN_OTHERWISE = st.sampled_from(
    [
        str.upper,
        lambda text: f"  {text} ",
        lambda text: text.replace(" ", "\u00a0 "),
        lambda text: "".join(chr(ord(c) + 0xFEE0) if c != " " else c for c in text),  # full width
    ]
)
PICTURE = Path("0.png")


def complete(error):
    assert str(error.expected).strip()
    assert str(error.found).strip()
    assert error.remedy
    return str(error)


@given(WORD, WORD, WORD, WRITTEN_OTHERWISE)
def test_the_same_question_in_other_spelling_has_the_same_right_answer(asked, one, other, again):
    right = RightAnswers()
    assert right.note(asked, one, "row 0", image=PICTURE) == ""
    assert right.note(again(asked), again(one), "row 1", image=PICTURE) == "row 0"
    assert right.note(asked, other, "row 2", image=Path("1.png")) == "", "of another picture"
    if one.split() != other.split():
        with pytest.raises(OddCell, match="row 3, answer is not that of the same") as caught:
            right.note(again(asked), other, "row 3", image=PICTURE)
        assert "row 0" in complete(caught.value)


def test_a_question_with_other_options_is_another_question():
    right = RightAnswers()
    right.note("Which?", "a", "row 0", options=["a", "b"])
    assert right.note("Which?", "c", "row 1", options=["c", "b"]) == ""
    with pytest.raises(OddCell):
        right.note("Which?", "b", "row 2", options=["B", "A"])


@given(st.lists(WORD, min_size=2, max_size=4, unique_by=lambda t: " ".join(t.split())),
       WRITTEN_OTHERWISE, st.data())  # fmt: skip
def test_options_are_distinct_in_letter_and_text(texts, again, data):
    given_ = dict(zip("ABCD", texts, strict=False))
    assert list(offered({**given_, "E": None, "F": " "}, "row 0", "Options")) == list(given_)
    twice = again(data.draw(st.sampled_from(texts)))
    with pytest.raises(OddCell, match="Options has a text twice") as caught:
        offered({**given_, "E": twice}, "row 0", "Options")
    complete(caught.value)
    with pytest.raises(OddCell, match="Options has a letter twice"):
        offered({**given_, "(a)": "x y z"}, "row 0", "Options")


@given(VALUES)
def test_what_json_and_python_write_is_read_and_a_key_twice_never_is(value):
    assert read_json(json.dumps(value)) == value
    require_keys_once(ast.parse(repr(value), mode="eval"))
    for twice in (f'[{{"k": 1, "k": {json.dumps(value)}}}]', '{"a": {"k": 1, "\\u006b": 2}}'):
        with pytest.raises(DoubledKey, match="'k' twice"):
            read_json(twice)
    with pytest.raises(DoubledKey, match="'k' twice"):
        require_keys_once(ast.parse(f"[{{'k': 1, 'k': {value!r}}}]", mode="eval"))


@given(st.lists(st.text(max_size=3), min_size=1, max_size=5, unique=True), st.data())
def test_a_key_twice_is_found_at_every_place_and_depth(keys, data):
    twice = list(keys)
    twice.insert(data.draw(st.integers(0, len(keys))), data.draw(st.sampled_from(keys)))
    around = data.draw(st.sampled_from(["{}", "[{}]", '{{"a": 1, "outer": {}}}', "[[1, {}]]"]))

    def written(names, spell):
        return around.format("{" + ", ".join(f"{spell(name)}: 0" for name in names) + "}")

    read_json(written(keys, json.dumps))
    require_keys_once(ast.parse(written(keys, repr), mode="eval"))
    with pytest.raises(DoubledKey):
        read_json(written(twice, json.dumps))
    with pytest.raises(DoubledKey):
        require_keys_once(ast.parse(written(twice, repr), mode="eval"))


def test_keys_that_python_takes_for_one_are_one():
    with pytest.raises(DoubledKey):
        require_keys_once(ast.parse("{1: 'a', 'b': 2, True: 'c'}", mode="eval"))
    require_keys_once(ast.parse("{'a': 1, **{'a': 2}}", mode="eval"))  # no literal: refused later
    with pytest.raises(ValueError, match="malformed"):
        require_keys_once(ast.parse("{open('x'): 1}", mode="eval"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NaN", None), ("Infinity", math.inf), ("-Infinity", -math.inf), ("1e999", math.inf),
        ("1.80", "1.80"), ("1e2", "1e2"), ("9007199254740993", 9007199254740993), ("-0", 0),
        ("true", True), ("null", None), ('"NaN"', "NaN"),
    ],
)  # fmt: skip
def test_a_number_in_json_is_what_its_writer_meant(text, value):
    (found,) = read_json(f"[{text}]")
    assert (found, type(found)) == (value, type(value))
    assert read_json(f'{{"a": {text}}}') == {"a": value}


@pytest.mark.parametrize(
    "cell",
    ['[{"title": "a", "title": "b"}]', '[{"title": true, "title": "b"}]',
     "[{'title': 'a', 'title': 'b'}]",
     '{"market": "a", "market": "b"}', "{'market': nan, 'market': 'b'}"],
)  # fmt: skip
def test_a_list_in_a_cell_with_a_key_twice_is_refused(cell):
    with pytest.raises(DataError, match=r"PEBench\.csv, line 2: a cell has a key twice") as caught:
        list_of(cell, "PEBench.csv, line 2")
    complete(caught.value)


def test_a_number_in_a_list_keeps_its_digits_and_an_infinite_one_is_no_text():
    assert item_value(list_of('[{"m": 1.80}]', "line 2")[0], ("m",), "line 2") == "1.80"
    with pytest.raises(DataError, match="is no text"):
        item_value(list_of('[{"m": Infinity}]', "line 2")[0], ("m",), "line 2")


@pytest.mark.parametrize(
    ("name", "text"), [("a.json", "[]"), ("a.json", " [\n]\n"), ("a.jsonl", ""), ("a.jsonl", "\n")]
)
def test_a_file_of_a_probe_without_questions_is_refused_by_name(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=f"{name} has no questions") as caught:
        list(json_rows(tmp_path / name, ["id"]))
    assert "object" in complete(caught.value)


def asked(number, question="Is it?", answer="yes", concept=Concept.PRESENCE):
    return Record(f"probe/p/{number}", concept, question, answer, PICTURE)


def test_a_probe_that_asks_again_says_so_and_one_that_asks_twice_is_refused():
    many = [asked(n, f"Is it {n}?") for n in range(100)]
    assert note_repeated("p", many) == ()
    (note,) = note_repeated("p", [*many, asked(100, "is it  7?")])
    assert note == "Probe 'p' asks 1 of 101 questions again: probe/p/100, as probe/p/7."
    with pytest.raises(DataError, match="2 of 102 questions are asked again") as caught:
        note_repeated("p", [*many, asked(100, "is it  7?"), asked(101, "Is it 8?")])
    complete(caught.value)


def test_a_question_of_a_probe_with_two_right_answers_is_refused():
    with pytest.raises(DataError, match=r"question probe/p/1, answer is not that of the same"):
        note_repeated("p", [asked(0), asked(1, "is it?", "no")])
    # MM-GCoT publishes one question with one answer and two boxes.
    boxes = [asked(n, "Which?", f"Metal [0, 0, 0.{n + 1}, 1]", Concept.REGION) for n in range(2)]
    assert note_repeated("p", boxes)
    with pytest.raises(DataError, match="not that of the same"):
        note_repeated("p", [boxes[0], asked(2, "Which?", "Wood [0, 0, 0.1, 1]", Concept.REGION)])


def test_an_id_of_mmgcot_that_is_published_for_several_questions_is_numbered(tmp_path):
    (tmp_path / "0.jpg").write_bytes(b"picture")
    items = [
        {"id": 8, "img": "0.jpg", "question": f"{n}?", "answer": "a", "coordinate": "[0, 0, 1, 1]"}
        for n in range(3)
    ]
    for file in mmgcot.FILES.values():
        (tmp_path / file).write_text(json.dumps(items), encoding="utf-8")
    found = by_id(mmgcot.load(Place(tmp_path, tmp_path)))
    assert list(found)[:3] == ["attributes/8", "attributes/8/2", "attributes/8/3"]
    assert len(found) == 9


def test_an_event_twice_in_the_file_of_keywords_is_refused(tmp_path):
    text = "event,keywords\nCity walk,one\ncity-walk,two\n"
    (tmp_path / "keywords.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="line 3: the event occurs twice") as caught:
        keywords_of(tmp_path / "PEBench.csv", [], None, Reading())
    assert "lines 2 and 3" in complete(caught.value)


def test_an_answer_of_the_general_knowledge_is_yes_or_no(tmp_path):
    (tmp_path / "general.csv").write_text("file,object,answer\n0.png,sun,Maybe\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 2: the answer is unknown") as caught:
        presence_records(tmp_path / "general.csv", "general")
    assert "'Maybe'" in complete(caught.value)


def test_a_record_id_twice_says_what_the_two_ask():
    with pytest.raises(DataError, match="probe/p/0 occurs twice") as caught:
        by_id([asked(0, "First?"), asked(0, "Second?")])
    assert "'First?' and 'Second?'" in complete(caught.value)
