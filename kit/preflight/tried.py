"""Which methods were tried, by the digest of what decides the answer: none is tried twice."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from kit.artifacts import cache_root
from kit.methods import Method
from kit.plan.digests import trial_digest
from kit.plan.jobs import Job, Plan

MODULE = "kit.preflight.methods"


def untried(plan: Plan) -> list[Job]:
    """Return one job for each method that is still to be trained and was not tried."""
    found: dict[Path, Job] = {}
    for job in plan.unlearn:
        path = path_of(job.method)
        if not job.artifact.done and not path.is_file():
            found.setdefault(path, job)
    return list(found.values())


def path_of(method: Method) -> Path:
    """Return the file that keeps what the trial of a method has found."""
    options: Any = method  # a dataclass, which the protocol does not say
    digest = trial_digest(method, asdict(options), MODULE)
    return cache_root() / "artifacts" / f"checked-method-{digest[:16]}.json"
