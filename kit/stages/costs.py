"""What each stage of a plan has cost so far, stored between calls."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypedDict

from kit.artifacts import cache_root, write_json
from kit.digests import sha256_value
from kit.plan.attacks import attack_jobs
from kit.plan.jobs import Plan
from kit.state_files import damaged, is_amount, is_count, read_object

STAGES = ("fetch", "finetune", "unlearn", "evaluate", "attack")


class Cost(TypedDict):
    """The stored cost of one stage, the sum of all calls that worked on it.

    `jobs` counts finished jobs, `jobs_skipped` those that the first call found done.
    """

    stage: str
    jobs: int
    jobs_skipped: int
    peak_memory_bytes: int | None
    seconds: float


class StageCost:
    """The cost of the current call; `write` adds it to what earlier calls have stored."""

    def __init__(self, plan: Plan, stage: str) -> None:
        self.jobs, self.jobs_skipped = 0, 0
        self.peak_memory_bytes: int | None = None
        self._plan, self._stage, self._started = plan, stage, time.monotonic()
        self._before = read_costs(plan).get(stage)

    def add_peak(self, peak_memory_bytes: int | None) -> None:
        """Note the peak memory of a process; the largest is kept. None: it is not known."""
        peaks = [peak for peak in (self.peak_memory_bytes, peak_memory_bytes) if peak]
        self.peak_memory_bytes = max(peaks, default=None)

    def write(self) -> None:
        """Store the cost so far, because a killed process cannot store it afterwards."""
        before, seconds = self._before, time.monotonic() - self._started
        if before:
            self.add_peak(before["peak_memory_bytes"])
        cost = Cost(
            stage=self._stage,
            jobs=self.jobs + (before["jobs"] if before else 0),
            jobs_skipped=before["jobs_skipped"] if before else self.jobs_skipped,
            peak_memory_bytes=self.peak_memory_bytes,
            seconds=round(seconds + (before["seconds"] if before else 0.0), 3),
        )
        write_json(costs_path(self._plan), {**read_costs(self._plan), self._stage: cost})


@contextmanager
def timed(plan: Plan, stage: str) -> Iterator[StageCost]:
    """Record the cost of a stage. A stage without any work leaves the record as it is.

    The cost of an interrupted and resumed stage is the sum of its parts. A killed call counts up to
    its last `write`.
    """
    cost = StageCost(plan, stage)
    try:
        yield cost
    except BaseException:  # an interrupted stage has a cost, too
        with suppress(OSError):  # the disk may be what failed
            cost.write()
        raise
    if cost.jobs:
        cost.write()


def costs_path(plan: Plan) -> Path:
    """Return the file of a plan's costs. Its name covers every digest: new code starts at zero."""
    digests = [job.artifact.digest for job in plan.jobs()]
    for system in plan.systems:
        digests += [made.digest for made in (system.answers, *system.scores.values())]
    digests += [job.answers.digest for job in attack_jobs(plan)]
    return cache_root() / "artifacts" / f"costs-{sha256_value(digests)[:16]}.json"


def read_costs(plan: Plan) -> dict[str, Cost]:
    """Return what each stage of this plan has cost so far, in the order of the stages.

    Raises:
        StorageError: the file is damaged.
    """
    path = costs_path(plan)
    if not path.is_file():
        return {}
    costs = read_object(path)
    found = {stage: costs[stage] for stage in STAGES if stage in costs}
    if odd := [stage for stage, cost in found.items() if not _is_cost(cost, stage)]:
        raise damaged(path, f"the cost of {odd[0]} is {found[odd[0]]!r:.80}")
    return found


def _is_cost(value: object, stage: str) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == Cost.__annotations__.keys()
        and value["stage"] == stage
        and is_count(value["jobs"])
        and is_count(value["jobs_skipped"])
        and is_amount(value["seconds"])
        and (value["peak_memory_bytes"] is None or is_count(value["peak_memory_bytes"]))
    )
