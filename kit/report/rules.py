"""By which versions of its rules a report judges damage and attacks."""

from collections.abc import Collection, Mapping
from dataclasses import asdict

from kit import __version__
from kit.errors import VerificationError
from kit.metrics.intervals import INTERVAL
from kit.report import attacks, damage
from kit.result.run_file import Versions, versions_of


def stated_versions(protocol: int, *, attacked: bool) -> dict[str, int]:
    """Return what a new run.json says of the versions of its definitions.

    Args:
        protocol: the version of the benchmark's protocol.
        attacked: whether the manifest has attacks; only then is their rule stated.
    """
    own = asdict(Versions(protocol, INTERVAL, damage.RULE, attacks.RULE))
    return {name: version for name, version in own.items() if attacked or name != "attacks"}


def damage_rule(content: Mapping[str, object], *, first: bool) -> int:
    """Return the version of the rule of damage in a run.json.

    Args:
        first: whether the report has the first schema, whose rule is never stated.

    Raises:
        VerificationError: this kit does not know it.
    """
    rule = 1 if first else versions_of(content).marks
    return _known("marks damage", rule, {1} if first else damage.RULES.keys() - {1})


def attack_rule(content: Mapping[str, object]) -> int:
    """Return the version of the rule of attacks in a run.json.

    Raises:
        VerificationError: this kit does not know it.
    """
    return _known("judges attacks", versions_of(content).attacks, attacks.RULES)


def _known(what: str, rule: int, rules: Collection[int]) -> int:
    if rule not in rules:
        raise VerificationError(
            f"the report {what} by a rule that this kit does not know",
            expected=f"version {' or '.join(map(str, sorted(rules)))}, which kit {__version__} "
            "knows",
            found=rule,
            remedy="verify with the version of the kit that made the result",
        )
    return rule
