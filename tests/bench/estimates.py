"""Estimates from earlier jobs, held against what later jobs of a finished run took.

    ./run.sh bench estimates [MANIFEST] [--share 0.5]

Takes a run that is finished in this cache, and computes nothing again. Of each kind of work, the
jobs that were finished first are history, and tell the time of the others as `plan` does
(`kit/stages/expected.py`). A training job states its own seconds; another job took the time since
the one before it. A job that a stop rule ended counts with the steps that it made: how early it
ends, no estimate says.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from kit.artifacts import PROJECT
from kit.errors import MissingStageError
from kit.experiment.manifest_file import load_manifest
from kit.names import show
from kit.plan.jobs import Plan, make_plan
from kit.stages.expected import rate
from kit.stages.history import JobTime, Stopwatch, finished
from kit.stages.pace import TRAIN, Piece, jobs_of

NEAR = 0.3  # an estimate is near if it is off by at most this share of the time
HEAD = (
    "| stage | jobs | history | estimated, in all | took | ratio | median error of a job | within "
    f"{NEAR:.0%} |",
    "|---|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True)
class Kind:
    """Jobs of one kind: those that are history, and (estimated, taken) seconds of the others."""

    name: str
    history: int
    seconds: tuple[tuple[float, float], ...]

    @property
    def errors(self) -> list[float]:
        """Return how far each estimate is off, as a share of what the job took."""
        return [abs(estimated - taken) / taken for estimated, taken in self.seconds]

    def row(self) -> str:
        """Return the line of the table."""
        estimated, taken = (sum(each) for each in zip(*self.seconds, strict=True))
        near = sum(error <= NEAR for error in self.errors) / len(self.errors)
        return (
            f"| {self.name} | {len(self.seconds)} | {self.history} | {estimated:.0f} s | "
            f"{taken:.0f} s | {estimated / taken:.2f} | {median(self.errors):.0%} | {near:.0%} |"
        )


def main() -> int:
    """Print the table; 12 where the run is not finished."""
    parser = argparse.ArgumentParser(prog="./run.sh bench estimates", description=__doc__)
    default = PROJECT / "manifests" / "smoke.toml"
    parser.add_argument("manifest", nargs="?", type=Path, default=default, metavar="MANIFEST")
    parser.add_argument("--share", type=float, default=0.5, help="of the jobs that are history")
    asked = parser.parse_args()
    plan = make_plan(load_manifest(asked.manifest))
    print("\n".join(HEAD))
    for kind in kinds(plan, asked.share):
        print(kind.row())
    return 0


def kinds(plan: Plan, share: float) -> Iterator[Kind]:
    """Yield each kind of work that has enough finished jobs.

    Args:
        share: of the jobs of each kind that are history.

    Raises:
        MissingStageError: no kind has two finished jobs.
    """
    found: dict[tuple[str, str], list[Piece]] = {}
    for piece in jobs_of(plan):
        if piece.done:
            found.setdefault((piece.stage, piece.kind), []).append(piece)
    enough = {name: own for name, own in found.items() if len(own) > 1}
    if not enough:
        raise MissingStageError(
            f"nothing of {show(plan.manifest.name)} is finished",
            remedy="run it first, in this cache: `./run.sh all MANIFEST`",
        )
    for (stage, kind), own in enough.items():
        taken = _taken(plan, own)
        first = max(1, round(share * len(taken)))
        lines = [each for _, each in taken[:first]]
        pairs = tuple(_pair(piece, each, lines) for piece, each in taken[first:])
        if pairs := tuple(pair for pair in pairs if pair[1] > 0):
            yield Kind(f"{stage}: {kind}", first, pairs)


def _taken(plan: Plan, pieces: Sequence[Piece]) -> list[tuple[Piece, JobTime]]:
    """Return what finished jobs of one kind took, oldest first; without what one alone cannot say.

    Of a kind that is not trained, the first job only begins the clock.
    """
    watch = Stopwatch(plan.manifest)
    watch.begin(min(map(finished, pieces)))
    taken = watch.times(pieces)
    return taken if pieces[0].kind == TRAIN else taken[1:]


def _pair(piece: Piece, taken: JobTime, lines: Sequence[JobTime]) -> tuple[float, float]:
    done = replace(piece, work=taken.work)  # a stop rule may have ended it
    return done.work * rate(done, lines), taken.seconds


if __name__ == "__main__":
    raise SystemExit(main())
