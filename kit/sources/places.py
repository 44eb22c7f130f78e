"""Where a source lies on this machine, where its bytes came from, and what a result says of it."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit.artifacts import cache_root, project_path, write_json
from kit.benchmarks.parquet import Place
from kit.experiment.disclosure import OUTSIDE, public_path
from kit.experiment.manifest import Manifest, SourceSection
from kit.sources.checksum_lists import is_locked, list_digest, unlocked_name


def place(source: SourceSection) -> Place:
    """Return where a source lies once it is fetched; the name has the digest of its list."""
    name = unlocked_name(source)
    if is_locked(source) or not (source.repo or source.mirrors):
        name = f"{Path(source.checksums).stem}-{list_digest(source)[:16]}"
    cached = cache_root() / "data" / name
    path = project_path(source.folder) if source.folder else cached
    return Place(path, cached.with_name(f"{name}.images"))


def locking_folder(source: SourceSection) -> Path:
    """Return where a source's files lie while they have no list yet."""
    return cache_root() / "data" / unlocked_name(source)


def source_records(manifest: Manifest) -> list[dict[str, Any]]:
    """Return what run.json says of each source: what it is, where from, and under which terms."""
    return [_source_record(source) for source in manifest.all_sources()]


def _source_record(source: SourceSection) -> dict[str, Any]:
    from kit.fetch.licences import acceptance

    return {
        "name": source.name,
        "origin": _origin(source),
        "hosts": _history(source)["hosts"],
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
        # A folder of this machine is nobody else's business.
        shown = public_path(source.folder)
        return "a folder of the user's" if shown == OUTSIDE else f"folder {shown}"
    return ", ".join(_history(source)["hosts"]) or "brought by an earlier call or an import"


def known_revision(source: SourceSection) -> str | None:
    """Return the pinned commit, or that which an unpinned source was brought at."""
    revision = source.revision or _history(source)["revision"]
    return str(revision) if revision else None


def _history_path(source: SourceSection) -> Path:
    path = place(source).path
    return path.with_name(f"{path.name}.origin.json")


def _history(source: SourceSection) -> dict[str, Any]:
    """Return the hosts and the revision of a source's files, as far as this cache knows."""
    path = _history_path(source)
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {"hosts": {}, "revision": None, **found}


def record_origin(source: SourceSection, hosts: Mapping[str, int], revision: str | None) -> None:
    """Note how many files each host gave in this call, and at which revision."""
    counts = Counter(_history(source)["hosts"])
    counts.update(hosts)
    write_json(_history_path(source), {"hosts": dict(counts), "revision": revision})
