"""The checksum list of a folder of the user: made from the files that the benchmark reads."""

import json
import os
from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from pathlib import Path

from kit import benchmarks, names
from kit.artifacts import PROJECT, project_path, results_root, write_bytes
from kit.digests import format_checksums, hash_files, read_checksums, sha256_file
from kit.errors import ChecksumError, DataError, ManifestError
from kit.experiment.manifest import Manifest, SourceSection
from kit.sources.listed_files import is_sidecar

Say = Callable[[str], None]
REFERENCES = PROJECT / "manifests" / "reference"
SUFFIX = ".sha256"  # of a checksum list
RESULT, SIGNATURE = "run.json", "SHA256SUMS.sig"


def is_own(source: SourceSection) -> bool:
    """Return whether a source is a folder of the user: the kit's own folders are in kit/."""
    kit = PROJECT / "kit"
    return bool(source.folder) and not project_path(str(source.folder)).is_relative_to(kit)


def lock_folder(manifest: Manifest, source: SourceSection, say: Say) -> None:
    """Write the checksum list of a folder, unless it is right already.

    A file that the benchmark does not read is not listed, and so never used. `say` gets what
    changed, and what is not listed.

    Raises:
        DataError: the folder does not exist, or is not what the benchmark reads.
        ChecksumError: a signed result was made from the files of the present list.
        ManifestError: the path of the list is not a file.
    """
    root, target = project_path(str(source.folder)), project_path(source.checksums)
    if not root.is_dir():
        raise DataError(
            f"the folder {root} of source '{source.name}' does not exist",
            expected="a folder with the files of the source",
            found="no such folder",
            remedy="create it, or correct `folder` in the manifest",
        )
    _require_list(source, target)
    there = _files(root, source)
    read = benchmarks.files(manifest, source.name, root)
    listed = sorted(there if read is None else read)
    digests = hash_files(root, listed)
    if target.is_file():
        changes = _changes(_listed(target), digests)
        if not changes:
            say(f"lock: {source.name}: {source.checksums} is the list of these {len(listed)} files")
            return
        _require_unsigned(source, target, changes)
        say(f"lock: {source.name}: {names.listed(changes)}")
    write_bytes(target, format_checksums(digests).encode())
    say(f"lock: {source.name}: {len(listed)} files listed in {source.checksums}")
    if unused := sorted(set(there) - set(listed)):
        say(
            f"lock: {source.name}: {len(unused)} files are NOT listed, because the benchmark does "
            f"not read them:\n    {names.listed([*map(names.show, unused)])}"
        )


def check_folder(manifest: Manifest, source: SourceSection, say: Say) -> None:
    """Compare a list with its folder, and write nothing.

    Raises:
        ChecksumError: a listed file is missing or has other bytes, or a file that the benchmark
            reads is not listed.
    """
    root, target = project_path(str(source.folder)), project_path(source.checksums)
    read = benchmarks.files(manifest, source.name, root)
    listed = sorted(_files(root, source) if read is None else read)
    if changes := _changes(read_checksums(target), hash_files(root, listed)):
        raise ChecksumError(
            f"{source.checksums} is not the list of {source.folder}",
            expected="the files that the benchmark reads",
            found=names.listed(changes),
            remedy="restore the files; or, if they are meant to be so, `./run.sh lock MANIFEST`",
        )
    say(f"lock: {source.name}: {len(listed)} files agree")


def _files(root: Path, source: SourceSection) -> list[str]:
    """Return the files below a folder that match the source's `files`, without sidecars.

    Parquet tables hold everything that a benchmark of tables reads: where there are some, only
    they count.
    """
    found = []
    for above, folders, files in os.walk(root, followlinks=True):
        start = Path(above)
        # A link to a folder above would be walked without end.
        around = {start.resolve(), *start.resolve().parents}
        folders[:] = [
            name for name in folders
            if not is_sidecar(name) and (start / name).resolve() not in around
        ]  # fmt: skip
        found += [
            (start / name).relative_to(root).as_posix()
            for name in files
            if not is_sidecar(name) and (start / name).is_file()
        ]
    matching = [name for name in found if any(fnmatch(name, each) for each in source.files)]
    tables = [name for name in matching if name.lower().endswith(".parquet")]
    return tables or matching


def _changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return what differs between two lists, one line a file."""
    gone = [f"removed: {names.show(name)}" for name in sorted(old.keys() - new.keys())]
    added = [f"added: {names.show(name)}" for name in sorted(new.keys() - old.keys())]
    both = sorted(old.keys() & new.keys())
    other = [f"changed: {names.show(name)}" for name in both if old[name] != new[name]]
    return [*other, *gone, *added]


def _require_list(source: SourceSection, target: Path) -> None:
    """Check that nothing but a list is overwritten: `checksums` may name any file by mistake.

    Raises:
        ManifestError: the file exists and neither is a list nor has the name of one.
    """
    if target.suffix == SUFFIX and not target.is_dir():
        return
    try:
        empty = target.is_file() and not target.stat().st_size
        if not target.exists() or (not empty and read_checksums(target)):
            return
        found = "an empty file"
    except ChecksumError:
        found = "a folder" if target.is_dir() else "a file with other contents"
    raise ManifestError(
        f"`checksums` of source '{source.name}' is no checksum list: {source.checksums}",
        expected=f"a list, or the name of one to write, such as checksums/{source.name}{SUFFIX}",
        found=found,
        remedy="correct `checksums` in the manifest; the file was left as it is",
    )


def _require_unsigned(source: SourceSection, target: Path, changes: list[str]) -> None:
    digest = sha256_file(target)
    for run in sorted((*results_root().glob(f"*/{RESULT}"), *REFERENCES.glob(f"*/{RESULT}"))):
        if _names(run, digest) and (run.parent / SIGNATURE).is_file():
            raise ChecksumError(
                f"{source.checksums} is the list of a signed result, {run.parent}",
                expected="the files that it was made from",
                found=names.listed(changes),
                remedy="write another list: put its name into the manifest, such as `checksums = "
                f'"{_next_name(source.checksums)}"`, and run `./run.sh lock MANIFEST` again',
            )


def _names(run: Path, digest: str) -> bool:
    try:
        sources = json.loads(run.read_text(encoding="utf-8")).get("sources", [])
        return any(each.get("list_digest") == digest for each in sources)
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return False  # no result of this kit


def _listed(target: Path) -> dict[str, str]:
    """Return a list that is to be written; one that is damaged counts as empty."""
    try:
        return read_checksums(target)
    except ChecksumError:
        return {}


def _next_name(name: str) -> str:
    """Return the name of a list that does not exist yet: mine-2.sha256 after mine.sha256."""
    path, number = Path(name), 2
    while project_path(found := str(path.with_name(f"{path.stem}-{number}{path.suffix}"))).exists():
        number += 1
    return found
