"""What the tests of fetching share: a source of three files, its list, and short patience."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.digests import format_checksums
from kit.fetch.settings import Settings
from kit.manifest import SourceSection
from tests.hub_server import REVISION, Hub

QUICK = Settings(workers=2, attempts=3, pause=0.01, longest_pause=0.05, silence=0.5)


def pattern(size: int, seed: int = 0) -> bytes:
    """Return bytes that no shift of themselves equals: a cut in the wrong place shows."""
    blocks = range((size + 31) // 32)
    return b"".join(hashlib.sha256(b"%d %d" % (seed, n)).digest() for n in blocks)[:size]


FILES = {
    "data/train.parquet": pattern(200_000),
    "data/odd name ü#?.bin": pattern(5_000, 1),
    "README.md": b"what this is\n",
}


def digests(files: dict[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 of every file."""
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def source(folder: Path, **changes: Any) -> SourceSection:
    """Return a hub source whose list, if it is written, lies in `folder`."""
    values = {
        "name": "toy",
        "checksums": str(folder / "toy.sha256"),
        "repo": "owner/toy",
        "revision": REVISION,
        "licence": "MIT",
        **changes,
    }
    return SourceSection.model_validate(values)


def commit_list(folder: Path, files: dict[str, bytes] = FILES) -> None:
    """Write the checksum list of a source."""
    (folder / "toy.sha256").write_text(format_checksums(digests(files)), encoding="utf-8")


def content(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with the toy repository and its mirror; the cache is a temporary folder."""
    with Hub() as server:
        server.add("owner/toy", FILES)
        server.plain.update(FILES)
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
        # The hub client's own pauses between attempts, which are seconds.
        monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the files of the source go."""
    return tmp_path / "cache" / "data" / "toy"
