"""Checksum lists: written after every byte was brought and hashed, or held against the hub."""

import os
import shutil
from collections.abc import Callable

from kit.artifacts import project_path, write_bytes
from kit.digests import format_checksums, read_checksums
from kit.errors import ChecksumError, ManifestError
from kit.fetch.licences import require_accepted
from kit.fetch.listing import head_revision, hub_files
from kit.fetch.settings import Settings
from kit.fetch.sources import bring_unlisted
from kit.manifest import Manifest, SourceSection
from kit.source_records import locking_folder, place

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


def check(manifest: Manifest, say: Say, *, only: str | None = None) -> None:
    """Hold committed lists against what the hub says, without bringing large files.

    Raises:
        ChecksumError: a list misses a file, has one too many, or another digest.
        ManifestError: a list or a revision is missing.
    """
    for source in lockable(manifest, only):
        path = project_path(source.checksums)
        if not path.is_file() or (source.repo and source.revision is None):
            lacking = "no revision" if path.is_file() else f"no list {source.checksums}"
            found = f" (the hub's head is {head_revision(source)})" if source.repo else ""
            raise ManifestError(
                f"source '{source.name}' is not locked: it has {lacking}{found}",
                remedy="./run.sh lock",
            )
        if not source.repo:
            say(f"lock: {source.name}: mirrors say nothing of their files; fetch verifies them")
            continue
        listed, hub = read_checksums(path), {file.name: file for file in hub_files(source)}
        faults = [f"{name} is not in the repository" for name in sorted(listed.keys() - hub.keys())]
        faults += [f"{name} is not listed" for name in sorted(hub.keys() - listed.keys())]
        faults += [
            f"{name} has another digest in the repository"
            for name, file in hub.items()
            if file.sha256 and listed.get(name, file.sha256) != file.sha256
        ]
        if faults:
            raise ChecksumError(
                f"{source.checksums} is not the list of {source.repo}",
                expected="the files of the pinned revision",
                found=f"{len(faults)} differences: {'; '.join(faults[:3])}",
                remedy="./run.sh lock, then look at what changed before you commit it",
            )
        known = sum(1 for file in hub.values() if file.sha256)
        say(f"lock: {source.name}: {len(listed)} files agree, {known} of them by digest")
