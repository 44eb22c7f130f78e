"""Checksum lists: write them from downloaded and hashed files, or check them against the hub."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from kit import names
from kit.artifacts import project_path, write_bytes
from kit.digests import format_checksums, git_blob, hash_files, read_checksums
from kit.errors import ChecksumError, ManifestError, unknown
from kit.experiment.manifest import Manifest, SourceSection
from kit.fetch.hub import HubFile, head_revision, hub_files
from kit.fetch.licences import require_accepted
from kit.fetch.settings import DEFAULT, Settings
from kit.fetch.sources import fetch_unlisted
from kit.sources.places import locking_folder, place

Say = Callable[[str], None]


def lockable(manifest: Manifest, only: str | None) -> list[SourceSection]:
    """Return the sources from the hub or mirrors, or only the one named `only`.

    Raises:
        ManifestError: there is no such source, or the kit draws it, or it is a local folder.
    """
    remote = {s.name: s for s in manifest.all_sources() if s.repo or s.mirrors}
    if not remote:
        raise ManifestError(
            "no source to lock",
            expected="a source with repo or mirrors",
            remedy="nothing to do: embedded sources and local folders have their lists already",
        )
    if only is None:
        return list(remote.values())
    if only not in remote:
        what = f"no source '{only}' to lock"
        raise unknown(what, only, remote, remedy="choose one of these sources")
    return [remote[only]]


def lock(manifest: Manifest, settings: Settings, say: Say, *, only: str | None = None) -> None:
    """Download and hash every file of the sources and write their checksum lists.

    Where the hub states a digest, the bytes must have it, or nothing is written. For a source
    without a revision the hub's head is locked, and `say` gets the line for the manifest.

    Raises:
        LicenceError: a licence was not accepted.
        ManifestError, DataError, ChecksumError, AccessError, TransferError, StorageError: files
            cannot be downloaded (see `kit.fetch.sources.fetch_unlisted`).
    """
    sources = lockable(manifest, only)
    require_accepted(sources, settings)
    for source in sources:
        folder = locking_folder(source)
        report = fetch_unlisted(source, folder, settings)
        target = project_path(source.checksums)
        write_bytes(target, format_checksums(report.digests).encode())
        # Move the files to where a fetch expects them; this replaces the copy of an earlier lock.
        shutil.rmtree(place(source).path, ignore_errors=True)
        os.replace(folder, place(source).path)
        say(f"lock: {source.name}: {len(report.digests)} files listed in {source.checksums}")
        if source.repo and source.revision is None:
            say(f'lock: add this line to source {source.name}: revision = "{report.revision}"')


def check(
    manifest: Manifest, say: Say, settings: Settings = DEFAULT, *, only: str | None = None
) -> None:
    """Check committed lists against the hub without downloading any file.

    Of a file that is not in LFS, the hub states only git's hash. It is compared if the file has
    been fetched; `say` gets the files that could not be compared.

    Raises:
        ChecksumError: a list misses a file, has one too many, or another digest.
        ManifestError: a list or a revision is missing.
    """
    for source in lockable(manifest, only):
        _require_locked(source, settings)
        if source.repo:
            _check_against_hub(source, settings, say)
        else:
            say(f"lock: {source.name}: mirrors do not list their files; fetch verifies them")


def _check_against_hub(source: SourceSection, settings: Settings, say: Say) -> None:
    listed = read_checksums(project_path(source.checksums))
    hub = {file.name: file for file in hub_files(source, settings)}
    blobs = _git_blobs(place(source).path, listed, hub)
    if faults := list(_faults(listed, hub, blobs)):
        raise ChecksumError(
            f"{source.checksums} is not the list of {source.repo}",
            expected="the files of the pinned revision",
            found=f"{len(faults)} differences: {'; '.join(faults[:3])}",
            remedy="./run.sh lock, then look at what changed before you commit it",
        )
    unknown = [name for name, file in hub.items() if not file.sha256 and name not in blobs]
    compared = len(listed) - len(unknown)
    say(f"lock: {source.name}: {len(listed)} files agree, {compared} of them by digest")
    if unknown:
        say(
            f"lock: {source.name}: NOT compared, because the hub states only their git hash and "
            f"they are not fetched (./run.sh fetch, then check again):\n    {names.listed(unknown)}"
        )


def _faults(
    listed: Mapping[str, str], hub: Mapping[str, HubFile], blobs: Mapping[str, str]
) -> Iterator[str]:
    """Yield each difference between a list and the hub; `blobs` are git's hashes of local files."""
    for name in sorted(listed.keys() - hub.keys()):
        yield f"{name} is not in the repository"
    for name in sorted(hub.keys() - listed.keys()):
        yield f"{name} is not listed"
    for name, file in hub.items():
        if file.sha256 and listed.get(name, file.sha256) != file.sha256:
            yield f"{name} has another digest in the repository"
    for name, blob in blobs.items():
        if blob != hub[name].blob:
            stored = hub[name].blob
            yield f"{name} is another file in the repository (git blob {stored}, here {blob})"


def _require_locked(source: SourceSection, settings: Settings) -> None:
    path = project_path(source.checksums)
    if path.is_file() and (source.revision or not source.repo):
        return
    lacking = "no revision" if path.is_file() else f"no list {source.checksums}"
    found = f" (the hub's head is {head_revision(source, settings)})" if source.repo else ""
    raise ManifestError(
        f"source '{source.name}' is not locked: it has {lacking}{found}",
        remedy="./run.sh lock",
    )


def _git_blobs(
    folder: Path, listed: Mapping[str, str], hub: Mapping[str, HubFile]
) -> dict[str, str]:
    """Return git's hashes of the fetched files that have their listed digest and are not in LFS."""
    small = [
        name for name in listed if name in hub and hub[name].blob and (folder / name).is_file()
    ]
    digests = hash_files(folder, small)
    return {name: git_blob(folder / name) for name in small if digests[name] == listed[name]}
