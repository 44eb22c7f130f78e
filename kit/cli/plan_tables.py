"""The jobs of a plan as two tables: one row for each method, and one for each attack."""

from collections.abc import Iterable, Iterator, Sequence

from kit.experiment.grid import attempts_of, is_tuning
from kit.experiment.own_settings import own_budget
from kit.experiment.systems import RETAIN_ONLY, VANILLA
from kit.names import show
from kit.plan.attacks import AttackJob
from kit.plan.jobs import Job, Plan
from kit.plan.reasons import reasons
from kit.plan.systems import System
from kit.result.run_file import entry_of

HEAD = ("method", "file", "forgets", "steps", "learning rate", "trained", "answered", "scored")
ATTACK_HEAD = ("attack", "file", "levels", "targets", "systems attacked")
NONE = "-"
SHOWN = 4  # names of jobs with one reason


def method_table(plan: Plan) -> Iterator[str]:
    """Yield a table of all adapters and systems: the work of each method, and how much is done.

    A row begins with `done` if nothing is left to do, and with `todo` otherwise.
    """
    rows_of = _rows_of(plan)
    jobs: dict[str, list[Job]] = {}
    for job in plan.jobs():
        jobs.setdefault(rows_of[_entry(job)], []).append(job)
    systems: dict[str, list[System]] = {}
    for system in plan.systems:
        systems.setdefault(rows_of[entry_of(vars(system))], []).append(system)
    names = dict.fromkeys(rows_of.values())
    rows = [_row(name, jobs.get(name, []), systems[name]) for name in names if name in systems]
    yield from _aligned(HEAD, rows)
    manifest = plan.manifest
    batches = f"{manifest.finetune.batch_size} and {manifest.unlearn.batch_size}"
    seeds = ", ".join(map(str, manifest.seeds))
    yield f"batch size in fine-tuning and in unlearning: {batches}; seeds: {seeds}"
    shared = manifest.unlearn.model_dump()
    for entry in manifest.methods:
        if budget := [*own_budget(shared, entry.model_dump())]:
            yield f"budget differs from that of other methods: {entry.name}, {', '.join(budget)}"


def attack_table(attacks: Sequence[AttackJob]) -> Iterator[str]:
    """Yield a table of all attacks, or nothing where there are none."""
    if not attacks:
        return
    entries: dict[str, list[AttackJob]] = {}
    for attack in attacks:
        entries.setdefault(attack.entry.name, []).append(attack)
    rows = []
    for name, each in entries.items():
        entry, targets = each[0].entry, dict.fromkeys(job.target for job in each)
        levels = ", ".join(f"{level:g}" for level in entry.levels)
        done, count = _count(job.answers.done for job in each)
        rows.append((done, (name, entry.attack, levels, ", ".join(targets), count)))
    yield ""
    yield from _aligned(ATTACK_HEAD, rows)


def reason_lines(plan: Plan) -> Iterator[str]:
    """Yield the reason why each remaining job must run, grouped by reason."""
    yield ""
    found = reasons(plan)
    yield "why:" if found else "why: nothing is left to do"
    for reason, artifacts in found.items():
        stages: dict[str, list[str]] = {}
        for artifact in artifacts:
            stages.setdefault(artifact.stage, []).append(artifact.name)
        for stage, names in stages.items():
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            yield f"  {stage}: {', '.join(names[:SHOWN])}{more}"
        yield f"    {show(reason)}"


def _rows_of(plan: Plan) -> dict[str, str]:
    """Return entry -> name of its row. The attempts of a tuned method share one."""
    manifest = plan.manifest
    rows = {name: name for name in (VANILLA, RETAIN_ONLY, *(e.name for e in manifest.methods))}
    if manifest.tune is not None and is_tuning(manifest):
        rows |= {attempt.name: attempt.entry for attempt in attempts_of(manifest.tune)}
    return rows


def _entry(job: Job) -> str:
    if job.entry is not None:
        return job.entry.name
    return VANILLA if job.target is None and job.name == VANILLA else RETAIN_ONLY


def _row(name: str, jobs: Sequence[Job], systems: Sequence[System]) -> tuple[bool, tuple[str, ...]]:
    trained = _count(job.artifact.done for job in jobs)
    answered = _count(system.answers.done for system in systems)
    scored = _count(made.done for system in systems for made in system.scores.values())
    steps = ", ".join(dict.fromkeys(str(job.steps) for job in jobs)) or NONE
    rates = dict.fromkeys(f"{job.settings.learning_rate:g}" for job in jobs if job.steps)
    targets = dict.fromkeys(system.target for system in systems if system.target)
    method = systems[0].method if name not in (VANILLA, RETAIN_ONLY) else "supervised"
    counts = (trained[1], answered[1], scored[1])
    cells = (name, method, ", ".join(targets) or NONE, steps, ", ".join(rates) or NONE, *counts)
    return trained[0] and answered[0] and scored[0], cells


def _count(each: Iterable[bool]) -> tuple[bool, str]:
    """Return whether all is done, and how much of it, in words."""
    found = list(each)
    return all(found), f"{sum(found)} of {len(found)}" if found else NONE


def _aligned(head: tuple[str, ...], rows: Sequence[tuple[bool, tuple[str, ...]]]) -> Iterator[str]:
    lines = [("", head), *(("done" if done else "todo", cells) for done, cells in rows)]
    widths = [max(len(cells[place]) for _, cells in lines) for place in range(len(head))]
    for mark, cells in lines:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield f"{mark:<4}  {'  '.join(padded)}".rstrip()
