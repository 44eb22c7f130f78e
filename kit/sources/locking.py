"""Checksum lists: write them from hashed files, or check them against the hub or the folder."""

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
from kit.sources.own_folders import check_folder, is_own, lock_folder
from kit.sources.places import locking_folder, place

Say = Callable[[str], None]


def lockable(manifest: Manifest, only: str | None) -> list[SourceSection]:
    """Return the sources from the hub or mirrors and the user's folders, or only the one named.

    Raises:
        ManifestError: there is no such source, or the kit draws it or has it in its own folder.
    """
    found = {s.name: s for s in manifest.all_sources() if s.repo or s.mirrors or is_own(s)}
    if not found:
        raise ManifestError(
            "no source to lock",
            expected="a source with repo, mirrors or a folder of your own",
            found=", ".join(names.show(source.name) for source in manifest.all_sources()),
            remedy="nothing to do: the lists of what the kit draws are in checksums/",
        )
    if only is None:
        return list(found.values())
    if only not in found:
        what = f"no source '{only}' to lock"
        raise unknown(what, only, found, remedy="choose one of these sources")
    return [found[only]]


def lock(manifest: Manifest, settings: Settings, say: Say, *, only: str | None = None) -> None:
    """Hash every file of the sources, downloaded first where they are remote; write their lists.

    Where the hub states a digest, the bytes must have it, or nothing is written. For a source
    without a revision the hub's head is locked, and `say` gets the line for the manifest.

    Raises:
        LicenceError: a licence was not accepted.
        ManifestError, DataError, ChecksumError, AccessError, TransferError, StorageError: files
            cannot be downloaded (see `kit.fetch.sources.fetch_unlisted`).
    """
    sources = lockable(manifest, only)
    remote = [source for source in sources if not source.folder]
    if remote:
        require_accepted(remote, settings)
    for source in sources:
        if source.folder:
            lock_folder(manifest, source, say)
            continue
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
    """Check lists against the hub without downloading any file, or against the user's folder.

    Of a file that is not in LFS, the hub states only git's hash. It is compared if the file has
    been fetched; `say` gets the files that could not be compared.

    Raises:
        ChecksumError: a list misses a file, has one too many, or another digest.
        ManifestError: a list or a revision is missing.
    """
    for source in lockable(manifest, only):
        _require_locked(source, settings)
        if source.folder:
            check_folder(manifest, source, say)
        elif source.repo:
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
            remedy="run `./run.sh lock MANIFEST`, then look at what changed before you commit it",
        )
    unknown = [name for name, file in hub.items() if not file.sha256 and name not in blobs]
    compared = len(listed) - len(unknown)
    say(f"lock: {source.name}: {len(listed)} files agree, {compared} of them by digest")
    if unknown:
        say(
            f"lock: {source.name}: NOT compared, because the hub states only their git hash and "
            "they are not fetched (./run.sh fetch MANIFEST, then check again):\n    "
            f"{names.listed(unknown)}"
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
    listed = project_path(source.checksums).is_file()
    if listed and (source.revision or not source.repo):
        return
    lacking = "no revision" if listed else f"no list {source.checksums}"
    head = f" (the hub's head is {head_revision(source, settings)})" if source.repo else ""
    raise ManifestError(
        f"source '{source.name}' is not locked",
        expected=f"{source.checksums}" + (", and a revision" if source.repo else ""),
        found=f"{lacking}{head}",
        remedy="run `./run.sh lock MANIFEST`; where it says a revision, add that line",
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
