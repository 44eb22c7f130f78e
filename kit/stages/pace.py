"""The jobs that are left of a plan, and the time that they take at the pace of this run.

Of a kind of work that has no finished job yet, earlier runs may tell the time.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic

from kit.artifacts import Artifact
from kit.attacks.probe_head import ProbeHead
from kit.experiment.manifest import MethodSection
from kit.methods.passes import count_passes
from kit.methods.update import MEASURED
from kit.plan.arithmetic import asked_at_most, asked_under_attack
from kit.plan.attacks import STAGE as ATTACK
from kit.plan.attacks import AttackJob, attack_jobs
from kit.plan.jobs import Job, Plan

EVALUATE, TRAIN = "evaluate", "train"


@dataclass(frozen=True)
class Piece:
    """One job of a stage. Jobs of one kind take a time that grows with their `work`."""

    stage: str
    kind: str
    name: str
    work: float
    made: tuple[Artifact, ...]
    """What exists when the job is finished."""
    of: str = ""
    """File of the method that is trained."""
    steps: int = 0
    """Of training; a stop rule may end it earlier."""
    entry: MethodSection | None = None
    """Of the method that is trained: it may state settings that decide the time."""

    @property
    def done(self) -> bool:
        """Whether the job is finished."""
        return all(artifact.done for artifact in self.made)


Expected = Callable[[Sequence[Piece]], float | None]


def _unknown(_: Sequence[Piece]) -> None:
    return None


class Pace:
    """Counts finished jobs, and the seconds that each kind of work has taken.

    Args:
        expected: gives the seconds of jobs of one kind before one of them is finished, or None.
    """

    def __init__(self, pieces: Iterable[Piece], expected: Expected = _unknown) -> None:
        self._waiting = [piece for piece in pieces if not piece.done]
        self._expected = expected
        self._finished: list[Piece] = []
        self._spent: dict[str, float] = {}
        self._mark = monotonic()  # when a job was last finished, or the stage began

    def begin(self, now: float) -> None:
        """Note that a stage begins: what went on before belongs to none of its jobs."""
        self._mark = now

    def look(self, stage: str, now: float) -> list[Piece]:
        """Return the jobs of a stage that were finished since the last look."""
        new = [piece for piece in self._waiting if piece.stage == stage and piece.done]
        if new:
            for kind in {piece.kind for piece in new}:
                share = sum(piece.kind == kind for piece in new) / len(new)
                self._spent[kind] = self._spent.get(kind, 0.0) + share * (now - self._mark)
            self._mark = now
            self._finished += new
            self._waiting = [piece for piece in self._waiting if piece not in new]
        return new

    def counts(self, stage: str) -> tuple[int, int]:
        """Return how many jobs of a stage this run has finished, and how many it found to do."""
        done = sum(piece.stage == stage for piece in self._finished)
        return done, done + sum(piece.stage == stage for piece in self._waiting)

    def left(self, now: float) -> tuple[float, list[str]]:
        """Return the seconds that are left, and the stages of which they leave work out.

        A stage is left out as long as a kind of its work has no finished job and nothing is
        expected of it.
        """
        waiting: dict[tuple[str, str], list[Piece]] = {}
        for piece in self._waiting:
            waiting.setdefault((piece.stage, piece.kind), []).append(piece)
        seconds, unknown = 0.0, []
        for number, ((stage, kind), pieces) in enumerate(waiting.items()):
            if kind in self._spent:
                work = sum(piece.work for piece in pieces)
                known: float | None = work * self._spent[kind] / self._done(kind)
            else:
                known = self._expected(pieces)
            if known is None:
                unknown.append(stage)
                continue
            # The time since the last finished job is a part of the work that is next.
            seconds += max(0.0, known - (now - self._mark)) if number == 0 else known
        return seconds, list(dict.fromkeys(unknown))

    def _done(self, kind: str) -> float:
        return sum(piece.work for piece in self._finished if piece.kind == kind)


def jobs_of(plan: Plan) -> Iterator[Piece]:
    """Yield the jobs of all stages in the order in which they are done."""
    for job in plan.jobs():
        yield _trained(job)
    asked = {system.name: float(asked_at_most(plan, system)) for system in plan.systems}
    for system in plan.systems:
        made = (system.answers, system.agreement)
        yield Piece(EVALUATE, "answers", system.name, asked[system.name], made)
    for system in plan.systems:
        for kind, scored in system.scores.items():
            yield Piece(EVALUATE, kind, system.name, asked[system.name], (scored,))
    attacks = attack_jobs(plan)
    for attack in attacks:
        for relearned in attack.relearned.values():
            yield _trained(relearned)
        if attack.pictures is not None:
            work = _asked(plan, attack)
            yield Piece(ATTACK, "pictures", attack.pictures.name, work, (attack.pictures,))
    for attack in attacks:
        kind = "heads" if isinstance(attack.attack, ProbeHead) else "attacks"
        yield Piece(ATTACK, kind, attack.answers.name, _asked(plan, attack), (attack.answers,))


def _asked(plan: Plan, attack: AttackJob) -> float:
    """Return the questions of an attack; one where it asks none: no work would have no pace."""
    return float(max(1, asked_under_attack(plan, attack)))


def _trained(job: Job) -> Piece:
    """Return a training job; its work is passes of records. One without gradient counts half."""
    passes = count_passes(job.method)
    each = passes.all_with_gradient + passes.other / 2
    work = job.steps * job.settings.batch_size * each + MEASURED * passes.measured
    method = type(job.method).__module__.rpartition(".")[2]
    return Piece(
        job.stage, TRAIN, job.name, max(1.0, work), (job.artifact,), method, job.steps, job.entry
    )  # fmt: skip
