"""The calls that worked on a result, also those that failed, as far as this cache knows."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kit.artifacts import cache_root, exclusive, require_space, results_root
from kit.experiment.manifest import Manifest


def attempts_path(manifest: Manifest) -> Path:
    """Return the log of this result's attempts."""
    return cache_root() / "artifacts" / f"attempts-{manifest.run_name}.jsonl"


@contextmanager
def working(manifest: Manifest, verb: str) -> Iterator[None]:
    """Hold cache and result, so that no other run writes there, and log the attempt.

    Raises:
        BusyError: another run holds one of them.
        StorageError: one of them cannot be written.
    """
    for folder in (cache_root(), results_root()):
        require_space(folder, 0)
    # Experiments share data and adapters, so one run at a time works in a cache.
    result = exclusive(f".{manifest.run_name}", results_root())
    with exclusive("run"), result, attempt(manifest, verb):
        yield


@contextmanager
def attempt(manifest: Manifest, verb: str) -> Iterator[None]:
    """Log the start and the end of a call; one that was killed has a start alone."""
    _append(manifest, {"verb": verb, "event": "started"})
    try:
        yield
    except BaseException as error:
        with suppress(OSError):  # the disk may be what failed
            _append(manifest, {"verb": verb, "event": "failed", "error": type(error).__name__})
        raise
    _append(manifest, {"verb": verb, "event": "finished"})


def read_attempts(manifest: Manifest) -> list[dict[str, Any]]:
    """Return the log so far, oldest first."""
    path = attempts_path(manifest)
    if not path.is_file():
        return []
    return [_entry(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def _entry(line: str) -> dict[str, Any]:
    try:
        return dict(json.loads(line))
    except ValueError:  # the line of a call that was stopped while writing it
        return {"event": "cut off", "line": line}


def _append(manifest: Manifest, entry: dict[str, str]) -> None:
    path = attempts_path(manifest)
    path.parent.mkdir(parents=True, exist_ok=True)
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    line = json.dumps({"utc": moment, **entry}, sort_keys=True)
    cut_off = path.is_file() and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as stream:
        stream.write(("\n" if cut_off else "") + line + "\n")
