"""Cells of published tables: what has one meaning is read, all else is refused by its real name."""

import datetime
import json
import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.benchmarks.cells import id_of, is_missing, name_or_empty, nested, text, text_or_empty
from kit.benchmarks.left_out import OddCell
from kit.benchmarks.options import folded, letter_of, mapped, offered, right_letter

PLACE = ("table, row 3", "Answer")


@pytest.mark.parametrize(
    "value",
    [None, math.nan, Decimal("nan"), "", "  ", "\u00a0\u2003", "\u200b", "\ufeff \u200b\u3164",
     "nan", "NaN", " nan\n", "<NA>", "NaT"],
)  # fmt: skip
def test_null_nan_and_blanks_are_empty(value):
    assert is_missing(value)
    assert text_or_empty(value, *PLACE) == ""
    assert id_of(value, *PLACE) == ""
    with pytest.raises(OddCell, match=r"table, row 3, Answer is empty"):
        text(value, *PLACE)


@pytest.mark.parametrize(
    ("value", "read"),
    [("Nan", "Nan"), ("nan bread", "nan bread"), ("None", "None"), (" a\n", "a"),
     ("\ufeffa", "a"), (7, "7"), (3.0, "3"),
     (2.5, "2.5"), (Decimal("1.80"), "1.80"), (10**30, "1" + 30 * "0"), ("0", "0"), (0, "0")],
)  # fmt: skip
def test_a_text_or_a_number_is_a_text(value, read):
    assert text(value, *PLACE) == read


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "is true or false, not a text"), (b"Ann", "is bytes, not a text"),
        (["Ann"], "is a list, not a text"), ({"a": 1}, "is a struct, not a text"),
        (datetime.date(2024, 1, 2), "is a date or time, not a text"),
        (math.inf, "is an infinite number"), (-math.inf, "is an infinite number"),
        (2.0**53, "is a number too large to be exact"), ("a\0b", "has a NUL or half a character"),
        ("\ud800", "has a NUL or half a character"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_by_its_real_name(value, kind):
    for read in (text, id_of):
        with pytest.raises(OddCell) as error:
            read(value, *PLACE)
        assert error.value.kind == f"Answer {kind}"
        assert None not in (error.value.expected, error.value.found, error.value.remedy)


@pytest.mark.parametrize(
    "value", [1, 1.0, "1", "001", " 1 ", "1.0", "\u200b1", "\uff11", Decimal(1)]
)
def test_an_id_has_one_form(value):
    assert id_of(value, *PLACE) == "1"


@pytest.mark.parametrize("value", ["p-1", "0-image", "A1"])
def test_an_id_that_is_no_number_stays(value):
    assert id_of(value, *PLACE) == value


@pytest.mark.parametrize("value", [1.5, "1.5", "1e3", -1, "-0.5"])
def test_a_number_that_counts_nothing_is_no_id(value):
    with pytest.raises(OddCell, match="is no whole number"):
        id_of(value, *PLACE)


@given(st.integers(0, 2**53 - 1))
def test_every_exact_number_is_the_same_id_in_all_types(number):
    forms = (number, float(number), str(number), f"{number:020d}", f"{number}.0")
    assert {id_of(form, *PLACE) for form in forms} == {str(number)}


def test_large_whole_numbers_stay_apart():
    assert id_of(2**53 + 1, *PLACE) != id_of(2**53, *PLACE)


def cell(value, kind=dict):
    return nested(value, kind, *PLACE)


def test_json_reads_nan_as_empty_and_keeps_fractions_as_they_are_written():
    assert cell('{"a": NaN, "b": 1.80, "c": null, "d": 5}') == {
        "a": None, "b": "1.80", "c": None, "d": 5,
    }  # fmt: skip
    assert cell("[NaN]", list) == [None]
    assert cell("\ufeff[1]\n", list) == [1], "a byte-order mark is no part of JSON"
    assert (cell("NaN"), cell("null"), cell("  ", list), cell(None)) == ({}, {}, [], {})


@pytest.mark.parametrize("literal", ["Infinity", "-Infinity", "1e999"])
def test_json_has_no_infinite_text(literal):
    with pytest.raises(OddCell, match="is an infinite number"):
        text(cell(f'{{"a": {literal}}}')["a"], *PLACE)


@pytest.mark.parametrize(
    ("value", "kind", "problem"),
    [
        ('{"a": 1, "a": 2}', dict, "has a key twice"),
        ('[{"b": {"a": 1, "a": 1}}]', list, "has a key twice"),
        ("{'a': 1}", dict, "is not JSON"), ("[" * 100_000, list, "is not JSON"),
        ("[]", dict, "is a list, not a struct"), ("{}", list, "is a struct, not a list"),
        (b"{}", dict, "is bytes, not a struct"), ("7", list, "is a number, not a list"),
        (True, dict, "is true or false, not a struct"),
    ],
)  # fmt: skip
def test_a_nested_cell_of_another_form_is_refused_by_name(value, kind, problem):
    with pytest.raises(OddCell) as error:
        cell(value, kind)
    assert error.value.kind == f"Answer {problem}"


@given(st.recursive(st.text() | st.integers() | st.none(), st.lists, max_leaves=5))
def test_json_of_a_list_is_the_list(value):
    assert cell(json.dumps([value]), list) == [value]


OPTIONS = {"A": "a cat", "B": "None of the above", "C": "C++"}


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("A", "A"), ("a", "A"), (" A ", "A"), ("(A)", "A"), ("A.", "A"), ("A)", "A"), ("A:", "A"),
        ("A. a cat", "A"), ("(A) A  CAT", "A"), ("a) a cat", "A"), ("A: a\u00a0cat", "A"),
        ("a cat", "A"), ("A cat", "A"), ("none of the above", "B"), ("C++", "C"), ("C", "C"),
        ("A. a dog", None), ("D", None), ("a dog", None), ("A. None of the above", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_right_option_is_named_by_letter_text_or_both(answer, letter):
    assert right_letter(answer, OPTIONS) == letter


@pytest.mark.parametrize("name", ["None", "none", " null ", "N/A", "nan", None])
def test_a_name_that_says_none_is_no_name(name):
    assert name_or_empty(name, *PLACE) == ""
    assert name_or_empty("Noné", *PLACE) == "Noné"


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("Option B", "B"), ("option (b)", "B"), ("Answer: C", "C"), ("The answer is A.", "A"),
        ("The correct answer is B. None of the above", "B"), ("choice = c", "C"),
        ("The right option is a cat", "A"), ("The answer is D", None), ("optional B", None),
        ("The answer is A. C++", None), ("answer", None),
    ],
)  # fmt: skip
def test_words_before_a_letter_do_not_hide_it(answer, letter):
    assert right_letter(answer, OPTIONS) == letter


