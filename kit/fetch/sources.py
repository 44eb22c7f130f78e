"""Fetch one source: download what is missing or wrong, and check it against the source's list."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit import names
from kit.digests import git_blob, hash_files
from kit.errors import DataError, KitError, ManifestError
from kit.experiment.manifest import SourceSection
from kit.fetch.download import download, quarantine
from kit.fetch.hub import HubFile, Wanted, addresses, head_revision, hub_files
from kit.fetch.names import require_safe
from kit.fetch.settings import Settings


@dataclass(frozen=True)
class Report:
    """A source after a fetch.

    `digests` are of all its files, {path: SHA-256}; `downloaded` is how many files came in this
    call, `hosts` how many of them from each host.
    """

    digests: Mapping[str, str]
    downloaded: int
    hosts: Mapping[str, int]
    revision: str | None


def fetch_listed(
    source: SourceSection, folder: Path, listed: Mapping[str, str], settings: Settings
) -> Report:
    """Make sure that every listed file is in `folder` with its digest.

    A file with another digest is moved to the quarantine and downloaded again.

    Raises:
        DataError: offline, and files are missing; or a name is not safe.
        ChecksumError, AccessError, TransferError, StorageError: they cannot be downloaded.
    """
    require_safe(listed)
    present = hash_files(folder, [name for name in listed if (folder / name).is_file()])
    missing = [name for name in listed if present.get(name) != listed[name]]
    if not missing:
        return Report(dict(listed), 0, {}, source.revision)
    wrong = sum(name in present for name in missing)
    found = f"{wrong} of them with other bytes, {len(missing) - wrong} not at all"
    _refuse_offline(source, folder, missing, found, settings)
    sizes = _sizes(source, settings)
    for name in missing:
        if name in present:
            quarantine(folder / name, name, present[name])
    wanted = [
        Wanted(name, addresses(source, name), sizes.get(name), listed[name]) for name in missing
    ]
    arrived = download(wanted, folder, settings, name=source.name)
    hosts = Counter(file.host for file in arrived.values())
    return Report(dict(listed), len(arrived), hosts, source.revision)


def fetch_unlisted(source: SourceSection, folder: Path, settings: Settings) -> Report:
    """Download all files of a source without a checksum list; return the digests of their bytes.

    Where the hub states a digest itself, the bytes are checked against it.

    Raises:
        ManifestError: the source has no repository, and `files` holds patterns.
        DataError: offline; or the hub has no such file, or a name is not safe.
        ChecksumError, AccessError, TransferError, StorageError: files cannot be downloaded.
    """
    _refuse_offline(source, folder, ["its files"], "no list that vouches for a file", settings)
    if source.repo:
        revision = source.revision or head_revision(source, settings)
        pinned = source.model_copy(update={"revision": revision})
        files = hub_files(pinned, settings)
    else:
        pinned, revision, files = source, None, _named_files(source)
    have = _keep_right(folder, files)
    wanted = [
        Wanted(f.name, addresses(pinned, f.name), f.size if f.size >= 0 else None, f.sha256, f.blob)
        for f in files
        if f.name not in have
    ]
    arrived = download(wanted, folder, settings, name=source.name)
    digests = {**have, **{name: file.sha256 for name, file in arrived.items()}}
    hosts = Counter(file.host for file in arrived.values())
    return Report(digests, len(arrived), hosts, revision)


def _keep_right(folder: Path, files: Sequence[HubFile]) -> dict[str, str]:
    """Return the SHA-256 of files that match what the hub states; quarantine all others.

    A mirror states no digests: its files exist only because an earlier call completed them.
    """
    present = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    digests, stated = hash_files(folder, sorted(present)), {file.name: file for file in files}
    right = {}
    for name, digest in digests.items():
        file = stated.get(name)
        blob = git_blob(folder / name) if file and file.blob else None
        if file and file.sha256 in (None, digest) and file.blob == blob:
            right[name] = digest
        else:
            quarantine(folder / name, name, digest)
    return right


def _named_files(source: SourceSection) -> list[HubFile]:
    """Return the files of a source that has only mirrors, which cannot list theirs."""
    patterns = [name for name in source.files if set(name) & set("*?[")]
    if patterns:
        raise ManifestError(
            f"source '{source.name}' has no repository that could list '{patterns[0]}'",
            expected="file names in `files`, not patterns",
            found=", ".join(patterns),
            remedy="name every file, or commit a checksum list",
        )
    require_safe(dict.fromkeys(source.files))
    return [HubFile(name, -1, None) for name in dict.fromkeys(source.files)]


def _sizes(source: SourceSection, settings: Settings) -> dict[str, int]:
    """Return {file name: bytes} as the hub states them; none if it fails and there are mirrors."""
    if not source.repo:
        return {}
    try:
        return {file.name: file.size for file in hub_files(source, settings)}
    except KitError:
        if not source.mirrors:
            raise
        return {}


def _refuse_offline(
    source: SourceSection, folder: Path, missing: list[str], found: str, settings: Settings
) -> None:
    if settings.offline:
        raise DataError(
            f"offline, and files of source '{source.name}' are missing or wrong",
            expected=f"in {folder}:\n    {names.listed(missing)}",
            found=found,
            remedy="`./run.sh data export` on a machine with network, then `./run.sh data import` "
            "here",
        )
