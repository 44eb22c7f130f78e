"""The jobs that are left of a plan, and the time that they take at the pace of this run."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import monotonic

from kit.artifacts import Artifact
from kit.attacks.probe_head import ProbeHead
from kit.methods.passes import count_passes
from kit.plan.attacks import STAGE as ATTACK
from kit.plan.attacks import attack_jobs
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

    @property
    def done(self) -> bool:
        """Whether the job is finished."""
        return all(artifact.done for artifact in self.made)


class Pace:
    """Counts finished jobs, and the seconds that each kind of work has taken."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._waiting = [piece for piece in pieces if not piece.done]
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

        A stage is left out as long as a kind of its work has no finished job.
        """
        work: dict[tuple[str, str], float] = {}
        for piece in self._waiting:
            key = (piece.stage, piece.kind)
            work[key] = work.get(key, 0.0) + piece.work
        seconds, unknown = 0.0, []
        for number, ((stage, kind), each) in enumerate(work.items()):
            if kind not in self._spent:
                unknown.append(stage)
                continue
            known = each * self._spent[kind] / self._done(kind)
            # The time since the last finished job is a part of the work that is next.
            seconds += max(0.0, known - (now - self._mark)) if number == 0 else known
        return seconds, list(dict.fromkeys(unknown))

    def _done(self, kind: str) -> float:
        return sum(piece.work for piece in self._finished if piece.kind == kind)


def jobs_of(plan: Plan) -> Iterator[Piece]:
    """Yield the jobs of all stages in the order in which they are done."""
    for job in plan.jobs():
        yield _trained(job)
    for system in plan.systems:
        made = (system.answers, system.agreement)
        yield Piece(EVALUATE, "answers", system.name, 1.0, made)
    for system in plan.systems:
        for kind, scored in system.scores.items():
            yield Piece(EVALUATE, kind, system.name, 1.0, (scored,))
    attacks = attack_jobs(plan)
    for attack in attacks:
        for relearned in attack.relearned.values():
            yield _trained(relearned)
        if attack.pictures is not None:
            yield Piece(ATTACK, "pictures", attack.pictures.name, 1.0, (attack.pictures,))
    for attack in attacks:
        kind = "heads" if isinstance(attack.attack, ProbeHead) else "attacks"
        yield Piece(ATTACK, kind, attack.answers.name, 1.0, (attack.answers,))


def _trained(job: Job) -> Piece:
    """Return a training job; its work is passes of records. One without gradient counts half."""
    passes = count_passes(job.method)
    each = passes.all_with_gradient + passes.other / 2
    work = max(1, job.steps) * job.settings.batch_size * each
    return Piece(job.stage, TRAIN, job.name, work, (job.artifact,))
