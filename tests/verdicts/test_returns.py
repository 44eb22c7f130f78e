"""Claims that something comes back under an attack, or does not."""

import pytest

from kit.experiment.attack import Condition
from kit.experiment.claims import ClaimSection, claim_fault
from kit.report.claims import printed
from kit.verdicts.claims_file import entry
from kit.verdicts.judging import judge, judge_claims
from tests.metrics.test_recovery import CLEAN
from tests.toys.attacked import HONEST, PLANTED, attacked

X = Condition("role", 1.0)
PLACE = {
    "target": "person", "part": "person", "column": "efficacy", "metric": "forget_rate/1",
    "unit": "record", "attack": "role", "level": 1,
}  # fmt: skip


def claim(system="npo", **changes):
    whole = {"id": "C1", "text": "t", "kind": "returns", "system": system, **PLACE, **changes}
    return ClaimSection.model_validate(whole)


def verdict(told, asked, **clean):
    return judge(asked, attacked({X: told}, **{**CLEAN, **clean}), seed=1)


def test_a_planted_method_comes_back_and_an_honest_one_does_not():
    back, away = claim(at_least=0.4), claim(at_most=0.4)
    found = {
        (name, asked.sign): str(verdict(told, asked).outcome)
        for name, told in (("planted", PLANTED), ("honest", HONEST))
        for asked in (back, away)
    }
    assert found == {
        ("planted", 1): "REPRODUCED", ("planted", -1): "NOT_REPRODUCED",
        ("honest", 1): "NOT_REPRODUCED", ("honest", -1): "REPRODUCED",
    }  # fmt: skip


def test_the_value_is_the_recovery_over_the_records():
    found = verdict(PLANTED, claim(at_least=0.2))
    assert (found.estimate.value, found.estimate.n, found.clusters) == (1.0, 16, 4)


def test_a_few_answers_that_agree_do_not_show_that_little_comes_back():
    """16 zeros leave 2 (1 - 0.05 ** (1 / 16)) = 0.34 possible, because a recovery goes up to 2."""
    found = verdict(HONEST, claim(at_most=0.3))
    assert str(found.outcome) == "INCONCLUSIVE"
    assert found.estimate.high == pytest.approx(2 * (1 - 0.05 ** (1 / 16)), abs=0.03)


@pytest.mark.parametrize("asked", [claim(at_least=0.2), claim(at_most=0.5)])
def test_an_attack_that_shows_nothing_decides_nothing(asked):
    found = verdict({**PLANTED, "vanilla": 0}, asked)
    assert str(found.outcome) == "INCONCLUSIVE"
    assert "under this attack, Vanilla does not know it" in found.reason
    unknown = verdict(PLANTED, asked, vanilla=0)
    assert str(unknown.outcome) == "INCONCLUSIVE"
    assert unknown.reason.startswith("Vanilla does not know it clearly better than Retain-only")


def test_that_nothing_comes_back_from_a_broken_model_is_no_finding():
    found = verdict(HONEST, claim("ga", at_most=0.5))
    assert str(found.outcome) == "NOT_REPRODUCED"
    assert found.reason.startswith("its answers are broken")


def by_rules(told, asked, **clean):
    """Return the verdicts by versions 2 and 3 of the rule, and the reason of the newer one."""
    measured = attacked({X: told}, **{**CLEAN, **clean})
    old, new = (judge_claims([asked], measured, seed=1, rule=rule)[0] for rule in (2, 3))
    return str(old.outcome), str(new.outcome), new.reason


@pytest.mark.parametrize(("known", "outcome"), [(16, "NOT_REPRODUCED"), (7, "REPRODUCED")])
def test_what_was_never_forgotten_does_not_stay_away(known, outcome):
    """It knows as many of 16 with the attack as without, so nothing comes back. Half is 8."""
    told = {**PLANTED, "npo": known}
    old, new, reason = by_rules(told, claim(at_most=0.4), npo=known)
    assert (old, new) == ("REPRODUCED", outcome)
    assert ("it was never forgotten: without the attack, 100 % is known" in reason) == (known == 16)


@pytest.mark.parametrize(("known", "outcome"), [(10, "INCONCLUSIVE"), (16, "REPRODUCED")])
def test_a_rise_to_the_level_of_retain_only_does_not_count(known, outcome):
    """Retain-only guesses 6 of 16, the method refuses. Under attack it tells 10, or all."""
    told = {**PLANTED, "retain_only": 6, "npo": known}
    old, new, reason = by_rules(told, claim(at_least=0.05), npo=0, retain_only=6)
    assert (old, new) == ("REPRODUCED", outcome)
    assert ("beyond it, 0.25 comes back" in reason) == (known == 10), "(10 - 6) / 16"


def test_an_attack_that_was_not_run_is_skipped_with_the_reason():
    found = verdict(PLANTED, claim(at_least=0.2, level=2))
    assert (str(found.outcome), found.reason) == ("SKIPPED", "the attack role at 2 was not run")


def test_a_claim_about_an_attack_is_printed_with_it():
    said = printed(entry(verdict(PLANTED, claim(at_least=0.2))))
    assert said["of"] == (
        "recovery of npo under role at 1, beyond that of Retain-only: person/person/efficacy, "
        "forget_rate/1"
    )
    assert said["value"] == "+100.0"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"at_least": 0.2}, None),
        ({}, "needs exactly one of 'at_least' and 'at_most'"),
        ({"at_least": 0.2, "level": None}, "needs 'level'"),
        ({"at_least": 0.2, "level": 0}, None),
        ({"at_least": 0.2, "column": "retain"}, "needs the column 'efficacy'"),
        ({"at_least": 0.2, "other": "vanilla"}, "has no 'other'"),
    ],
)
def test_a_claim_that_cannot_be_tested_is_named(changes, fault):
    found = claim_fault(claim(**changes))
    assert found is None if fault is None else fault in found


def test_other_claims_are_stored_as_before():
    bound = ClaimSection(
        id="C1", text="t", kind="bound", target="person", part="person", column="efficacy",
        metric="forget_rate/1", system="npo", at_least=0.5,
    )  # fmt: skip
    assert not {"attack", "level"} & bound.model_dump().keys()
    assert not {"attack", "level"} & entry(judge(bound, attacked({X: PLANTED}), seed=1)).keys()
