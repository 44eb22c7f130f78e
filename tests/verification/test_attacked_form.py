"""What an attack of each kind can have asked: nothing that brings knowledge back is left out."""

import importlib
from pathlib import Path

import pandas as pd
import pytest

from kit.attacks import registry
from kit.attacks.attack import Attack, Wordings
from kit.attacks.pixels import PixelAttack
from kit.benchmarks.records import Concept, Record
from kit.experiment.attack import AttackEntry
from kit.verification import attacked_form as form
from kit.verification.attacked_form import choice_fault, nested_faults, wording_faults

NAMES = registry.names()
MADE = "ab" * 32


def kind(name: str) -> type[Attack]:
    return importlib.import_module(f"kit.attacks.{name}").ATTACK


def entry(attack: str, **options: object) -> AttackEntry:
    return AttackEntry(name="a", label="A", attack=attack, levels=(0.1,), options=options)


def ids(*numbers: int) -> frozenset[str]:
    return frozenset(f"p{number}" for number in numbers)


def test_the_verifier_knows_every_attack_and_no_other():
    assert set(NAMES) == form.KNOWN


@pytest.mark.parametrize("name", NAMES)
def test_what_the_verifier_knows_of_an_attack_is_what_its_class_does(name):
    """Words, pictures and choice: the verifier may not import the classes, which need torch."""
    own = kind(name)
    words = own.question is not Attack.question
    assert words == (name in form.OWN_WORDS)
    assert not (issubclass(own, Wordings) and not words)
    assert issubclass(own, PixelAttack) == (name in form.OWN_PICTURES)
    pictured = Record("p0", Concept.PERSON, "Who?", "Ann", image=Path("p0.png"))
    plain = Record("p0", Concept.PERSON, "Who?", "Ann")
    if name in form.TELLING:
        assert own.applies(own, plain, 0.5, None)
    elif name in form.LEAVES_OUT:
        assert own.applies is not Attack.applies
    elif own.applies is not Attack.applies and not name.startswith("relearn"):
        assert [own.applies(own, r, 0.5, None) for r in (pictured, plain)] == [True, False]
        assert name in form.ON_PICTURES
    else:
        assert name not in form.ON_PICTURES


def test_an_attack_that_applies_to_all_records_asks_all():
    assert not choice_fault(entry("crop"), 0.5, ids(0, 1), ids(0, 1))
    assert "1 records are asked, not all 2" in choice_fault(entry("crop"), 0.5, ids(0), ids(0, 1))
    # What is relearned there is not of the forget set.
    assert choice_fault(entry("relearn_related"), 0.5, ids(0), ids(0, 1))


def test_what_tells_the_answer_may_leave_out_questions_that_offer_it():
    for asked, fine in ((ids(0, 1, 2), True), (ids(0, 1), True), (ids(0), False)):
        fault = choice_fault(entry("retrieval"), 1, asked, ids(0, 1, 2), ids(2, 9))
        assert (fault == "") == fine
    assert choice_fault(entry("role_play"), 1, ids(0, 1), ids(0, 1, 2), ids(2, 9))


@pytest.mark.parametrize(("kept", "fine"), [(40, True), (35, True), (26, True), (25, False)])
def test_relearning_a_tenth_leaves_out_about_a_tenth(kept, fine):
    """Of 40 questions 4 are expected; 5 standard deviations are 9.5, so at most 14 are left out."""
    fault = choice_fault(entry("relearn_forget"), 0.1, ids(*range(kept)), ids(*range(40)))
    assert (fault == "") == fine


def test_of_whole_people_no_number_is_expected():
    asked = choice_fault(entry("relearn_forget", subjects=True), 0.1, ids(1), ids(*range(40)))
    assert asked == ""


def test_what_was_relearned_at_a_low_level_is_not_asked_at_a_higher_one():
    fine = {0.1: ids(0, 1, 2), 0.5: ids(0, 1), 1.0: ids(0, 1, 2, 3)}
    assert not list(nested_faults(entry("relearn_forget"), fine, 4))
    odd = {0.1: ids(0, 1), 0.5: ids(2)}
    (fault,) = nested_faults(entry("relearn_forget"), odd, 4)
    assert "asks records that were relearned at 0.1" in fault


def test_a_share_of_people_may_be_all_of_them_so_that_every_record_is_asked():
    """Nine tenths of three people, rounded up, are three."""
    found = {0.5: ids(0), 0.9: ids(0, 1, 2)}
    assert not list(nested_faults(entry("relearn_forget", subjects=True), found, 3))
    assert list(nested_faults(entry("relearn_forget"), {0.5: ids(0), 0.6: ids(0, 1, 2)}, 9))


def rows(*said: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame([("p0", *each) for each in said],
                        columns=["record_id", "question", "picture"])  # fmt: skip


@pytest.mark.parametrize(
    ("attack", "said", "reason"),
    [
        ("crop", [("Who?", MADE), ("Forget Ann. Who?", MADE)], ""),
        ("crop", [("Who?", MADE), ("What is 2 + 2?", MADE)], "not asked the same question"),
        ("crop", [("Anyone?", MADE), ("Anyone?", MADE)], "not asked the same question"),
        ("role_play", [("Play. Who?", ""), ("Play. Who?", "")], ""),
        (
            "role_play",
            [("Play. Who?", ""), ("Who?", ""), ("No", "")],
            "not asked the same question",
        ),
        ("crop", [("Who?", MADE), ("Who?", "cd" * 32)], "not shown the same picture"),
        ("pgd", [("Who?", MADE), ("Who?", "cd" * 32)], ""),
        ("crop", [("Who?", "")], "no digest of one that it makes"),
        ("role_play", [("Who?", MADE)], "no digest of one that it makes"),
        ("crop", [("Who?", "../../x.png")], "no digest of one that it makes"),
    ],
)
def test_all_systems_get_the_same_words_and_pictures(attack, said, reason):
    faults = list(wording_faults(entry(attack), rows(*said), {"p0": "Who?"}))
    assert [reason in fault for fault in faults] == ([True] if reason else [])
