"""The sources of a manifest: fetch them, and prove that their bytes are the listed ones.

A source is a set of files with one checksum list. Wherever its bytes come from, a stage uses them
only after they have been checked against that list.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from kit.benchmarks.parquet import Place
from kit.benchmarks.unpacking import require_images
from kit.digests import read_checksums, verify_files
from kit.errors import DataError, MissingStageError, ModelError, StorageError
from kit.experiment.manifest import Manifest, SourceSection
from kit.fetch.settings import DEFAULT, Settings
from kit.sources.arrival import bring, remedy_of
from kit.sources.bundles import adopt_list
from kit.sources.checksum_lists import has_list, is_locked, list_of, local_list
from kit.sources.pictures import check_pictures
from kit.sources.places import known_revision, link, listed_place, place, record_origin

Say = Callable[[str], None]
CONFIG = "config.json"  # of a base
MAX_NAMES = 8  # of files that an error shows


def places(manifest: Manifest) -> dict[str, Place]:
    """Return the places of the data sources, by source name; they hold the listed files alone."""
    return {source.name: _linked(source) for source in manifest.sources}


def base_folder(manifest: Manifest) -> Path:
    """Return the folder of the base model; it holds the listed files alone."""
    return model_folder(manifest.model.source)


def model_folder(source: SourceSection) -> Path:
    """Return the folder of a model; it holds the listed files alone."""
    return _linked(source).path


def _linked(source: SourceSection) -> Place:
    """Return a source's folder of links; `fetch` and `verify_sources` bring it up to date."""
    there = listed_place(source)
    if not there.path.is_dir() and has_list(source) and place(source).path.is_dir():
        with suppress(StorageError):  # a plan needs no cache that can be written
            link(source)
    return there


def image_name(places: Mapping[str, Place], path: Path) -> str:
    """Return an image's name in a result: `<source>/<path>`, the same on every machine."""
    for name, source in places.items():
        for label, root in ((name, source.path), (f"{name}.images", source.images)):
            if path.is_relative_to(root):
                return f"{label}/{path.relative_to(root).as_posix()}"
    raise DataError(
        f"image {path} belongs to no source",
        expected=f"a file below {', or '.join(str(source.path) for source in places.values())}",
        found=f"a file of {path.parent}",
        remedy="report it: this is an error of a loader",
    )


def require_lists(manifest: Manifest, settings: Settings) -> None:
    """Check that every source has its checksum list, or is allowed to have none.

    Raises:
        ManifestError: a list is missing and the settings do not allow that.
    """
    for source in manifest.all_sources():
        if not (settings.allow_unlocked and (source.repo or source.mirrors)):
            list_of(source)


def prepare(manifest: Manifest, settings: Settings, say: Say) -> None:
    """Ask for licences, and download the sources without a list: a plan needs all lists.

    A licence binds the user of the files, not the person who downloaded them. So it is shown
    offline, too, unless its acceptance is recorded on this machine; asking opens no connection.

    Raises:
        LicenceError: a licence was not accepted.
        AccessError, TransferError, ChecksumError, StorageError: files cannot be downloaded.
    """
    remote = [s for s in manifest.all_sources() if s.repo or s.mirrors]
    if remote:
        from kit.fetch.licences import require_accepted

        require_accepted(remote, settings)
    for source in remote:
        if not is_locked(source) and not local_list(source).is_file():
            from kit.fetch.sources import fetch_unlisted

            folder = place(source).path
            report = fetch_unlisted(source, folder, settings)
            # In this order: a kill between the two must not leave a list without its revision.
            record_origin(source, report.hosts, report.revision)
            adopt_list(source, report.digests)
            at = f", at revision {report.revision}" if report.revision else ""
            say(f"fetch: {source.name}: {len(report.digests)} files fetched WITHOUT a lock{at}")


def fetch(
    manifest: Manifest,
    say: Say,
    settings: Settings = DEFAULT,
    examine: Callable[[Path], object] | None = None,
) -> int:
    """Make sure that data and base weights exist with their digests.

    Args:
        examine: is given the base's folder once its config.json is there, before weights and data
            are downloaded; it raises ModelError for a base that cannot be used.

    Returns:
        The number of sources that were downloaded or drawn in this call.

    Raises:
        ChecksumError, DataError, ModelError: bytes differ or are missing and cannot be restored.
        AccessError, TransferError, StorageError: files cannot be downloaded.
    """
    changed = 0
    for source in manifest.models():
        with _model_errors(source):
            if examine is not None:
                _examine_config(source, settings, examine)
            changed += bring(source, say, settings)
    for source in manifest.sources:
        changed += bring(source, say, settings)
        if report := check_pictures(source):
            say(f"fetch: {source.name}: {report}")
    return changed


def _examine_config(
    source: SourceSection, settings: Settings, examine: Callable[[Path], object]
) -> None:
    """Bring the base's config.json alone, which names the family of the model, and examine it."""
    here, listed = place(source), read_checksums(list_of(source))
    if (source.repo or source.mirrors) and CONFIG in listed:
        from kit.fetch.sources import fetch_listed

        pinned = source.model_copy(update={"revision": known_revision(source)})
        fetch_listed(pinned, here.path, {CONFIG: listed[CONFIG]}, settings)
    if (here.path / CONFIG).is_file():
        examine(here.path)


def verify_sources(manifest: Manifest) -> None:
    """Check, before a stage uses them, that data and base weights have their listed digests.

    Raises:
        MissingStageError: the data has not been fetched.
        ChecksumError, DataError, ModelError: bytes differ or are missing.
    """
    verify_base(manifest)
    for source in manifest.sources:
        here = place(source)
        if not here.path.is_dir():
            raise MissingStageError(
                "the data is missing",
                expected=str(here.path),
                found="no such folder",
                remedy=remedy_of(source),
            )
        verify_files(here.path, read_checksums(list_of(source)), remedy=remedy_of(source))
        require_images(link(source))


def verify_base(manifest: Manifest) -> None:
    """Check the files of the base model, and of the judge, against their lists.

    Raises:
        ModelError: they do not exist, or the list has no weights.
        ChecksumError: bytes differ.
    """
    for source in manifest.models():
        with _model_errors(source):
            listed = read_checksums(list_of(source))
            verify_files(place(source).path, listed, remedy=remedy_of(source))
            link(source)


@contextmanager
def _model_errors(source: SourceSection) -> Iterator[None]:
    """Raise ModelError instead of DataError where a file of a model is missing."""
    folder = place(source).path
    if source.folder and not folder.is_dir():
        raise ModelError(
            f"no base model in {folder}",
            expected=f"a folder with {CONFIG} and the weights",
            found="a file" if folder.is_file() else "no such folder",
            remedy=remedy_of(source),
        )
    listed = read_checksums(list_of(source))
    if not any("safetensors" in name for name in listed):
        raise ModelError(
            f"{source.checksums} lists no weights",
            expected="at least one file *.safetensors",
            found=", ".join(sorted(listed)[:MAX_NAMES]) or "an empty list",
            remedy="list the weights; convert others, such as pytorch_model.bin, first: load the "
            "model with transformers and call `save_pretrained(FOLDER)`",
        )
    try:
        yield
    except DataError as error:
        raise ModelError(
            error.what, expected=error.expected, found=error.found, remedy=error.remedy
        ) from None
