"""The time of work that is left, from what earlier jobs took on this machine.

A unit of work takes what the newest jobs of its kind took for one, those of the same method first.
A kind of work takes its start as well: loading, checks, an engine. Jobs count only where base,
device, workers and settings of the same names decide their time (`kit.stages.history.Keys`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kit.experiment.manifest import Manifest, MethodSection
from kit.plan.estimate import longest_share
from kit.plan.jobs import Plan
from kit.stages.history import History, JobTime, Keys, read_history
from kit.stages.pace import TRAIN, Piece, jobs_of

NEWEST = {"method": 5, "kind": 40, "start": 5}  # jobs that an estimate is made from


@dataclass(frozen=True)
class Forecast:
    """What is known of the time that is left."""

    seconds: dict[str, float]
    """Of each stage with work left of which something is known."""
    unknown: tuple[tuple[str, str], ...]
    """(stage, kind) of work that is left of which nothing is known."""
    jobs: int
    """Earlier jobs of this kind of work, all together."""
    device: str
    fault: str
    """What of the history could not be read, as a sentence."""


class Expectations:
    """Seconds of work, from lines of the history."""

    def __init__(self, manifest: Manifest, history: History) -> None:
        self._keys, self._workers = Keys(manifest), manifest.compute.workers
        self._lines: dict[str, list[JobTime]] = {}
        for line in history.lines:
            self._lines.setdefault(line.key, []).append(line)

    @property
    def device(self) -> str:
        """Return the device that the keys name."""
        return self._keys.device

    def like(self, stage: str, kind: str, entry: MethodSection | None = None) -> list[JobTime]:
        """Return the earlier jobs of one kind of work, oldest first.

        Args:
            entry: of a method, where only jobs with its own settings count.
        """
        known = self._lines.get(self._keys.of(stage, kind, entry), ())
        return [line for line in known if (line.stage, line.kind) == (stage, kind)]

    def seconds(self, pieces: Sequence[Piece]) -> float | None:
        """Return the time of jobs of one stage and kind, by all workers; None: nothing is known."""
        stage, kind = pieces[0].stage, pieces[0].kind
        lines = self.like(stage, kind)
        if not lines:
            return None
        each = [
            piece.work * rate(piece, self.like(stage, kind, piece.entry) or lines)
            for piece in pieces
        ]
        busy = longest_share(each, self._workers) if kind == TRAIN else sum(each)
        return _start(pieces[0], lines) + busy


def forecast(plan: Plan) -> Forecast:
    """Return the time of what is left of a plan, as far as earlier jobs tell it."""
    history = read_history()
    expected = Expectations(plan.manifest, history)
    waiting: dict[tuple[str, str], list[Piece]] = {}
    for piece in jobs_of(plan):
        if not piece.done:
            waiting.setdefault((piece.stage, piece.kind), []).append(piece)
    seconds: dict[str, float] = {}
    unknown = []
    for (stage, kind), pieces in waiting.items():
        known = expected.seconds(pieces)
        if known is None:
            unknown.append((stage, kind))
        else:
            seconds[stage] = seconds.get(stage, 0.0) + known
    jobs = sum(len(expected.like(*each)) for each in waiting)
    return Forecast(seconds, tuple(unknown), jobs, expected.device, history.fault)


def rate(piece: Piece, lines: Sequence[JobTime]) -> float:
    """Return the seconds of a unit of work."""
    counted = [line for line in lines if line.kind == TRAIN or line.start is None]
    own = [line for line in counted if line.of == piece.of][-NEWEST["method"] :]
    newest = own if piece.of and own else counted[-NEWEST["kind"] :]
    if not newest:  # one job of a call alone: its start cannot be told apart
        return sum(line.start or 0.0 for line in lines) / sum(line.work for line in lines)
    return sum(line.seconds for line in newest) / sum(line.work for line in newest)


def _start(piece: Piece, lines: Sequence[JobTime]) -> float:
    """Return the seconds before the first job's own work, mean of the newest calls."""
    begun = [line for line in lines if line.start is not None][-NEWEST["start"] :]
    if not begun:
        return 0.0
    own = 0.0 if piece.kind == TRAIN else rate(piece, lines)
    return sum(max(0.0, (line.start or 0.0) - own * line.work) for line in begun) / len(begun)
