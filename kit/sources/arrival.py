"""Bring one source: its bytes, the folder of its listed files, and the images of its tables."""

from collections.abc import Callable

from kit.artifacts import project_path, restored
from kit.benchmarks.unpacking import unpack
from kit.digests import read_checksums, verify_files
from kit.experiment.manifest import SourceSection
from kit.fetch.settings import Settings
from kit.names import listed as listed_names
from kit.names import show
from kit.sources.checksum_lists import list_of
from kit.sources.embedded import draw
from kit.sources.listed_files import unlisted_files
from kit.sources.own_folders import is_own
from kit.sources.places import known_revision, link, place, record_origin
from kit.sources.table_form import require_tables

Say = Callable[[str], None]
REMEDY = "run `./run.sh fetch`: it restores the files or explains where to get them"


def bring(source: SourceSection, say: Say, settings: Settings) -> int:
    """Make sure that a source is here with its listed digests; return 1 if it was not.

    Raises:
        ChecksumError, DataError: bytes differ or are missing and cannot be restored.
        AccessError, TransferError, StorageError: files cannot be downloaded.
    """
    here, listed, changed = place(source), read_checksums(list_of(source)), 0
    if source.folder:
        verify_files(here.path, listed, remedy=remedy_of(source))
    elif source.embedded:
        changed = int(draw(source, here.path, listed))
    else:
        from kit.fetch.sources import fetch_listed

        # Use the listed revision: the head may have moved since, to files that are not listed.
        pinned = source.model_copy(update={"revision": known_revision(source)})
        report = fetch_listed(pinned, here.path, listed, settings)
        if report.downloaded:
            record_origin(source, report.hosts, report.revision)
            changed = 1
    links = link(source)
    require_tables(links)
    images = unpack(links)
    unpacked = f", {images} images unpacked" if images else ""
    say(f"fetch: {source.name}: {len(listed)} files verified{unpacked}")
    if unused := unlisted_files(here.path, listed):
        say(
            f"fetch: {source.name}: {len(unused)} files in {here.path} are NOT used, because "
            f"{source.checksums} does not list them:\n    {listed_names([*map(show, unused)])}"
        )
    return changed


def remedy_of(source: SourceSection) -> str:
    """Return what to do about a file of a source that is missing or differs from its list."""
    if not source.folder:
        return REMEDY
    if not is_own(source):  # such as the embedded base
        return restored(project_path(source.folder))
    return (
        f"put back the files of {source.folder} that were listed; or, if they are meant to be so, "
        "run `./run.sh lock MANIFEST`"
    )
