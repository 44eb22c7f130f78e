"""Which checksum list vouches for a source: the committed one, or one made on this machine.

A source without a committed list runs only if the user allows it; its list is then made of the
bytes that arrived, and everything that is made of them says so.
"""

from pathlib import Path

from kit.artifacts import cache_root, project_path
from kit.digests import sha256_file, sha256_value
from kit.errors import ManifestError
from kit.experiment.manifest import SourceSection


def is_locked(source: SourceSection) -> bool:
    """Say whether the source has a committed list."""
    return project_path(source.checksums).is_file()


def local_list(source: SourceSection) -> Path:
    """Return where the list of an unlocked source lies once it is fetched."""
    return cache_root() / "data" / f"{unlocked_name(source)}.sha256"


def unlocked_name(source: SourceSection) -> str:
    """Return the folder name of an unlocked source: what is asked for names it, not its bytes."""
    asked = source.model_dump(include={"repo", "repo_type", "revision", "files", "mirrors"})
    return f"{Path(source.checksums).stem}-unlocked-{sha256_value(asked)[:16]}"


def list_of(source: SourceSection) -> Path:
    """Return the list that vouches for a source.

    Raises:
        ManifestError: there is none, committed or local.
    """
    committed, local = project_path(source.checksums), local_list(source)
    if committed.is_file():
        return committed
    if local.is_file() and (source.repo or source.mirrors):
        return local
    remedy = "restore it from the repository; nothing runs on unverified bytes"
    if source.repo or source.mirrors:
        remedy = (
            "`./run.sh lock MANIFEST` makes it where the hub is reachable; to run without it: "
            "`./run.sh fetch MANIFEST --allow-unlocked` (the result will say so)"
        )
    raise ManifestError(f"checksum list {source.checksums} does not exist", remedy=remedy)


def list_digest(source: SourceSection) -> str:
    """Return the digest of a source's checksum list, which stands for every byte that it names.

    Raises:
        ManifestError: the list does not exist.
    """
    return sha256_file(list_of(source))
