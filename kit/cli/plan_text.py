"""The plan as text: the jobs of each method, how many are done, and the remaining work."""

from collections.abc import Iterator, Sequence

from kit.cli.plan_estimate import render_estimates
from kit.cli.plan_tables import attack_table, method_table, reason_lines
from kit.experiment.manifest import Manifest, is_of_the_kit
from kit.experiment.updates import FULL
from kit.names import show
from kit.plan.attacks import AttackJob, attack_jobs
from kit.plan.jobs import Plan
from kit.plan.systems import SCORES
from kit.stages.costs import read_costs


def render(
    plan: Plan,
    missing: Sequence[str] = (),
    price: float | None = None,
    *,
    each: bool = False,
    why: bool = False,
) -> str:
    """Return one line per method and attack, the remaining work, the cost so far, memory and time.

    Args:
        missing: checksum lists that do not exist yet.
        price: of an hour, in any currency.
        each: one line for each job, system and attack on a system instead.
        why: say what changed for each remaining job.
    """
    manifest = plan.manifest
    lines = [show(manifest.title), f"result: {manifest.run_name}", ""]
    if missing:
        lists = ", ".join(map(show, dict.fromkeys(missing)))
        lines[2:] = [f"before the first run: `./run.sh lock` must write {lists}", ""]
    attacks = attack_jobs(plan)
    if each:
        lines += _every_job(plan, attacks)
    else:
        lines += [*method_table(plan), *attack_table(attacks)]
    if why:
        lines += reason_lines(plan)
    waiting = [job for job in plan.jobs() if not job.artifact.done]
    unanswered = [system for system in plan.systems if not system.answers.done]
    scored = [made.done for system in plan.systems for made in system.scores.values()]
    unscored = f", {scored.count(False)} to score" if scored else ""
    steps = sum(job.steps for job in waiting)
    lines += [
        "",
        f"to do: {_count(len(waiting), 'adapter')} to train "
        f"({_count(steps, 'optimisation step')}), {_count(len(unanswered), 'system')} to answer"
        f"{unscored}{_attacks_left(attacks)}",
    ]
    if not missing and (costs := read_costs(plan)):  # without its lists, nothing was made
        spent = ", ".join(f"{name} {cost['seconds']:.0f} s" for name, cost in costs.items())
        lines.append(f"spent so far: {spent}")
    return "\n".join([*lines, *_thumbnails(manifest), *render_estimates(plan, price)])


def _thumbnails(manifest: Manifest) -> Iterator[str]:
    """Say whether the result will hold pictures from outside, because they have a licence."""
    images = manifest.report.images
    outside = ", ".join(show(each.name) for each in manifest.sources if not is_of_the_kit(each))
    if outside and images:
        yield (
            f"pictures: because of report.images, the result will contain small copies of those of "
            f"{outside}; share it only if their licence allows it"
        )
    elif outside:
        yield (
            f"pictures: the result will contain none of {outside}; if their licence allows you to "
            "share them, report.images = true adds small copies"
        )


def _every_job(plan: Plan, attacks: Sequence[AttackJob]) -> Iterator[str]:
    for stage, jobs in (("finetune", plan.finetune), ("unlearn", plan.unlearn)):
        for job in jobs:
            size = f"{job.steps} steps of {job.settings.batch_size}"
            if job.steps:
                size += f", learning rate {job.settings.learning_rate:g}"
            if job.settings.update == FULL and job.steps:
                size += ", full update"
            if job.entry and job.entry.rank:
                size += f", rank {job.settings.rank}"
            method = job.entry.method if job.entry else "supervised"
            yield _line(job.artifact.done, stage, job.name, f"{method}, {size}", job.seed)
    for system in plan.systems:
        served = " + ".join(artifact.name for artifact in system.adapters)
        yield _line(system.answers.done, "evaluate", system.name, served, system.seed)
        for kind, made in system.scores.items():
            yield _line(made.done, "evaluate", system.name, SCORES[kind], system.seed)
    for attack in attacks:
        levels = ", ".join(f"{level:g}" for level in attack.entry.levels)
        what = f"{attack.entry.attack} at {levels}"
        yield _line(attack.answers.done, "attack", attack.answers.name, what, None)


def _attacks_left(attacks: Sequence[AttackJob]) -> str:
    left = [attack for attack in attacks if not attack.answers.done]
    relearn = sum(not job.artifact.done for attack in left for job in attack.relearned.values())
    trained = f" ({_count(relearn, 'adapter')} to relearn)" if relearn else ""
    return f", {_count(len(left), 'attack')} on systems{trained}" if attacks else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _line(done: bool, stage: str, name: str, what: str, seed: int | None) -> str:
    mark = "done" if done else "todo"
    return f"{mark}  {stage:<9} {name:<28} {what}" + (f", seed {seed}" if seed else "")
