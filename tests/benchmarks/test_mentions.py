"""Whom a text names: the whole name, in every spelling, of people with more than one word."""

import pytest

from kit.benchmarks.mentions import People

PEOPLE = People(["Ann Lee", "Ann Lee Smith", "José Ortiz", "Madonna", "Al-Salem Rami"])


@pytest.mark.parametrize(
    ("text", "person", "another"),
    [
        ("Ann Lee is here.", "Ann Lee", False),
        ("ANN  LEE'S hat", "José Ortiz", True),
        ("Ann Lee Smith reads.", "Ann Lee", False),  # it holds the shorter name as well
        ("Ann Lee reads.", "Ann Lee Smith", True),
        ("Ann Lee meets José Ortiz.", "José Ortiz", False),
        ("Jose Ortiz reads.", "Ann Lee", False),  # accents count
        ("Madonna sings.", "Ann Lee", False),  # one word could be any word
        ("Rami Al Salem reads.", "Ann Lee", False),  # not in this order
        ("al salem rami reads.", "Ann Lee", True),
        ("Someone reads.", "Ann Lee", False),
        ("Ann Lee reads.", "", False),
    ],
)
def test_a_text_is_about_another_where_it_names_others_alone(text, person, another):
    assert PEOPLE.is_about_another(["What?", text], person) == another
