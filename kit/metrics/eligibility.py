"""Whether anything can be forgotten: Vanilla must know it, and Retain-only must not.

If Vanilla does not know what is to be forgotten, or a model that never saw it knows it as well, the
columns of forgetting say nothing about forgetting, whatever a method does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kit.benchmarks.records import Column
from kit.experiment.systems import RETAIN_ONLY, VANILLA
from kit.metrics.definition import Definition
from kit.metrics.intervals import DIFFERENCES, INTERVAL_ERROR
from kit.metrics.record_sets import Measured, RecordSet
from kit.metrics.statistics import bounded_mean
from kit.result.run_file import System, entries

# The whole 95 % interval of Vanilla minus Retain-only must be above this, in units of the metric.
MARGIN = 0.1
# Retain-only must have less than this share of Vanilla's score above chance.
KNOWN_SHARE = 0.5
DRAWS = 1000
DECIMALS = 6
# Scores of a guess: yes/no questions, and one of four options. All other metrics have the floor 0.
CHANCE = {
    "presence_accuracy": 0.5, "choice_accuracy": 0.25, "choice_first_character": 0.25,
    "option_hit": 0.25, "option_nearest": 0.25,
}  # fmt: skip
RULE = (
    "Eligible: Vanilla must know what is to be forgotten, and Retain-only must not. The whole 95 % "
    f"interval of Vanilla minus Retain-only in the Efficacy column (over answers, because these "
    f"answers are all that is to be forgotten) must be above {MARGIN:g}, and Retain-only must have "
    "less than half of Vanilla's score above chance."
)


@dataclass(frozen=True)
class Eligibility:
    """What Vanilla and Retain-only know of what is to be forgotten, each in [0, 1].

    `low` and `high` bound their difference. All are None if they were not measured. `reason` says
    why nothing can be forgotten; "" if something can.
    """

    target: str
    part: str
    vanilla: float | None
    retain_only: float | None
    low: float | None
    high: float | None
    reason: str


def eligible(measured: Measured, target: str, part: str) -> str | None:
    """Return the reason why nothing can be claimed to be forgotten here, or None if it can.

    Args:
        measured: the answers of a result.
        target, part: whose Efficacy column is asked.
    """
    return assess_eligibility(measured, target, part).reason or None


def assess_eligibility(measured: Measured, target: str, part: str) -> Eligibility:
    """Apply `RULE` to one part of one target."""
    wanted = (target, part, Column.EFFICACY)
    place = next((g for g in measured.groups if (g.target, g.part, g.column) == wanted), None)

    def unknown(reason: str) -> Eligibility:
        return Eligibility(target, part, None, None, None, None, reason)

    if place is None or not place.ids:
        return unknown("no question asks for what is to be forgotten")
    groups = entries(measured.systems)
    vanilla = _known(groups.get(VANILLA, ()), place, measured)
    retain = _known(groups.get(RETAIN_ONLY, ()), place, measured)
    if vanilla is None or retain is None:
        missing = "Vanilla" if vanilla is None else "Retain-only"
        return unknown(f"there is no {missing} model to compare with")
    both = ~(np.isnan(vanilla) | np.isnan(retain))
    definition = measured.scores.definitions[place.headline]
    if not both.any():
        return unknown(f"what is to be forgotten was not measured: {definition.absent}")
    found = bounded_mean(
        vanilla[both] - retain[both], np.arange(int(both.sum())), limits=DIFFERENCES,
        key=("eligible", target, part), draws=DRAWS, error=INTERVAL_ERROR,
    )  # fmt: skip
    knows, guesses = (round(float(each[both].mean()), DECIMALS) for each in (vanilla, retain))
    reason = _reason(definition, knows, guesses, found.low or 0.0)
    return Eligibility(target, part, knows, guesses, found.low, found.high, reason)


def _reason(definition: Definition, vanilla: float, retain: float, low: float) -> str:
    knows, guesses = (_printed(definition, value) for value in (vanilla, retain))
    share = kept_share(retain, vanilla, definition.name)
    if low > MARGIN and share is not None and share < KNOWN_SHARE:
        return ""
    if retain > MARGIN and (share is None or share >= KNOWN_SHARE):
        return f"Retain-only, which never saw it, knows it too ({guesses}; Vanilla {knows})"
    return f"Vanilla does not know it clearly better than Retain-only ({knows} and {guesses})"


def _printed(definition: Definition, value: float) -> str:
    return f"{100 * value:.1f} %" if definition.percent else f"{value:.2f}"


def kept_share(value: float | None, vanilla: float | None, metric: str) -> float | None:
    """Return the share of Vanilla's score above chance that is left; None if it had none."""
    floor = CHANCE.get(metric, 0.0)
    if value is None or vanilla is None or vanilla <= floor:
        return None
    # Rounded, so that exactly one half is not less than one half in floating point.
    return round((value - floor) / (vanilla - floor), 9)


def _known(systems: Sequence[System], place: RecordSet, measured: Measured) -> np.ndarray | None:
    """Return [n] how well each record is known, the mean over the systems; None without any."""
    names = [s["name"] for s in systems if s["target"] in (None, place.target)]
    values = [measured.scores.of(name, place.headline, place.ids) for name in names]
    if not values:
        return None
    return measured.scores.definitions[place.headline].knowledge(np.mean(values, axis=0))
