"""Shared by the tests of fetching: a source of three files, its list, and short waits."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kit.digests import format_checksums
from kit.experiment.manifest import Manifest, SourceSection
from kit.fetch.settings import Settings
from kit.sources import datasets
from tests.hub.faults import REVISION

QUICK = Settings(workers=2, attempts=3, pause=0.01, longest_pause=0.05, silence=0.5)
ACCEPTED = Settings(**{**vars(QUICK), "accept_licences": True})
OFFLINE = Settings(**{**vars(ACCEPTED), "offline": True})


def pattern(size: int, seed: int = 0) -> bytes:
    """Return bytes that differ from every shift of themselves, so that a wrong offset shows."""
    blocks = range((size + 31) // 32)
    return b"".join(hashlib.sha256(b"%d %d" % (seed, n)).digest() for n in blocks)[:size]


FILES = {
    "data/train.shard": pattern(200_000),
    "data/odd name ü#?.bin": pattern(5_000, 1),
    "README.md": b"what this is\n",
}
LARGEST, SMALL = "data/train.shard", "README.md"
PLAIN = "plain.bin"  # of a mirror, which does not list its files


def digests(files: dict[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 of every file."""
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def source(root: Path, **changes: Any) -> SourceSection:
    """Return a hub source whose list, if it exists, is in `root`."""
    values = {
        "name": "toy",
        "checksums": str(root / "toy.sha256"),
        "repo": "owner/toy",
        "revision": REVISION,
        "licence": "MIT",
        **changes,
    }
    return SourceSection.model_validate(values)


def commit_list(root: Path, files: dict[str, bytes] = FILES) -> None:
    """Write the checksum list of a source."""
    (root / "toy.sha256").write_text(format_checksums(digests(files)), encoding="utf-8")


def content(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def write(folder: Path, files: dict[str, bytes] = FILES) -> None:
    """Write files below a folder."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def quarantined(root: Path) -> list[Path]:
    """Return the quarantined files in the cache of a test."""
    return sorted((root / "cache" / "quarantine").glob("*"))


def bring(experiment: Manifest, settings: Settings, said: Callable[[str], object] = print) -> int:
    """Do what the verb `fetch` does; return how many sources were downloaded."""
    datasets.prepare(experiment, settings, said)
    return datasets.fetch(experiment, said, settings)
