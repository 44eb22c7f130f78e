"""Is the version of the kit that run.json states late enough for what else the result has?

An earlier version would excuse a result from metrics, facts and checks that came later. Whoever
states one must have a result that such a kit could have written.
"""

from collections.abc import Iterator, Mapping

from kit.metrics.families import system_metrics, versions_of_answers
from kit.result.asked_for import families_of
from kit.result.made_by import Kit
from kit.result.run_file import LAYOUT, SCHEMA
from kit.result.stored import StoredResult
from kit.verification.contradiction import contradicts
from kit.verification.run_facts import COMPLETE

Numbers = tuple[int, int, int]
# The first version that writes a part of run.json, by its place.
FIRST_WITH: dict[tuple[str, ...], Numbers] = {
    ("guards", "agreement", "limit_nats"): (0, 2, 0),
    ("versions",): (0, 3, 0),
    ("manifest", "calibration"): (0, 3, 0),
    ("attacks",): (0, 4, 0),
    ("left_out",): (0, 4, 0),
    ("outside_metric",): (0, 4, 0),
    ("tuning",): (0, 4, 0),
    (LAYOUT,): (0, 4, 0),
    ("manifest", "attack"): (0, 4, 0),
    ("manifest", "tune"): (0, 4, 0),
    ("versions", "marks"): (0, 5, 0),
    ("versions", "attacks"): (0, 5, 0),
    ("manifest", "judge"): (0, 5, 0),
    ("manifest", "probes"): (0, 5, 0),
}
SCHEMA_2: Numbers = (0, 2, 0)  # of run.json
FIRST_RULE: dict[int, Numbers] = {1: (0, 1, 0), 2: (0, 3, 0), 3: (0, 5, 0)}  # of verdicts


def require_fitting_version(stored: StoredResult) -> None:
    """Check that the kit which a run.json names could write all that the result has.

    Raises:
        VerificationError: something came later; the first five are named. Or a result of 0.3.0 or
            later states no versions of its definitions.
    """
    if faults := [*_faults(stored, stored.kit.numbers)]:
        raise contradicts(
            f"the result is none of kit {stored.kit.version}, which run.json names",
            "a result as that version of the kit wrote them",
            faults,
        )


def _faults(stored: StoredResult, made_by: Numbers) -> Iterator[str]:
    run = stored.run
    if run["schema"] == SCHEMA and made_by < SCHEMA_2:
        yield f"the schema {SCHEMA} came with kit {_shown(SCHEMA_2)}"
    for place, first in FIRST_WITH.items():
        if made_by < first and _has(run, place):
            yield f"{'.'.join(place)} came with kit {_shown(first)}"
    if made_by >= COMPLETE and "versions" not in run:
        yield f"versions is missing, which every result since kit {_shown(COMPLETE)} has"
    rule = stored.verdicts.rule if stored.verdicts else 1
    if made_by < FIRST_RULE.get(rule, (0, 0, 0)):
        yield f"rule {rule} of verdicts came with kit {_shown(FIRST_RULE[rule])}"
    first_of = _first_versions(families_of(run))
    for name in sorted(set(stored.rows["metric"].to_pylist())):
        if made_by < (first := first_of.get(name, (0, 0, 0))):
            yield f"the metric {name} came with kit {_shown(first)}"


def _first_versions(families: tuple[str, ...]) -> dict[str, Numbers]:
    """Return {metric: the first version of the kit that had any version of it}."""
    pairs = [(each.name, each.since) for each in versions_of_answers().values()]
    pairs += [(each.name, each.since) for each in system_metrics(families).values()]
    found: dict[str, Numbers] = {}
    for name, since in pairs:
        first = Kit(since).numbers
        found[name] = min(found.get(name, first), first)
    return found


def _has(run: Mapping[str, object], place: tuple[str, ...]) -> bool:
    """Say whether a run.json states something there; an empty list or null states nothing."""
    value: object = run
    for name in place:
        value = value.get(name) if isinstance(value, dict) else None
    return value not in (None, [], {}, "")


def _shown(version: Numbers) -> str:
    return ".".join(map(str, version))
