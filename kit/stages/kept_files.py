"""The files of the adapters that a result keeps, and whether a result can hold them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from kit.errors import StorageError
from kit.plan.jobs import Plan
from kit.plan.kept_jobs import kept_jobs
from kit.result.artifact_files import files_of
from kit.result.tree import MAX_TREE_BYTES

Kept = Mapping[str, Sequence[Path]]
"""Name of an adapter -> its files in the cache."""


def kept_files(plan: Plan) -> Kept:
    """Return the files of every adapter that the result of a plan keeps."""
    return {
        job.name: [
            job.artifact.path / name
            for name in files_of(job.entry.method if job.entry else None, job.settings.update)
        ]
        for job in kept_jobs(plan)
    }


def bytes_of(kept: Kept) -> int:
    """Return the bytes of all these files.

    Raises:
        StorageError: no result with so many bytes can be signed.
    """
    found = sum(path.stat().st_size for files in kept.values() for path in files)
    if found > MAX_TREE_BYTES:
        raise StorageError(
            f"the {len(kept)} adapters are too large for a result",
            expected=f"{MAX_TREE_BYTES / 1e9:.0f} GB in all: more is neither signed nor verified",
            found=f"{found / 1e9:.0f} GB",
            remedy='set report.adapters = "claimed" or "none", and run `./run.sh report` again: '
            "nothing is trained again",
        )
    return found
