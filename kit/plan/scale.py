"""A plan's tasks with what is known of their time: measured on a card, or counted and estimated."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kit.console import duration
from kit.plan.arithmetic import PEAKS, forward_operations, hours_of
from kit.plan.cards import kinds
from kit.plan.jobs import Plan
from kit.plan.memory import RecordSize
from kit.plan.rates import Rates
from kit.plan.simulation import Task, staged
from kit.plan.sizes import BaseSizes
from kit.plan.tasks import Clock, PassClock, RatesClock, starts, tasks_of

CARD = "H100 80 GB"  # of PEAKS, whose hours are estimated where none were measured
ENOUGH = 1.05  # more cards that gain less than this factor are no gain
Hours = tuple[float, float]  # least and most


@dataclass(frozen=True)
class Scale:
    """The tasks of a plan, their starts, and how a time is written."""

    tasks: Sequence[Task]
    starts: dict[str, float]
    write: Callable[[float], str]
    hours: Hours | None = None
    """Hours of a unit of time on CARD, estimated; None where seconds are measured, or nothing is
    known."""
    apart: Sequence[Task] = ()
    """The tasks, with every system answered on its own."""

    def time(self, cards: int) -> float:
        """Return the time on so many cards, stage after stage."""
        return sum(staged(self.tasks, cards, self.starts).values())

    @property
    def enough(self) -> int:
        """Return the fewest cards that come within 5 % of the time on any number of cards."""
        low, high = 1, len(self.tasks)
        best = ENOUGH * self.time(high)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.time(middle) <= best else (middle + 1, high)
        return low

    def tell(self, length: float) -> str:
        """Return a time as sentences give it, with its hours."""
        written = self.write(length)
        return f"{written} ({span(length, self.hours)} hours)" if self.hours else written


def measured(plan: Plan, rates: Rates) -> Scale:
    """Return the tasks in seconds, from what a probe measured.

    Raises:
        ManifestError: the rates are of another manifest.
    """
    clock = RatesClock(plan, rates)
    return Scale(tasks_of(plan, clock), starts(rates), duration, apart=_apart(plan, clock))


def counted(plan: Plan, known: tuple[BaseSizes, RecordSize] | None) -> Scale:
    """Return the tasks in units of the longest adapter's training, by counted passes.

    Args:
        known: sizes of base and record, from which hours on CARD are estimated.
    """
    fits = {}
    if known:
        fits = {kind.name: kind.fit(PEAKS[CARD][1]) for kind in kinds(plan.manifest, *known)}
    clock = PassClock(plan, fits)
    tasks = tasks_of(plan, clock)
    unit = longest_adapter(tasks).length
    own, apart = (
        [replace(each, length=each.length / unit) for each in found]
        for found in (tasks, _apart(plan, clock))
    )
    hours = hours_of(unit * forward_operations(*known), CARD) if known else None
    return Scale(own, {}, lambda length: f"{length:.2f}", hours, apart)


def _apart(plan: Plan, clock: Clock) -> list[Task]:
    """Return the tasks as on a cluster with a card for every system, and batch invariance."""
    update = {"evaluation": plan.manifest.evaluation.model_copy(update={"batch_invariant": True})}
    invariant = replace(plan, manifest=plan.manifest.model_copy(update=update))
    return tasks_of(invariant, clock, engines=len(plan.systems))


def longest_adapter(tasks: Sequence[Task]) -> Task:
    """Return the longest training of an adapter."""
    return longest([task for task in tasks if task.phase in ("finetune", "unlearn")])


def longest(tasks: Sequence[Task]) -> Task:
    """Return the longest task."""
    return max(tasks, key=lambda task: task.length)


def span(length: float, hours: Hours) -> str:
    """Return least and most hours of a length, or one number where they are the same."""
    least, most = (_digits(length * each) for each in hours)
    return least if least == most else f"{least} to {most}"


def _digits(value: float) -> str:
    """Return a number with two digits that count, or as a whole number."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
