"""The jobs whose adapters a result holds."""

from collections.abc import Iterator

from kit.experiment.kept_adapters import Trained, kept_adapters
from kit.plan.jobs import Job, Plan


def kept_jobs(plan: Plan) -> Iterator[Job]:
    """Yield the jobs whose adapters the result holds."""
    manifest = plan.manifest
    trained = (
        Trained(job.name, job.target, job.seed, job.entry.name if job.entry else None)
        for job in plan.jobs()
    )
    kept = set(kept_adapters(trained, manifest.claims, manifest.seeds[0], manifest.report.adapters))
    yield from (job for job in plan.jobs() if job.name in kept)
