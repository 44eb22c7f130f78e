"""What a run cost: by stage as recorded, and by method as the sum of its training jobs."""

from collections.abc import Mapping, Sequence
from typing import Any

from kit.result.run_file import System, entries, labels

Run = Mapping[str, Any]
TRAINING = ("finetune", "unlearn")


def stage_costs(run: Run) -> list[dict[str, object]]:
    """Return the stages in the order in which they ran."""
    return [
        {
            "stage": stage["stage"],
            "seconds": stage.get("seconds"),
            "peak_memory_bytes": stage.get("peak_memory_bytes"),
            "jobs": stage.get("jobs"),
            "jobs_skipped": stage.get("jobs_skipped"),
        }
        for stage in run.get("stages", [])
    ]


def method_costs(run: Run, systems: Sequence[System]) -> list[dict[str, object]]:
    """Return one line a method: the sum over its systems' training jobs, memory as the largest.

    A method without a job, such as a prompt, has None throughout. Where an interrupted job had to
    do steps again, `lost` says in words what those had taken besides.
    """
    jobs = {job["name"]: job for job in run.get("jobs", []) if job["stage"] in TRAINING}
    names = labels(systems)
    lines = []
    for entry, members in entries(systems).items():
        mine = [jobs[system["name"]] for system in members if system["name"] in jobs]
        lost = sorted(f"{job['name']}: {_lost(job['lost'])}" for job in mine if job.get("lost"))
        lines.append(
            {
                "entry": entry,
                "label": names[entry],
                "systems": len(members),
                "jobs": len(mine),
                "seconds": _total(mine, "seconds"),
                "steps": _total(mine, "steps"),
                "forward_passes": _total(mine, "forward_passes"),
                "peak_memory_bytes": max(_known(mine, "peak_memory_bytes"), default=None),
                "stopped": sorted(
                    f"{job['name']}: {job['stopped']}" for job in mine if job.get("stopped")
                ),
                **({"lost": lost} if lost else {}),
            }
        )
    return lines


def _lost(spent: Run) -> str:
    return (
        f"{spent['steps']:,} steps, {spent['forward_passes']:,} forward passes, "
        f"{spent['seconds']:.1f} s"
    )


def _known(jobs: Sequence[Run], key: str) -> list[float]:
    return [job[key] for job in jobs if job.get(key) is not None]


def _total(jobs: Sequence[Run], key: str) -> float | None:
    """Return the sum, or None where a job did not record it: a partial sum would mislead."""
    known = _known(jobs, key)
    return sum(known) if known and len(known) == len(jobs) else None
