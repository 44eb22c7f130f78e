"""What each stage of a plan has cost so far, kept between calls."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from kit.artifacts import cache_root, write_json
from kit.digests import sha256_value
from kit.plan.jobs import Plan

STAGES = ("fetch", "finetune", "unlearn", "evaluate")


class StageCost:
    """What a stage has cost: `jobs` and the peak so far, added to what interrupted calls did."""

    def __init__(self, plan: Plan, stage: str) -> None:
        self.jobs, self.jobs_skipped = 0, 0
        self.peak_memory_bytes: int | None = None
        self._plan, self._stage, self._started = plan, stage, time.monotonic()
        self._before = read_costs(plan).get(stage)

    def keep(self) -> None:
        """Write it down: a call that is killed after this has no time to do so."""
        before = self._before or {"jobs": 0, "seconds": 0.0, "peak_memory_bytes": None}
        peaks = [p for p in (before["peak_memory_bytes"], self.peak_memory_bytes) if p]
        cost = {
            "stage": self._stage,
            "jobs": before["jobs"] + self.jobs,
            "jobs_skipped": before.get("jobs_skipped", self.jobs_skipped),
            "peak_memory_bytes": max(peaks, default=None),
            "seconds": round(before["seconds"] + time.monotonic() - self._started, 3),
        }
        write_json(costs_path(self._plan), {**read_costs(self._plan), self._stage: cost})


@contextmanager
def timed(plan: Plan, stage: str) -> Iterator[StageCost]:
    """Record what a stage cost; a stage that had nothing to do leaves the record alone.

    A stage that was interrupted and resumed cost the sum of its parts; one that was killed, what it
    had cost when it last wrote it down.
    """
    cost = StageCost(plan, stage)
    try:
        yield cost
    except BaseException:  # an interrupted stage has its cost, too
        with suppress(OSError):  # the disk may be what failed
            cost.keep()
        raise
    if cost.jobs:
        cost.keep()


def costs_path(plan: Plan) -> Any:
    """Where the costs of a plan's stages are kept between calls: other code has other costs."""
    digests = [job.artifact.digest for job in plan.jobs()]
    for system in plan.systems:
        digests += [made.digest for made in (system.answers, system.likelihoods) if made]
    return cache_root() / "artifacts" / f"costs-{sha256_value(digests)[:16]}.json"


def read_costs(plan: Plan) -> dict[str, dict[str, Any]]:
    """Return what each stage of this plan has cost so far, in the order of the stages."""
    path = costs_path(plan)
    if not path.is_file():
        return {}
    costs = json.loads(path.read_text(encoding="utf-8"))
    return {stage: costs[stage] for stage in STAGES if stage in costs}