def test_words_that_belong_to_an_option_are_its_text():
    assert right_letter("Option B", {"A": "Option B", "B": "Option A"}) == "A"


def test_keys_with_words_are_letters():
    found = offered({"Option A": "a cat", "option b": "a dog"}, *PLACE)
    assert found == {"A": "a cat", "B": "a dog"}


def test_texts_with_the_letters_of_each_other_are_refused():
    """The prompt would show `A: B. a cat`: the answer B would mean two options."""
    with pytest.raises(OddCell, match="has other letters within its texts"):
        offered({"A": "B. a cat", "B": "A. a dog"}, *PLACE)
    for texts in (("A. a cat", "B. a dog"), ("J. Lee", "K. Cho"), ("B. a cat", "a dog")):
        assert list(offered(dict(zip("AB", texts, strict=True)), *PLACE).values()) == [*texts]


def test_a_list_of_options_with_letters_is_what_the_letters_say():
    assert mapped(["B. a dog", "A. a cat"]) == {"A": "a cat", "B": "a dog"}
    for other in (["a cat", "a dog"], ["B. a dog", "C. a cat"], ["A. a cat", "A. a dog"], [1], "A"):
        assert mapped(other) is other


def test_a_letter_that_is_another_options_text_names_none():
    assert right_letter("B", {"A": "B", "B": "A"}) is None
    assert right_letter("B", {"A": "A", "B": "B"}) == "B"


def test_keys_of_options_are_letters_in_some_dress():
    assert [letter_of(key) for key in ("A", "a ", "(b)", "C.", "d)", "10", "other")] == [
        "A", "A", "B", "C", "D", "10", "other",
    ]  # fmt: skip


def test_options_are_compared_with_their_punctuation():
    assert len({folded(each) for each in ("C", "C++", "C#", "c", "C\u00a0")}) == 3
