"""Who is who: spellings that a reader or a metric takes for one name are one, and no others."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.benchmarks.identity import identity, in_both, merged, not_in, one_spelling, spelt
from kit.benchmarks.records import Concept, Record
from kit.benchmarks.words import words
from kit.metrics.definition import StoredAnswer
from kit.metrics.naming import name_hit

SAME = {
    "composed and decomposed": ("Zoë Pérez", "Zoe\u0308 Pe\u0301rez"),
    "case": ("Ann Lee", "ANN LEE"),
    "sharp s": ("Groß", "GROSS"),
    "two blanks": ("Ann Lee", "Ann  Lee"),
    "no-break space": ("Ann Lee", "Ann\u00a0Lee"),
    "narrow no-break space": ("Ann Lee", "Ann\u202fLee"),
    "ideographic space": ("Ann Lee", "Ann\u3000Lee"),
    "tab and line break": ("Ann Lee", "\tAnn\nLee "),
    "zero-width space for a blank": ("Ann Lee", "Ann\u200bLee"),
    "zero-width space within a word": ("Ann Lee", "A\u200bnn Lee"),
    "soft hyphen": ("Ann Lee", "An\u00adn Lee"),
    "byte-order mark": ("Ann Lee", "\ufeffAnn Lee"),
    "direction mark": ("Ann Lee", "Ann Lee\u200f"),
    "joiner of Persian": (
        "\u0639\u0644\u06cc \u0631\u0636\u0627",
        "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
    ),
    "Hangul filler": ("Ann Lee", "Ann\u3164Lee"),
    "variation selector": ("葛城", "葛\U000e0100城"),
    "full width": ("Ann Lee", "\uff21\uff4e\uff4e\u3000\uff2c\uff45\uff45"),
    "ligature": ("Fina", "\ufb01na"),
    "hyphen": ("Al-Salem", "al salem"),
    "joined": ("Al-Salem", "AlSalem"),
    "apostrophes": ("O'Brien", "O\u2019Brien"),
    "modifier apostrophe": ("O'Brien", "O\u02bcBrien"),
    "accent typed as an apostrophe": ("O'Brien", "O\u00b4Brien"),
    "ayn": ("Ali Qur'an", "Ali Qur\u02bfan"),
    "Turkish in capitals": ("I\u015f\u0131k Ilgaz", "I\u015eIK ILGAZ"),
    "Turkish dotted capital": ("\u0130pek Kaya", "ipek kaya"),
    "Arabic digits": ("Ann 12", "Ann \u0661\u0662"),
    "Arabic stroke": ("\u0645\u062d\u0645\u062f", "\u0645\u062d\u0640\u0645\u062f"),
}


@pytest.mark.parametrize("name", SAME)
def test_spellings_of_one_name_are_one(name):
    first, second = SAME[name]
    assert first != second
    assert identity(first) == identity(second)
    assert in_both([first], [second]) == [spelt(first, second)]
    assert in_both([second], [first, "Somebody"]) == [spelt(second, first)]


@pytest.mark.parametrize(
    ("first", "second"),
    [("José", "Jose"), ("Ann Lee", "Lee Ann"), ("Ann 1 2", "Ann 12"), ("Ann", "Anna"),
     ("???", "!!!"), ("Ann Lee", "\u0410nn Lee")],
)  # fmt: skip
def test_other_names_are_others(first, second):
    assert identity(first) != identity(second)
    assert in_both([first], [second]) == []


@given(st.text(), st.text())
def test_what_a_metric_takes_for_one_name_is_one(first, second):
    if words(first) and words(first) == words(second):
        assert identity(first) == identity(second)


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1), st.sampled_from("CD"))
def test_a_name_in_another_form_or_with_other_blanks_is_the_same(name, form):
    for other in (
        unicodedata.normalize(f"NF{form}", name),
        f"\u200b {name}\u00a0\ufeff",
        name.replace(" ", "\u2003 "),
    ):
        assert identity(other) == identity(name)


def test_a_metric_finds_the_name_in_every_spelling_with_its_own_blanks():
    record = Record("r", Concept.PERSON, "Who?", "Zoë Pérez", person="Zoë Pérez")
    for text in ("It is ZOE\u0308\u00a0PE\u0301REZ.", "zoë  pérez"):
        assert name_hit(StoredAnswer(text, "eos"), record) == 1.0


def test_two_spellings_are_printed_so_that_they_differ():
    assert spelt("Ann Lee", "ANN LEE") == "'Ann Lee' and 'ANN LEE'"
    assert spelt("Ann Lee", "Ann\u00a0Lee") == (
        "'Ann Lee' (Ann Lee) and 'Ann\u00a0Lee' (Ann<U+00A0>Lee)"
    )
    assert "Zo<U+00EB>" in spelt("Zoë", "Zoe\u0308")
    assert "Zoe<U+0308>" in spelt("Zoë", "Zoe\u0308")
    assert spelt("Ann Lee", "Ann Lee") == "'Ann Lee'"
    assert "\u202e" not in spelt("Ann\u202eLee", "Ann Lee"), "a name cannot turn the line around"


def test_the_first_spelling_stands_for_all():
    names = ["ANN LEE", "Ann Lee", "Bo", "", "ann-lee"]
    assert one_spelling(names) == {"annlee": "ANN LEE", "bo": "Bo"}
    assert not_in(names, ["aNN lee"]) == ["Bo"]
    assert merged(names) == ("One name in 3 spellings counts as one: 'ANN LEE' and 'Ann Lee'.",)
