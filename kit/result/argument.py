"""Which folder a user means by a result: a path, or the manifest that it was made from."""

import difflib
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from kit.artifacts import PROJECT, results_root
from kit.errors import DataError, ManifestError, MissingStageError, VerificationError
from kit.experiment.manifest_file import load_manifest
from kit.experiment.own_code import admit_files_of
from kit.names import listed, show
from kit.result.layout import ENVELOPE, RUN

MARKS = (ENVELOPE, RUN)  # a result has one of them, also before it is signed
MAX_ENTRIES = 20_000
MANIFEST = ".toml"
ONE = "a result folder, or the manifest it was made from"


def find_result(given: str, changes: Sequence[str] = ()) -> Path:
    """Return the result folder that is meant.

    Args:
        given: the folder, or the manifest that the result was made from.
        changes: those of the manifest, `key=value` each, that the run was called with.

    Raises:
        DataError: neither a result folder nor a manifest; a result that is near is named.
        ManifestError: the manifest cannot be read, or there are changes of a folder.
        MissingStageError: nothing has been made from this manifest.
    """
    path = Path(given)
    if not path.exists() and not path.is_absolute() and (PROJECT / path).is_dir():
        path = PROJECT / path  # as of a manifest: the reference is named alike everywhere
    if path.is_dir():
        if changes:
            raise ManifestError(
                f"--set changes a manifest, and {show(given)} is a folder",
                expected="the manifest that the result was made from, and the --set of that run",
                found=f"a folder, and --set {' --set '.join(map(show, changes))}",
                remedy="leave --set out: a folder is one result, whatever it was made with",
            )
        _require_no_folder_between(path)
        return path
    if path.suffix != MANIFEST:
        raise _no_result(path, given)
    manifest = load_manifest(path, changes=changes)
    admit_files_of(manifest)
    folder = results_root() / manifest.run_name
    if not folder.is_dir():
        raise MissingStageError(
            f"there is no result of {' --set '.join([given, *changes])} yet",
            expected=str(folder),
            found="no such folder",
            remedy="run `./run.sh all` first",
        )
    return folder


def find_results(given: str) -> list[Path]:
    """Return the result that is meant, or all results directly in a folder that is none itself.

    Raises:
        DataError, ManifestError, MissingStageError: as `find_result`.
    """
    path = Path(given)
    return (_results_in(path) if path.is_dir() else []) or [find_result(given)]


def require_made_from(given: str, digest: str, changes: Sequence[str] = ()) -> None:
    """Check that a result that was named by its manifest was made from it, and is no other one.

    Raises:
        VerificationError: the folder holds a good result of another manifest.
    """
    path = Path(given)
    if path.is_dir() or path.suffix != MANIFEST:
        return
    expected = load_manifest(path, changes=changes).digest()
    if expected == digest:
        return
    raise VerificationError(
        f"the result in the folder of {given} is one of another manifest",
        expected=f"manifest digest {expected}",
        found=digest,
        remedy="whole results can be exchanged: get the one of this manifest",
    )


def _is_result(folder: Path) -> bool:
    return any((folder / mark).is_file() for mark in MARKS)


def _require_no_folder_between(path: Path) -> None:
    """Refuse a folder that is no result but holds some, as an unpacked archive does."""
    if found := _results_in(path):
        raise DataError(
            f"{show(str(path))} is no result, but holds {len(found)}",
            expected=ONE,
            found=listed([show(str(folder)) for folder in found]),
            remedy=f"name the result: {show(str(found[0]))}",
        )


def _results_in(path: Path) -> list[Path]:
    """Return the results directly in a folder, by name; none if it is a result itself."""
    try:
        below = [] if _is_result(path) else sorted(path.iterdir())
    except OSError:
        return []  # its reader says why
    return [folder for folder in below if folder.is_dir() and _is_result(folder)]


def _no_result(path: Path, given: str) -> DataError:
    """Return the error for what is neither a folder nor a manifest: it names what is near."""
    what, remedy = f"no result in {show(given)}", "./run.sh all makes one"
    found = "a device, a pipe or a socket"
    around = [parent for parent in path.absolute().parents if _is_result(parent)]
    if path.is_file() and around:
        what = f"{show(given)} is a file of a result, not the result"
        found = f"a file in the result {show(str(around[0]))}"
        remedy = f"name the folder: {show(str(around[0]))}"
    elif path.is_file() and (unpack := _unpacking(path)):
        what, remedy = f"{show(given)} is an archive, not a result folder", unpack
        found = "a zip or tar archive"
    elif not path.exists():
        what, remedy = f"no result in {show(given)}: it does not exist", _for_missing(path)
        found = "nothing of that name"
    elif path.is_file():
        what = f"{show(given)} is a file, and no result is around it"
        found = f"a file of {path.stat().st_size} bytes"
        remedy = "get the whole result folder: a page or a table alone cannot be checked"
    return DataError(what, expected=ONE, found=found, remedy=remedy)


def _for_missing(path: Path) -> str:
    """Return what to do where nothing is: the folder that may be meant, or where results are."""
    try:
        beside = [other.name for other in path.absolute().parent.iterdir() if other.is_dir()]
    except OSError:
        beside = []
    if near := difflib.get_close_matches(path.name, beside, n=1):
        return f"did you mean {show(str(path.with_name(near[0])))}?"
    if here := _results_in(results_root()):
        newest = max(here, key=lambda folder: folder.stat().st_mtime)
        return f"check the path; the newest result of your own is {show(str(newest))}"
    return "check the path; ./run.sh all makes a result of your own"


def _unpacking(path: Path) -> str:
    """Return how to unpack an archive, and where its result then is; "" for another file."""
    try:
        if zipfile.is_zipfile(path):
            command = "python3 -m zipfile -e"
            with zipfile.ZipFile(path) as zipped:
                names = zipped.namelist()
        elif tarfile.is_tarfile(path):
            command = "python3 -m tarfile -e"
            with tarfile.open(path) as packed:
                names = [member.name for _, member in zip(range(MAX_ENTRIES), packed, strict=False)]
        else:
            return ""
    except (OSError, zipfile.BadZipFile, tarfile.TarError, EOFError):
        return "get it again: it is damaged"
    places = [PurePosixPath(name).parent for name in names if PurePosixPath(name).name in MARKS]
    unpack = f"unpack it: {command} {show(str(path))} unpacked"
    if not places:
        return f"{unpack}; it has no {RUN}, so it holds no whole result"
    inside = min(places, key=lambda place: (len(place.parts), str(place)))
    return f"{unpack}; then name the folder unpacked/{show(inside.as_posix())}".removesuffix("/.")
