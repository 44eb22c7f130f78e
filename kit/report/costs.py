"""What a run cost: per stage as recorded, and per method as the sum of its training jobs."""

from collections.abc import Iterable, Sequence
from typing import NotRequired, TypedDict, TypeVar

from kit.report.access import access_of
from kit.report.run_types import Job, Lost, Run, Stage
from kit.result.run_file import System, entries, labels
from kit.sums import add_up

Number = TypeVar("Number", int, float)

TRAINING_STAGES = ("finetune", "unlearn")


class MethodCosts(TypedDict):
    """The costs of one method: seconds, steps, records passed forward, bytes of GPU memory.

    `access` is what the method may change (`kit.report.access`); reports of schema 1 lack it. A
    cost is None where a job did not record it. `stopped` lists the jobs that ended before their
    last step, `lost` what interrupted jobs had to repeat.
    """

    entry: str
    label: str
    systems: int
    jobs: int
    seconds: float | None
    steps: int | None
    forward_passes: int | None
    peak_memory_bytes: int | None
    access: NotRequired[str]
    stopped: list[str]
    lost: NotRequired[list[str]]


def stage_costs(run: Run) -> list[Stage]:
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


def method_costs(run: Run, systems: Sequence[System], *, access: bool) -> list[MethodCosts]:
    """Return one line per method: sums over the training jobs of its systems, the largest memory.

    A method without a training job, such as a prompt, has only None. `access`: say what each
    method may change.
    """
    jobs = {job["name"]: job for job in run.get("jobs", []) if job["stage"] in TRAINING_STAGES}
    names = labels(systems)
    lines = []
    for entry, members in entries(systems).items():
        own = [jobs[system["name"]] for system in members if system["name"] in jobs]
        memory = [job.get("peak_memory_bytes") for job in own]
        line = MethodCosts(
            entry=entry,
            label=names[entry],
            systems=len(members),
            jobs=len(own),
            seconds=_total(job.get("seconds") for job in own),
            steps=_total(job.get("steps") for job in own),
            forward_passes=_total(job.get("forward_passes") for job in own),
            peak_memory_bytes=max((size for size in memory if size is not None), default=None),
            stopped=sorted(f"{job['name']}: {job['stopped']}" for job in own if job.get("stopped")),
        )
        if access:
            line["access"] = access_of(members[0]["method"])
        if lost := _lost(own):
            line["lost"] = lost
        lines.append(line)
    return lines


def _lost(jobs: Iterable[Job]) -> list[str]:
    spent = ((job["name"], job.get("lost")) for job in jobs)
    return sorted(f"{name}: {_lost_text(lost)}" for name, lost in spent if lost)


def _lost_text(lost: Lost) -> str:
    return (
        f"{lost['steps']:,} steps, {lost['forward_passes']:,} forward passes, "
        f"{lost['seconds']:.1f} s"
    )


def _total(values: Iterable[Number | None]) -> Number | None:
    """Return the sum, or None where a value is missing: a partial sum would mislead."""
    listed = list(values)
    known = [value for value in listed if value is not None]
    return add_up(known) if known and len(known) == len(listed) else None
