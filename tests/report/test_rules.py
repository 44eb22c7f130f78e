"""A result states by which rules its report judges, and is judged again by the same ones."""

import pytest

from kit.errors import VerificationError
from kit.report.rules import attack_rule, damage_rule, stated_versions

EARLIER = {"protocol": 2, "interval": 2, "marks": 3}


def test_the_rule_of_attacks_is_stated_where_something_was_attacked():
    assert stated_versions(2, attacked=True) == {**EARLIER, "attacks": 2}
    assert stated_versions(2, attacked=False) == EARLIER


def test_a_result_that_does_not_state_the_rule_of_attacks_has_the_first():
    assert attack_rule({}) == attack_rule({"versions": EARLIER}) == 1
    assert attack_rule({"versions": {**EARLIER, "attacks": 2}}) == 2


@pytest.mark.parametrize(
    ("rule", "versions", "said"),
    [
        (attack_rule, {"attacks": 3}, "judges attacks by a rule .*\n.*version 1 or 2, .*\n.* 3"),
        (lambda run: damage_rule(run, first=False), {"marks": 9}, "version 2 or 3, .*\n.* 9"),
        (attack_rule, {"attack": 1}, "its versions are not those of attacks, interval, marks"),
    ],
)
def test_a_rule_of_a_later_kit_is_refused(rule, versions, said):
    with pytest.raises(VerificationError, match=said):
        rule({"versions": {**EARLIER, **versions}})
