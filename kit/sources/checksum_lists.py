"""Which checksum list vouches for a source: the committed one, or one made on this machine.

A source without a committed list is used only if the user allows it. Its list is then made from
the bytes that arrived, and every result made from them says so.
"""

from pathlib import Path

from kit.artifacts import PROJECT, cache_root, project_path, restored
from kit.digests import sha256_file, sha256_value
from kit.errors import ManifestError
from kit.experiment.manifest import SourceSection


def is_locked(source: SourceSection) -> bool:
    """Return whether the source has a committed list."""
    return project_path(source.checksums).is_file()


def has_list(source: SourceSection) -> bool:
    """Return whether a list vouches for the source, committed or of its first fetch."""
    return is_locked(source) or (
        bool(source.repo or source.mirrors) and local_list(source).is_file()
    )


def local_list(source: SourceSection) -> Path:
    """Return the path of an unlocked source's list, which its first fetch writes."""
    return cache_root() / "data" / f"{unlocked_name(source)}.sha256"


def unlocked_name(source: SourceSection) -> str:
    """Return the folder name of an unlocked source: it depends on the request, not on the bytes."""
    request = source.model_dump(include={"repo", "repo_type", "revision", "files", "mirrors"})
    return f"{Path(source.checksums).stem}-unlocked-{sha256_value(request)[:16]}"


def list_of(source: SourceSection) -> Path:
    """Return the list that vouches for a source.

    Raises:
        ManifestError: there is none, committed or local.
    """
    if has_list(source):
        return project_path(source.checksums) if is_locked(source) else local_list(source)
    remedy = f"{restored(project_path(source.checksums))}: the kit uses no unverified bytes"
    if source.folder and not project_path(source.folder).is_relative_to(PROJECT / "kit"):
        remedy = "run `./run.sh lock MANIFEST`: it lists the files of the folder that are read"
    elif source.repo or source.mirrors:
        remedy = (
            "run `./run.sh lock MANIFEST` on a machine that reaches the hub; to run without a "
            "list: `./run.sh fetch MANIFEST --allow-unlocked` (the result will say so)"
        )
    raise ManifestError(
        f"checksum list {source.checksums} does not exist",
        expected=f"the SHA-256 of every file of source '{source.name}'",
        found="no such file",
        remedy=remedy,
    )


def list_digest(source: SourceSection) -> str:
    """Return the digest of a source's checksum list, and so of every byte of the source.

    Raises:
        ManifestError: the list does not exist.
    """
    return sha256_file(list_of(source))
