"""The place of a source on this machine, the origin of its bytes, and its record in a result."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from kit.artifacts import cache_root, project_path, storage_error, write_json
from kit.benchmarks.parquet import Place
from kit.digests import read_checksums, sha256_bytes
from kit.experiment.disclosure import OUTSIDE, public_path
from kit.experiment.manifest import Manifest, SourceSection
from kit.sources.checksum_lists import (
    has_list,
    is_locked,
    list_digest,
    list_of,
    unlocked_name,
)
from kit.sources.listed_files import link_listed
from kit.state_files import damaged, read_object


@dataclass(frozen=True)
class History:
    """Where a source's files came from: the number of files by host, and their revision."""

    hosts: dict[str, int] = field(default_factory=dict)
    revision: str | None = None


def place(source: SourceSection) -> Place:
    """Return where a fetched source lies; the folder's name holds the digest of its list.

    Its folder may hold other files, too: loaders get `listed_place`.
    """
    name = unlocked_name(source)
    if is_locked(source) or not (source.repo or source.mirrors):
        name = f"{Path(source.checksums).stem}-{list_digest(source)[:16]}"
    cached = cache_root() / "data" / name
    path = project_path(source.folder) if source.folder else cached
    return Place(path, cached.with_name(f"{name}.images"))


def listed_place(source: SourceSection) -> Place:
    """Return where loaders find a source: a folder of its listed files alone."""
    here = place(source)
    # Folders with equal lists have links of their own, and share the images of their tables.
    own = f"-{sha256_bytes(os.fsencode(here.path.absolute()))[:8]}" if source.folder else ""
    name = here.images.name.removesuffix(".images")
    listed = list_digest(source) if has_list(source) else ""
    return Place(cache_root() / "data" / "listed" / f"{name}{own}", here.images, listed)


def link(source: SourceSection) -> Place:
    """Bring the folder of a source's listed files up to date and return it.

    Raises:
        StorageError: the cache cannot be written.
    """
    loaded = listed_place(source)
    try:
        link_listed(place(source).path, read_checksums(list_of(source)), loaded.path)
    except OSError as error:
        raise storage_error(error, loaded.path) from None
    return loaded


def locking_folder(source: SourceSection) -> Path:
    """Return the folder of a source's files before they have a list."""
    return cache_root() / "data" / unlocked_name(source)


def source_records(manifest: Manifest) -> list[dict[str, object]]:
    """Return the sources as run.json records them: identity, origin and licence."""
    return [_source_record(source) for source in manifest.all_sources()]


def _source_record(source: SourceSection) -> dict[str, object]:
    from kit.fetch.licences import acceptance

    return {
        "name": source.name,
        "origin": _origin(source),
        "hosts": _read_history(source).hosts,
        "repo": source.repo,
        "revision": known_revision(source),
        "licence": source.licence,
        "licence_accepted": acceptance(source),
        "checksums": public_path(source.checksums),
        "list_digest": list_digest(source),
        "locked": is_locked(source),
    }


def _origin(source: SourceSection) -> str:
    if source.embedded:
        return "drawn by the kit"
    if source.folder:
        # A path of this machine is private.
        shown = public_path(source.folder)
        return "a folder of the user" if shown == OUTSIDE else f"folder {shown}"
    return ", ".join(_read_history(source).hosts) or "fetched earlier, or imported"


def known_revision(source: SourceSection) -> str | None:
    """Return the pinned commit, or the commit at which an unpinned source was fetched."""
    return source.revision or _read_history(source).revision


def _history_path(source: SourceSection) -> Path:
    path = place(source).path
    return path.with_name(f"{path.name}.origin.json")


def _read_history(source: SourceSection) -> History:
    path = _history_path(source)
    if not path.is_file():
        return History()
    stored = read_object(path)
    hosts, revision = stored.get("hosts", {}), stored.get("revision")
    counted = isinstance(hosts, dict) and all(type(count) is int for count in hosts.values())
    if not counted or not isinstance(revision, str | None):
        raise damaged(path, f"hosts {hosts!r:.80}, revision {revision!r:.80}")
    return History(hosts, revision)


def record_origin(source: SourceSection, hosts: Mapping[str, int], revision: str | None) -> None:
    """Add the files that each host gave in this call, and record their revision."""
    counts = Counter(_read_history(source).hosts)
    counts.update(hosts)
    write_json(_history_path(source), asdict(History(dict(counts), revision)))
