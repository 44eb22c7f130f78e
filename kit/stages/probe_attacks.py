"""The attacks of a probe: one that relearns and one on pixels, on the systems of the probe.

What other attacks ask takes the time of an answer, so none of them is run.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from kit.attacks.pixels import PixelAttack
from kit.attacks.probe_head import PROBED, ProbeHead
from kit.attacks.relearning import Relearning
from kit.experiment.attack import AttackEntry, AttackSection
from kit.experiment.manifest import Manifest
from kit.plan.attack_names import require_attacks
from kit.plan.attacks import STAGE, attack_jobs
from kit.plan.estimate import longest_share, rounds_of
from kit.plan.jobs import Plan
from kit.plan.rates import AttackRates, Rates
from kit.stages.attack import attack
from kit.stages.costs import read_costs
from kit.stages.work import Work
from kit.stages.workers import isolated

PIXEL_STEPS = 2
# Options of attacks that take no time. Few steps need not go with them; without them, `plan` takes
# the few steps of the probe.
NO_TIME = ("warmup_steps", "step_size")


def shrunk_attacks(manifest: Manifest, steps: int, records: int) -> AttackSection | None:
    """Return the section of a probe's attacks; None where none needs a gradient.

    Args:
        steps: of relearning.
        records: that an attack asks at most.
    """
    entries = tuple(_shrunk_entries(manifest, steps))
    if manifest.attack is None or not entries:
        return None
    changed = {"methods": (), "targets": (), "max_records": records, "entries": entries}
    return manifest.attack.model_copy(update=changed)


def _shrunk_entries(manifest: Manifest, steps: int) -> Iterator[AttackEntry]:
    """Yield the first attack that relearns and the first on pixels, with few steps of one level.

    Relearning takes all records of its pool: where a share is relearned, few are left to ask.
    """
    built = require_attacks(manifest)
    entries = manifest.attack.entries if manifest.attack is not None else ()
    for kind, fewer in ((Relearning, steps), (PixelAttack, PIXEL_STEPS)):
        for entry in entries:
            if isinstance(built[entry.name], kind):
                attack = built[entry.name]
                level = attack.most if kind is Relearning else attack.least
                kept = {name: v for name, v in entry.options.items() if name not in NO_TIME}
                options = {**kept, "steps": fewer}
                yield entry.model_copy(update={"levels": (level,), "options": options})
                break


def with_attacks(
    rates: Rates, answer: float, small: Plan, questions: Mapping[str, int], work: Work
) -> Rates:
    """Run the probe's attacks, if it has any, and return the rates with those of attacks.

    Args:
        rates: of the stages before.
        answer: seconds of an answer without likelihoods, all engines together.
        questions: name of an attack's answers -> questions that the whole plan asks.
    """
    jobs = attack_jobs(small)
    if not jobs:  # starting the engine takes as long as it does to evaluate
        made = AttackRates(rates.start["evaluate"], 0.0, answer, dict(questions))
        passes = {**rates.passes, STAGE: rates.passes["unlearn"]}
        return replace(rates, passes=passes, attack=made)
    attack(small, work)
    asked = count_attacked(small)
    workers = small.manifest.compute.workers
    relearned = [each for job in jobs for each in job.relearned.values()]
    trained = [each.artifact.job()["seconds"] for each in relearned]
    drawn = sum(each.steps * each.settings.batch_size for each in relearned)
    optimised = [job for job in jobs if job.pictures is not None]
    pictures = [job.pictures.job()["seconds"] for job in optimised if job.pictures is not None]
    gradients = PIXEL_STEPS * sum(asked[job.answers.name] for job in optimised)
    served = {job.served(level).name for job in jobs for level in job.entry.levels}
    busy = longest_share(trained, workers) + longest_share(pictures, workers)
    busy += rounds_of(len(served), small.manifest) * rates.round + sum(asked.values()) * answer
    made = AttackRates(
        start=max(0.0, read_costs(small)[STAGE]["seconds"] - busy),
        gradient=sum(pictures) / gradients if gradients else 0.0,
        answer=answer,
        questions=dict(questions),
    )
    relearn = sum(trained) / drawn if drawn else rates.passes["unlearn"]
    return replace(rates, passes={**rates.passes, STAGE: relearn}, attack=made)


def count_attacked(plan: Plan) -> dict[str, int]:
    """Return how many questions each attack of a plan asks at all levels, by its answers' name."""
    return isolated(count_asked, plan) if plan.manifest.attack is not None else {}


def count_asked(plan: Plan) -> dict[str, int]:
    """As `count_attacked`, in this process."""
    from kit.attacks import Around
    from kit.benchmarks import load
    from kit.evaluation.asking import asked_records_of
    from kit.sources.datasets import places

    benchmark = load(plan.manifest, places(plan.manifest))
    found = {}
    for job in attack_jobs(plan):
        around = Around(benchmark, job.target, job.entry.name)
        asked = [len(asked_records_of(job, plan, benchmark, level)) for level in job.entry.levels]
        if isinstance(job.attack, ProbeHead):
            shown = sum(len(job.attack.trained(concept, around)) for concept in PROBED)
            asked = [each + shown for each in asked]
        found[job.answers.name] = sum(asked)
    return found
