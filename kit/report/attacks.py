"""What comes back under each attack, and the headline of each method: behavioural or durable."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypedDict

import numpy as np

from kit.benchmarks.records import Column
from kit.experiment.attack import Condition
from kit.experiment.systems import RETAIN_ONLY, VANILLA
from kit.metrics.eligibility import KNOWN_SHARE, MARGIN
from kit.metrics.intervals import Intervals
from kit.metrics.recovery import LIMITS, Recovery, blind, kept_share, names_of, recovery
from kit.metrics.rows import Measured, RecordSet
from kit.metrics.statistics import bounded_mean
from kit.report.run_types import Manifest
from kit.report.sentences import listing, lowered
from kit.report.tables import Table
from kit.result.run_file import labels

# What comes back: the whole interval is above this; it is the margin of `kit.metrics.eligibility`.
BACK = MARGIN
# What does not come back: the whole interval is below this. 39 answers that all stay away leave
# 0.15 possible, so a smaller limit would leave every small experiment open.
AWAY = 0.2
DECIMALS = 6
RULE = 2  # the newest version of what decides an outcome, which new results state
RULES = (1, RULE)  # version 1 counts a rise to the level of Retain-only
RETURNS, STAYS, OPEN, BLIND = "comes back", "stays away", "undecided", "shows nothing"
CONTROL = "control"  # Retain-only, whose recovery is 0 by definition
BEHAVIOURAL, DURABLE, UNDECIDED = "behavioural", "durable", "undecided"
NOT_FORGOTTEN, BROKEN, NOT_TESTED = "not forgotten", "broken", "not tested"
SAID = {
    BEHAVIOURAL: "comes back for {} (behavioural forgetting)",
    DURABLE: "stays away for {} (durable)",
    UNDECIDED: "may do either for {} (undecided)",
    NOT_FORGOTTEN: "was never forgotten by {}",
    BROKEN: "cannot be seen in the broken answers of {}",
    NOT_TESTED: "was not tested for {}",
}
OUTCOMES = (BEHAVIOURAL, DURABLE, UNDECIDED, NOT_FORGOTTEN, BROKEN, NOT_TESTED)


class AttackCell(TypedDict):
    """One method under one attack.

    `value` is its recovery with a 95 % interval over clusters; `before`, `under` and `control` are
    mean knowledge: its own without and with the attack, and Retain-only's with it. `outcome` says
    what was found, about these very answers. All numbers are None with a `reason`.
    """

    target: str
    part: str
    entry: str
    label: str
    attack: str
    attack_label: str
    level: float
    outcome: str
    before: float | None
    under: float | None
    control: float | None
    value: float | None
    low: float | None
    high: float | None
    n: int
    clusters: int
    reason: str


class Headline(TypedDict):
    """What all attacks say of one method; `attacks` are those under which it comes back."""

    target: str
    part: str
    entry: str
    label: str
    outcome: str
    attacks: list[str]
    tested: int
    reason: str


class Attacks(TypedDict):
    """The part of report.json about attacks."""

    cells: list[AttackCell]
    headlines: list[Headline]


def attack_facts(
    measured: Measured,
    manifest: Manifest,
    tables: Sequence[Table],
    intervals: Intervals,
    rule: int = RULE,
) -> Attacks:
    """Return every method under every attack, and the headline of each method.

    Args:
        rule: the version of what decides an outcome, one of `RULES`.
    """
    assert measured.attacked is not None, "the result has answers under attack"
    listed = manifest["attack"]["entries"]
    titles = {entry["name"]: entry["label"] for entry in listed}
    asked = [Condition(e["name"], level) for e in listed for level in e["levels"]]
    attacked = {key[:2] for key in measured.attacked.under}
    cells: list[AttackCell] = []
    headlines: list[Headline] = []
    for place in measured.groups:
        if place.column is not Column.EFFICACY or not place.ids:
            continue
        if not any(target == place.target for _, target in attacked):
            continue
        why = {each: blind(measured, place.target, place.part, each) for each in asked}
        for entry, label in labels(measured.systems).items():
            names = names_of(measured, entry, place.target)
            if not any((name, place.target) in attacked for name in names):
                continue
            own = [
                _cell(measured, place, entry, label, names, each, titles, why, intervals, rule)
                for each in asked
            ]
            cells += own
            if entry not in (VANILLA, RETAIN_ONLY):
                collapsed = _collapsed(tables, entry, place)
                headlines.append(_headline(own, measured, place, collapsed))
    return {"cells": cells, "headlines": headlines}


def attack_glance(
    headlines: Sequence[Headline], titles: Mapping[tuple[str, str], str]
) -> Iterator[str]:
    """Yield, for each part of each target, for which methods what was forgotten comes back.

    `titles` is {(target, part): its title}.
    """
    for place in dict.fromkeys((head["target"], head["part"]) for head in headlines):
        own = [head for head in headlines if (head["target"], head["part"]) == place]
        groups = [
            SAID[outcome].format(listing([h["label"] for h in own if h["outcome"] == outcome]))
            for outcome in OUTCOMES
            if any(head["outcome"] == outcome for head in own)
        ]
        yield (
            f"Under attack, {lowered(titles[place])}: what was to be forgotten {'; '.join(groups)}."
        )


def _cell(
    measured: Measured,
    place: RecordSet,
    entry: str,
    label: str,
    names: Sequence[str],
    condition: Condition,
    titles: Mapping[str, str],
    why: Mapping[Condition, str],
    intervals: Intervals,
    rule: int,
) -> AttackCell:
    cell = AttackCell(
        target=place.target, part=place.part, entry=entry, label=label, attack=condition.attack,
        attack_label=titles[condition.attack], level=condition.level, outcome=BLIND, before=None,
        under=None, control=None, value=None, low=None, high=None, n=0, clusters=0,
        reason=why[condition],
    )  # fmt: skip
    found = recovery(measured, names, place.target, place.part, condition)
    if isinstance(found, str):
        cell["reason"] = found
        return cell
    key = (intervals.seed, "recovery", entry, place.target, place.part, *condition)
    interval = intervals.mean(found.values, found.clusters, limits=LIMITS, key=key)
    cell |= {
        "before": found.before, "under": found.under, "control": found.control,
        "value": _round(interval.value), "low": _round(interval.low),
        "high": _round(interval.high), "n": interval.n, "clusters": interval.clusters,
    }  # fmt: skip
    if not cell["reason"]:
        where = (place.target, place.part, *condition)
        cell["outcome"] = CONTROL if entry == RETAIN_ONLY else _outcome(found, where, rule)
    return cell


def _outcome(found: Recovery, key: tuple[object, ...], rule: int) -> str:
    """Return what one attack shows about these very answers; each bound errs in at most 5 %.

    Without the attack, a method may know less than Retain-only: it refuses, or guesses worse. The
    rise to the level of Retain-only does not count: it never learnt what was forgotten.
    """
    above = rule == 1 or found.before >= found.control_before
    values, units = found.values if above else found.apart, np.arange(len(found.values))
    bound = bounded_mean(values, units, limits=LIMITS, key=("attack", *key))
    if bound.low is None or bound.high is None:
        return OPEN
    if bound.low > BACK:
        return RETURNS
    return STAYS if bound.high < AWAY else OPEN


def _headline(
    own: Sequence[AttackCell], measured: Measured, place: RecordSet, collapsed: bool
) -> Headline:
    tested = [cell for cell in own if cell["outcome"] != BLIND]
    back = [cell for cell in tested if cell["outcome"] == RETURNS]
    said = Headline(
        target=place.target, part=place.part, entry=own[0]["entry"], label=own[0]["label"],
        outcome=UNDECIDED, attacks=[f"{c['attack_label']} ({c['level']:g})" for c in back],
        tested=len(tested), reason="",
    )  # fmt: skip
    if not tested:
        said["outcome"], said["reason"] = NOT_TESTED, own[0]["reason"]
    elif (kept := _kept(measured, own, place)) >= KNOWN_SHARE:
        said["outcome"], said["reason"] = NOT_FORGOTTEN, f"{100 * kept:.0f} % is known as it is"
    elif back:
        said["outcome"] = BEHAVIOURAL
    elif collapsed:
        said["outcome"], said["reason"] = BROKEN, "it has collapsed, so silence shows nothing"
    elif all(cell["outcome"] == STAYS for cell in tested):
        said["outcome"] = DURABLE
    return said


def _kept(measured: Measured, own: Sequence[AttackCell], place: RecordSet) -> float:
    """Return how much a method still knows without any attack, as a share of Vanilla.

    The records are those of the attack that shows something and asks most.
    """
    shows = (cell for cell in own if cell["outcome"] != BLIND)
    cell = max(shows, key=lambda cell: cell["n"])  # the first of equals
    condition = Condition(cell["attack"], cell["level"])
    kept = kept_share(measured, cell["entry"], place.target, place.part, condition)
    assert kept is not None, "the attack was tested"
    return kept


def _collapsed(tables: Sequence[Table], entry: str, place: RecordSet) -> bool:
    own = (table for table in tables if place.target in table.targets)
    lines = (line for table in own for line in table.lines if line.entry == entry)
    return any(place.part in line.damage.marks.get("collapsed", ()) for line in lines)


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, DECIMALS)
