"""What a run would submit to a cluster: for `plan --executor ray`, which runs nothing."""

from collections.abc import Iterator

from kit.cluster.kinds import MEASURES
from kit.plan.attacks import attack_jobs
from kit.plan.jobs import Plan
from kit.plan.systems import SCORES, together


def submitted(plan: Plan, slots: int) -> Iterator[str]:
    """Yield one line for each stage with work to do.

    Args:
        slots: how many pieces of work run at the same time.
    """
    for stage, jobs in (("finetune", plan.finetune), ("unlearn", plan.unlearn)):
        waiting = [job for job in jobs if not job.artifact.done]
        if waiting:
            rounds = -(-len(waiting) // slots)
            longest = max(waiting, key=lambda job: job.steps * job.settings.batch_size)
            yield (
                f"  {stage}: {len(waiting)} interpreters, one adapter each, in {rounds} rounds; "
                f"the longest is {longest.name}"
            )
    unanswered = sum(not system.answers.done for system in plan.systems)
    if unanswered:
        size = together(plan.manifest.evaluation, unanswered, max(1, slots))
        groups = -(-unanswered // size)
        yield (
            f"  evaluate: {groups} groups of up to {size} systems, answered by "
            f"{min(groups, slots)} engines that are kept"
        )
    for kind in MEASURES.values():
        waiting_scores = sum(kind in s.scores and not s.scores[kind].done for s in plan.systems)
        if waiting_scores:
            shares = min(waiting_scores, slots)
            what = f"{waiting_scores} systems to score ({SCORES[kind]})"
            yield f"  evaluate: {what} in {shares} shares"
    attacks = [job for job in attack_jobs(plan) if not job.answers.done]
    if attacks:
        relearned = [e for j in attacks for e in j.relearned.values() if not e.artifact.done]
        if relearned:
            yield f"  attack: {len(relearned)} adapters that relearn, one interpreter each"
        drawn = {j.system.name for j in attacks if j.pictures is not None and not j.pictures.done}
        if drawn:
            yield f"  attack: pictures of {len(drawn)} systems in {min(len(drawn), slots)} shares"
        attacked = len({job.system.name for job in attacks})
        yield f"  attack: {len(attacks)} attacks in up to {min(attacked, slots)} shares"
