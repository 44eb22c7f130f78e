"""Where a manifest's sources lie, how they get there, and the proof that every byte is listed.

A source is a set of files with one checksum list. Wherever its bytes come from, a stage sees them
only after each has been held against that list.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kit.artifacts import PROJECT, project_path, write_bytes
from kit.benchmarks.parquet import Place, require_images, unpack
from kit.digests import format_checksums, read_checksums, verify_files
from kit.errors import ChecksumError, DataError, MissingStageError, ModelError
from kit.experiment.manifest import Manifest, SourceSection
from kit.fetch.settings import DEFAULT, Settings
from kit.sources.checksum_lists import is_locked, list_of, local_list
from kit.sources.embedded import draw
from kit.sources.places import known_revision, place, record_origin

Say = Callable[[str], None]
REMEDY = "run `./run.sh fetch`: it restores what differs or says where to get it"


def places(manifest: Manifest) -> dict[str, Place]:
    """Return where the data sources lie, by name."""
    return {source.name: place(source) for source in manifest.sources}


def base_folder(manifest: Manifest) -> Path:
    """Return where the base model lies."""
    return place(manifest.model.source).path


def image_name(there: Mapping[str, Place], path: Path) -> str:
    """Return an image's name in a result: `<source>/<path>`, the same on every machine."""
    for name, source in there.items():
        for label, root in ((name, source.path), (f"{name}.images", source.images)):
            if path.is_relative_to(root):
                return f"{label}/{path.relative_to(root).as_posix()}"
    raise DataError(f"image {path} belongs to no source", remedy="report it: a loader made it up")


def require_lists(manifest: Manifest, settings: Settings) -> None:
    """Check that every source has its checksum list, or that it may do without.

    Raises:
        ManifestError: a list is missing and the settings do not allow that.
    """
    for source in manifest.all_sources():
        if not (settings.allow_unlocked and (source.repo or source.mirrors)):
            list_of(source)


def prepare(manifest: Manifest, settings: Settings, say: Say) -> None:
    """Ask for licences, and bring what has no list yet: a plan needs the lists of all sources.

    A licence binds whoever uses the files, not whoever brought them: offline it is asked for too,
    unless its acceptance is recorded on this machine. That opens no connection.

    Raises:
        LicenceError: a licence was not accepted.
        AccessError, TransferError, ChecksumError, StorageError: files cannot be brought.
    """
    remote = [s for s in manifest.all_sources() if s.repo or s.mirrors]
    if remote:
        from kit.fetch.licences import require_accepted

        require_accepted(remote, settings)
    for source in remote:
        if not is_locked(source) and not local_list(source).is_file():
            from kit.fetch.sources import bring_unlisted

            folder = place(source).path
            report = bring_unlisted(source, folder, settings)
            # In this order: a kill between them must not leave a list of no known revision.
            record_origin(source, report.hosts, report.revision)
            _adopt_list(source, report.digests)
            at = f", at revision {report.revision}" if report.revision else ""
            say(f"fetch: {source.name}: {len(report.digests)} files brought WITHOUT a lock{at}")


def fetch(manifest: Manifest, say: Say, settings: Settings = DEFAULT) -> int:
    """Make sure that data and base weights are there and right; return how many were brought.

    Raises:
        ChecksumError, DataError, ModelError: bytes differ or are missing and cannot be restored.
        AccessError, TransferError, StorageError: they cannot be brought.
    """
    with _about_the_base(manifest):
        brought = _ensure(manifest.model.source, say, settings)
    return brought + sum(_ensure(source, say, settings) for source in manifest.sources)


def carried(manifest: Manifest) -> dict[str, tuple[Path, dict[str, str]]]:
    """Return what an export carries: (folder, list) of every source that is brought from outside.

    Sources that are drawn or are part of the project are everywhere already.
    """
    outside = [s for s in manifest.all_sources() if s.repo or s.mirrors]
    return {s.name: (place(s).path, read_checksums(list_of(s))) for s in outside}


