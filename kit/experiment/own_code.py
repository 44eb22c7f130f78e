"""Which files of code outside of the kit may run: those that a manifest of this call names.

A result states path and digest of its metric's file, so it can name any file that came with it. Its
word is not enough to run that file. A manifest that is named in the call is trusted.
"""

from pathlib import Path

from kit.artifacts import project_path
from kit.digests import sha256_file
from kit.experiment.manifest import Manifest

# Digests, for this process only: every call names the manifest that it trusts.
_ADMITTED: set[str] = set()


def admit(path: Path) -> None:
    """Let a file run that a manifest of this call names."""
    _ADMITTED.add(sha256_file(path))


def admit_files_of(manifest: Manifest) -> None:
    """Let the file of code run that a manifest names, if it names one that is there."""
    if file := manifest.evaluation.metric_file:
        path = project_path(file)
        if path.is_file():
            admit(path)


def is_admitted(digest: str) -> bool:
    """Say whether a manifest of this call names a file with this SHA-256."""
    return digest in _ADMITTED
