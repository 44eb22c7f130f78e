"""Bring one source: what is missing or wrong, from its hub or mirrors, against its list."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.digests import git_blob, hash_files
from kit.errors import DataError, KitError, ManifestError
from kit.experiment.manifest import SourceSection
from kit.fetch.download import download, quarantine
from kit.fetch.hub import HubFile, head_revision, hub_files
from kit.fetch.listing import Wanted, addresses
from kit.fetch.names import require_safe, some_of
from kit.fetch.settings import Settings


@dataclass(frozen=True)
class Report:
    """What a source's files are now: digests by name, how many came, and from which hosts."""

    digests: Mapping[str, str]
    brought: int
    hosts: Mapping[str, int]
    revision: str | None


def bring_listed(
    source: SourceSection, folder: Path, listed: Mapping[str, str], settings: Settings
) -> Report:
    """Make sure that every listed file is in `folder` with its digest.

    A file that is there with another digest is moved to the quarantine and brought again.

    Raises:
        DataError: offline, and files are missing; or a name is not safe.
        ChecksumError, AccessError, TransferError, StorageError: they cannot be brought.
    """
    require_safe(listed)
    there = hash_files(folder, [name for name in listed if (folder / name).is_file()])
    missing = [name for name in listed if there.get(name) != listed[name]]
    if not missing:
        return Report(dict(listed), 0, {}, source.revision)
    _refuse_offline(source, folder, missing, settings)
    sizes = _sizes(source, settings)
    for name in missing:
        if name in there:
            quarantine(folder / name, name, there[name])
    wanted = [
        Wanted(name, addresses(source, name), sizes.get(name), listed[name]) for name in missing
    ]
    brought = download(wanted, folder, settings, name=source.name)
    hosts = Counter(arrived.host for arrived in brought.values())
    return Report(dict(listed), len(brought), hosts, source.revision)


def bring_unlisted(source: SourceSection, folder: Path, settings: Settings) -> Report:
    """Bring all files of a source that has no list, and return the digests of what arrived.

    The hub's own digests of large files are held against the bytes.

    Raises:
        ManifestError: without a repository, `files` are patterns, or there is no origin at all.
        the errors of `bring_listed`.
    """
    _refuse_offline(source, folder, ["any file: there is no list of them"], settings)
    if source.repo:
        revision = source.revision or head_revision(source, settings)
        pinned = source.model_copy(update={"revision": revision})
        files = hub_files(pinned, settings)
    else:
        pinned, revision, files = source, None, _literal(source)
    have = _still_right(folder, files)
    wanted = [
        Wanted(f.name, addresses(pinned, f.name), f.size if f.size >= 0 else None, f.sha256, f.blob)
        for f in files
        if f.name not in have
    ]
    brought = download(wanted, folder, settings, name=source.name)
    digests = {**have, **{name: arrived.sha256 for name, arrived in brought.items()}}
    hosts = Counter(arrived.host for arrived in brought.values())
    return Report(digests, len(brought), hosts, revision)


def _still_right(folder: Path, files: Sequence[HubFile]) -> dict[str, str]:
    """Return the SHA-256 of what is there and as the hub says; move the rest out of the way.

    A mirror says nothing: its files are there since an earlier call brought them whole.
    """
    present = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    there, told = hash_files(folder, sorted(present)), {file.name: file for file in files}
    right = {}
    for name, digest in there.items():
        file = told.get(name)
        blob = git_blob(folder / name) if file and file.blob else None
        if file and file.sha256 in (None, digest) and file.blob == blob:
            right[name] = digest
        else:
            quarantine(folder / name, name, digest)
    return right


def _literal(source: SourceSection) -> list[HubFile]:
    patterns = [name for name in source.files if set(name) & set("*?[")]
    if patterns:
        raise ManifestError(
            f"source '{source.name}' has no repository that could list '{patterns[0]}'",
            expected="`files` that are names, not patterns",
            remedy="name every file, or commit a checksum list",
        )
    require_safe(dict.fromkeys(source.files))
    return [HubFile(name, -1, None) for name in dict.fromkeys(source.files)]


def _sizes(source: SourceSection, settings: Settings) -> dict[str, int]:
    """Return the sizes that the hub tells; a mirror has the bytes even where the hub is silent."""
    if not source.repo:
        return {}
    try:
        return {file.name: file.size for file in hub_files(source, settings)}
    except KitError:
        if not source.mirrors:
            raise
        return {}


def _refuse_offline(
    source: SourceSection, folder: Path, missing: list[str], settings: Settings
) -> None:
    if settings.offline:
        raise DataError(
            f"offline, and {len(missing)} files of source '{source.name}' are not there or wrong",
            expected=f"in {folder}: {some_of(missing)}",
            remedy="`./run.sh data export` on a machine with network, then `./run.sh data import` "
            "here",
        )