def import_target(
    manifest: Manifest,
) -> Callable[[str, Mapping[str, str]], tuple[Path, Callable[[], None]] | None]:
    """Return where each source of an import belongs; the list it carries must be the manifest's.

    A source without a list, committed or of an earlier fetch, takes the carried one, once the files
    are there: the second value is called then.
    """
    sources = {s.name: s for s in manifest.all_sources() if s.repo or s.mirrors}

    def target(name: str, listed: Mapping[str, str]) -> tuple[Path, Callable[[], None]] | None:
        source = sources.get(name)
        if source is None:
            return None
        known = is_locked(source) or local_list(source).is_file()
        if known and read_checksums(list_of(source)) != listed:
            raise ChecksumError(
                f"the imported source '{name}' is not the one of {list_of(source)}",
                expected="the files and digests of that list",
                found=f"a list of {len(listed)} files",
                remedy="export it from the same version of the project"
                if is_locked(source)
                else "remove that list, if the imported files are to replace those that are there",
            )

        def settle() -> None:
            if not known:
                _adopt_list(source, listed)

        return place(source).path, settle

    return target


def _adopt_list(source: SourceSection, digests: Mapping[str, str]) -> None:
    """Let what arrived be the list of an unlocked source; images of older tables go."""
    shutil.rmtree(place(source).images, ignore_errors=True)
    write_bytes(local_list(source), format_checksums(digests).encode())


def _ensure(source: SourceSection, say: Say, settings: Settings) -> int:
    here, listed, brought = place(source), read_checksums(list_of(source)), 0
    if source.folder:
        verify_files(here.path, listed, remedy=_remedy(source))
    elif source.embedded:
        brought = int(draw(source, here.path, listed))
    else:
        from kit.fetch.sources import bring_listed

        # The head may have moved since; its files are not those of the list.
        pinned = source.model_copy(update={"revision": known_revision(source)})
        report = bring_listed(pinned, here.path, listed, settings)
        if report.brought:
            record_origin(source, report.hosts, report.revision)
            brought = 1
    images = unpack(here)
    unpacked = f", {images} images unpacked" if images else ""
    say(f"fetch: {source.name}: {len(listed)} files verified{unpacked}")
    return brought


def require(manifest: Manifest) -> None:
    """Prove, before a stage uses them, that data and base weights are there and right.

    Raises:
        MissingStageError: the data has not been fetched.
        ChecksumError, DataError, ModelError: bytes differ or are missing.
    """
    verify_base(manifest)
    for source in manifest.sources:
        here = place(source)
        if not here.path.is_dir():
            raise MissingStageError("the data is not there", expected=str(here.path), remedy=REMEDY)
        verify_files(here.path, read_checksums(list_of(source)), remedy=REMEDY)
        require_images(here)


def verify_base(manifest: Manifest) -> None:
    """Check the base model's files against their list.

    Raises:
        ModelError: they are not there, or the list has no weights.
        ChecksumError: bytes differ.
    """
    source = manifest.model.source
    with _about_the_base(manifest):
        verify_files(place(source).path, read_checksums(list_of(source)), remedy=_remedy(source))


@contextmanager
def _about_the_base(manifest: Manifest) -> Iterator[None]:
    """What is missing of the base model is an error of the model, not of the data."""
    source, folder = manifest.model.source, base_folder(manifest)
    if source.folder and not folder.is_dir():
        raise ModelError(
            f"no base model in {folder}",
            remedy="restore it from the repository, or rebuild it: ./run.sh smoke-base",
        )
    if not any("safetensors" in name for name in read_checksums(list_of(source))):
        raise ModelError(f"{source.checksums} lists no weights")
    try:
        yield
    except DataError as error:
        raise ModelError(
            error.what, expected=error.expected, found=error.found, remedy=error.remedy
        ) from None


def _remedy(source: SourceSection) -> str:
    if not source.folder:
        return REMEDY
    own = project_path(source.folder).is_relative_to(PROJECT)
    restored = "restore the file from the repository; nothing was started"
    return restored if own else f"put the files into {source.folder}"
