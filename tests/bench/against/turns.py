"""Two ways to do the same work, measured in turns, and the ratio of them with its interval."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Literal

REPEATS = 5
Scale = Literal["full", "tiny"]
"""`full` for the table in tests/README.md; `tiny` tries the code, and its ratios mean nothing."""
Work = Callable[[], Any]


@dataclass(frozen=True)
class Row:
    """The kit beside one baseline, in one unit; a pair of numbers for each repetition."""

    name: str
    """Letter of the baseline, and what is measured."""
    baseline: str
    """What the baseline does, in words."""
    unit: str
    """Of both: a rate, where more is better, or bytes, where less is."""
    kit: tuple[float, ...]
    peer: tuple[float, ...]
    equal: str
    """How far what both found is apart, in words."""
    wanted: float | None = None
    """The least ratio of rates, or the largest of bytes, that is aimed at."""

    @property
    def is_rate(self) -> bool:
        """Whether more is better."""
        return self.unit != "bytes"

    @property
    def ratios(self) -> tuple[float, ...]:
        """Return kit / baseline of each repetition."""
        return tuple(one / other for one, other in zip(self.kit, self.peer, strict=True))

    @property
    def ratio(self) -> float:
        """Return the median of the ratios of the repetitions."""
        return median(self.ratios)

    @property
    def reached(self) -> bool:
        """Whether the ratio is what is wanted; true where nothing is."""
        if self.wanted is None:
            return True
        return self.ratio >= self.wanted if self.is_rate else self.ratio <= self.wanted

    def facts(self) -> dict[str, object]:
        """Return everything as JSON."""
        low, high = min(self.ratios), max(self.ratios)
        return {**asdict(self), "ratio": self.ratio, "interval": [low, high],
                "coverage": coverage(len(self.ratios)), "reached": self.reached}  # fmt: skip


def coverage(repeats: int) -> float:
    """Return how often the least and the largest of so many values hold the median between them.

    All values are on one side of the median of their distribution with probability 2 x 0.5^n. This
    needs no assumption about the distribution. 0 for one value, which has no interval.
    """
    return 1 - 2 * 0.5**repeats


def in_turns(
    ways: Sequence[Work], repeats: int = REPEATS, *, warm: bool = True
) -> tuple[list[list[float]], list[Any]]:
    """Do each work so many times, in turns; return their seconds, and what each found at last.

    Every second turn goes backwards, so that no way always comes first. Seconds are processor time
    of this process: another program on the machine disturbs it little.

    Args:
        warm: do each work once before, without measuring.
    """
    seconds: list[list[float]] = [[] for _ in ways]
    found: list[Any] = [None for _ in ways]
    for turn in range(-1 if warm else 0, repeats):
        order = range(len(ways)) if turn % 2 == 0 else reversed(range(len(ways)))
        for number in order:
            started = time.process_time()
            found[number] = ways[number]()
            if turn >= 0:
                seconds[number].append(time.process_time() - started)
    return seconds, found


def rates(count: float, seconds: Sequence[float]) -> tuple[float, ...]:
    """Return how many of something were done in a second, for each repetition."""
    return tuple(count / each for each in seconds)


def require_close(kit: float, peer: float, most: float, what: str) -> str:
    """Return how far two numbers are apart, in words.

    Raises:
        AssertionError: they differ by more than `most`, so the ways do not do the same work.
    """
    apart = abs(kit - peer)
    assert apart <= most, f"{what}: kit {kit}, baseline {peer}"  # NaN fails, too
    return f"{what} {apart:.0e} apart"
