"""Checksum lists: written after every byte was brought and hashed, or held against the hub."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from kit.artifacts import project_path, write_bytes
from kit.digests import format_checksums, git_blob, hash_files, read_checksums
from kit.errors import ChecksumError, ManifestError
from kit.experiment.manifest import Manifest, SourceSection
from kit.fetch.hub import HubFile, head_revision, hub_files
from kit.fetch.licences import require_accepted
from kit.fetch.names import some_of
from kit.fetch.settings import DEFAULT, Settings
from kit.fetch.sources import bring_unlisted
from kit.sources.places import locking_folder, place

Say = Callable[[str], None]


def lockable(manifest: Manifest, only: str | None) -> list[SourceSection]:
    """Return the sources that come from a hub or mirrors, or the one that is asked for.

    Raises:
        ManifestError: there is no such source, or it is drawn or lies in a folder.
    """
    found = [s for s in manifest.all_sources() if s.repo or s.mirrors]
    chosen = [s for s in found if only in (None, s.name)]
    if not chosen:
        raise ManifestError(
            f"no source '{only}' to lock" if only else "no source to lock",
            expected=", ".join(source.name for source in found) or "a source with repo or mirrors",
            remedy="embedded sources and folders of the project have their lists already",
        )
    return chosen


def lock(manifest: Manifest, settings: Settings, say: Say, *, only: str | None = None) -> None:
    """Bring and hash every file of the sources and write their checksum lists.

    What the hub says of a large file is held against its bytes; where they differ nothing is
    written. A source without a revision is resolved, and the line for the manifest is said.

    Raises:
        the errors of `kit.fetch.sources.bring_unlisted`.
    """
    sources = lockable(manifest, only)
    require_accepted(sources, settings)
    for source in sources:
        folder = locking_folder(source)
        report = bring_unlisted(source, folder, settings)
        target = project_path(source.checksums)
        write_bytes(target, format_checksums(report.digests).encode())
        # The next fetch has nothing to bring, and an earlier lock's copy of the same files goes.
        shutil.rmtree(place(source).path, ignore_errors=True)
        os.replace(folder, place(source).path)
        say(f"lock: {source.name}: {len(report.digests)} files listed in {source.checksums}")
        if source.repo and source.revision is None:
            say(f'lock: put this line into source {source.name}: revision = "{report.revision}"')


def check(
    manifest: Manifest, say: Say, settings: Settings = DEFAULT, *, only: str | None = None
) -> None:
    """Hold committed lists against what the hub says, without bringing any file.

    Of a file that is not in LFS the hub says git's name alone, which follows from the bytes: it is
    compared where they are fetched, and where they are not, that is said.

    Raises:
        ChecksumError: a list misses a file, has one too many, or another digest.
        ManifestError: a list or a revision is missing.
    """
    for source in lockable(manifest, only):
        _require_locked(source, settings)
        if not source.repo:
            say(f"lock: {source.name}: mirrors say nothing of their files; fetch verifies them")
            continue
        listed = read_checksums(project_path(source.checksums))
        hub = {file.name: file for file in hub_files(source, settings)}
        here = _git_blobs(place(source).path, listed, hub)
        faults = [f"{name} is not in the repository" for name in sorted(listed.keys() - hub.keys())]
        faults += [f"{name} is not listed" for name in sorted(hub.keys() - listed.keys())]
        faults += [
            f"{name} has another digest in the repository"
            for name, file in hub.items()
            if file.sha256 and listed.get(name, file.sha256) != file.sha256
        ]
        faults += [
            f"{name} is another file in the repository (git blob {hub[name].blob}, here {blob})"
            for name, blob in here.items()
            if blob != hub[name].blob
        ]
        if faults:
            raise ChecksumError(
                f"{source.checksums} is not the list of {source.repo}",
                expected="the files of the pinned revision",
                found=f"{len(faults)} differences: {'; '.join(faults[:3])}",
                remedy="./run.sh lock, then look at what changed before you commit it",
            )
        open_ = [name for name, file in hub.items() if not file.sha256 and name not in here]
        known = len(listed) - len(open_)
        say(f"lock: {source.name}: {len(listed)} files agree, {known} of them by digest")
        if open_:
            say(
                f"lock: {source.name}: NOT compared, because the hub says git's name alone and the "
                f"listed bytes are not here: {some_of(open_)} (./run.sh fetch, then check again)"
            )


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
    """Return git's names of the fetched files that are as the list says and not in LFS."""
    small = [
        name for name in listed if name in hub and hub[name].blob and (folder / name).is_file()
    ]
    there = hash_files(folder, small)
    return {name: git_blob(folder / name) for name in small if there[name] == listed[name]}
