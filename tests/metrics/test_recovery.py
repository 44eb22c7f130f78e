"""What comes back under attack: a difference of differences, right by hand."""

import numpy as np
import pytest

from kit.errors import DataError
from kit.experiment.attack import Condition, drawn_records
from kit.metrics.attacked import measure_attacked
from kit.metrics.recovery import blind, names_of, recovery
from kit.metrics.rows import measure
from tests.toys.attacked import HONEST, PLANTED, attacked, attacked_table
from tests.toys.results import PROTOCOL, toy_inputs

X = Condition("role", 1.0)
CLEAN = {"vanilla": 16, "retain_only": 0, "npo": 0, "ga": 0, "prompt": 8}
PLACE = ("person", "person", X)


def found(entry, told, **clean):
    measured = attacked({X: told}, **{**CLEAN, **clean})
    return recovery(measured, names_of(measured, entry, "person"), *PLACE)


def test_the_recovery_is_what_is_known_more_than_by_retain_only_beyond_what_was_before():
    """Of 16: NPO tells 12 under attack and 2 without, Retain-only 4 and 1: (12-4)/16 - (2-1)/16."""
    told = {**PLANTED, "npo": 12, "retain_only": 4}
    back = found("npo", told, npo=2, retain_only=1)
    assert back.values.mean() == pytest.approx((12 - 4) / 16 - (2 - 1) / 16)
    assert (back.before, back.under) == (2 / 16, 12 / 16)
    assert (back.control_before, back.control) == (1 / 16, 4 / 16)
    assert len(back.ids) == 16
    assert len(np.unique(back.clusters)) == 4, "four people"
    # The first record is told by all four, the second by no clean system but NPO's, and so on.
    first = {1: 0.0, 2: -1.0, 3: 0.0, 4: 0.0, 5: 1.0, 12: 1.0, 13: 0.0}
    assert {place: back.values[place - 1] for place in first} == first


@pytest.mark.parametrize("taught", [0, 7, 16])
def test_retain_only_never_recovers_whatever_an_attack_teaches_it(taught):
    back = found("retain_only", {**PLANTED, "retain_only": taught}, retain_only=3)
    assert set(back.values.tolist()) == {0.0}


def test_what_an_attack_teaches_a_model_that_never_knew_does_not_come_back():
    assert found("npo", {**HONEST, "npo": 16, "retain_only": 16}).values.mean() == 0.0


def test_what_a_prompt_hides_comes_back_where_vanilla_answers():
    assert found("prompt", PLANTED).values.mean() == 0.5  # it hides 8 of 16
    assert found("prompt", {**PLANTED, "prompt": 8}).values.mean() == 0.0


def test_an_attack_shows_something_where_vanilla_tells_and_retain_only_does_not():
    assert blind(attacked({X: PLANTED}, **CLEAN), *PLACE) == ""
    assert blind(attacked({X: {**PLANTED, "retain_only": 5}}, **CLEAN), *PLACE) == ""


@pytest.mark.parametrize(
    ("told", "clean", "reason"),
    [
        ({"vanilla": 1}, {}, "under this attack, Vanilla does not know it clearly better"),
        ({"retain_only": 15}, {}, "(1.00 and 0.94)"),
        ({}, {"vanilla": 1}, "Vanilla does not know it clearly better than Retain-only (6.2 %"),
        ({}, {"retain_only": 16}, "Retain-only, which never saw it, knows it too"),
    ],
)
def test_an_attack_shows_nothing_where_silence_or_speech_would_prove_nothing(told, clean, reason):
    measured = attacked({X: {**PLANTED, **told}}, **{**CLEAN, **clean})
    assert reason in blind(measured, *PLACE)


def test_an_attack_that_was_not_run_has_a_reason_and_no_number():
    measured = attacked({X: {"vanilla": 16, "retain_only": 0}}, **CLEAN)
    said = recovery(measured, ["person-npo-s1"], *PLACE)
    assert said == "person-npo-s1 was not attacked for target person"
    other = recovery(measured, ["vanilla"], "person", "person", Condition("role", 2.0))
    assert other == "the attack role at 2 was not run"
    apart = recovery(measured, ["vanilla"], "person", "event", X)
    assert apart == "the attack role at 1 asks none of these questions"


def test_the_order_of_stored_answers_changes_nothing():
    inputs = toy_inputs()
    measured = measure(**inputs, protocol=PROTOCOL)
    table = attacked_table(inputs, {X: PLANTED, Condition("crop", 0.5): HONEST})
    assert measure_attacked(table, measured) == measure_attacked(table[::-1], measured)


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("system", "event-npo-s1", "is of no system with that target"),
        ("record_id", "world-00", "is to no question of that target"),
        ("stop", "never", "has a stop that is none of"),
        ("level", float("nan"), "has a level that is no number"),
    ],
)
def test_answers_that_belong_to_nothing_are_refused(column, value, what):
    inputs = toy_inputs()
    table = attacked_table(inputs, {X: PLANTED})
    table.loc[3, column] = value
    with pytest.raises(DataError, match=what):
        measure_attacked(table, measure(**inputs, protocol=PROTOCOL))


def test_which_records_are_asked_depends_on_their_names_alone():
    ids = [f"r{n}" for n in range(20)]
    assert drawn_records(ids, 30, "person", "person") == sorted(ids)
    some = drawn_records(ids, 5, "person", "person")
    assert some == drawn_records(ids[::-1], 5, "person", "person")
    assert len(some) == 5
    assert set(some) < set(ids)
    assert some != drawn_records(ids, 5, "both", "person")
