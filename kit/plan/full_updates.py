"""The full updates of a plan: how many there are, and how large each is on disk."""

from collections.abc import Iterable
from dataclasses import dataclass

from kit.experiment.updates import FULL
from kit.plan.attacks import attack_jobs
from kit.plan.jobs import Job, Plan
from kit.plan.kept_jobs import kept_jobs
from kit.plan.memory import VALUE_BYTES
from kit.plan.sizes import BaseSizes

CHECKPOINT_BYTES = 3 * VALUE_BYTES  # of a weight: its value and AdamW's two means
IN_TURN = 2  # checkpoints on disk while one takes the place of the one before


@dataclass(frozen=True)
class FullUpdates:
    """How many full updates a plan trains, and how many of them its result keeps."""

    trained: int
    kept: int


def full_updates(plan: Plan) -> FullUpdates:
    """Return how many full updates a plan has; attacks that relearn train some, too."""
    relearned = [job for attack in attack_jobs(plan) for job in attack.relearned.values()]
    return FullUpdates(len(_full([*plan.jobs(), *relearned])), len(_full(kept_jobs(plan))))


def update_bytes(sizes: BaseSizes) -> int:
    """Return the bytes of one full update on disk."""
    return VALUE_BYTES * sizes.lora_weights


def space_of(jobs: Iterable[Job], sizes: BaseSizes, workers: int) -> int:
    """Return the bytes that the full updates among some jobs need in the cache.

    Args:
        workers: that train at the same time; each may have a checkpoint.
    """
    full = _full(jobs)
    kept = any(job.settings.checkpoint_every for job in full)
    checkpoints = min(workers, len(full)) * IN_TURN * CHECKPOINT_BYTES if kept else 0
    return len(full) * update_bytes(sizes) + checkpoints * sizes.lora_weights


def _full(jobs: Iterable[Job]) -> list[Job]:
    return [
        job for job in jobs if job.settings.update == FULL and not job.method.needs.training_free
    ]
