"""The log of all calls that worked on a result in this cache, including those that failed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from kit.artifacts import cache_root, exclusive, require_space, results_root
from kit.experiment.manifest import Manifest
from kit.names import show

MAX_LINE = 200  # characters of a line that was cut off; after a power cut it may be all zeros


def attempts_path(manifest: Manifest) -> Path:
    """Return the file that logs the attempts at this result."""
    return cache_root() / "artifacts" / f"attempts-{manifest.run_name}.jsonl"


@contextmanager
def hold_result(manifest: Manifest, verb: str) -> Iterator[None]:
    """Lock cache and result, so that no other run writes there, and log the attempt.

    Raises:
        BusyError: another run has locked one of them.
        StorageError: one of them cannot be written.
    """
    for folder in (cache_root(), results_root()):
        require_space(folder, 0)
    # Experiments share data and adapters, so only one run at a time may use a cache.
    result = exclusive(f".{manifest.run_name}", results_root())
    with exclusive("run"), result, attempt(manifest, verb):
        yield


@contextmanager
def attempt(manifest: Manifest, verb: str) -> Iterator[None]:
    """Log the start and the end of a call; a killed call has only a start."""
    _append(manifest, {"verb": verb, "event": "started"})
    try:
        yield
    except BaseException as error:
        with suppress(OSError):  # the disk may be what failed
            _append(manifest, {"verb": verb, "event": "failed", "error": type(error).__name__})
        raise
    _append(manifest, {"verb": verb, "event": "finished"})


def read_attempts(manifest: Manifest) -> list[dict[str, str]]:
    """Return the entries of the log, oldest first."""
    path = attempts_path(manifest)
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    return [_entry(line) for line in text.splitlines() if line]


def _entry(line: str) -> dict[str, str]:
    with suppress(ValueError, RecursionError):
        found = json.loads(line)
        if isinstance(found, dict) and all(isinstance(value, str) for value in found.values()):
            return found
    # The call was killed while it wrote this line, or the disk has damaged it.
    return {"event": "cut off", "line": show(line)[:MAX_LINE]}


def _append(manifest: Manifest, entry: dict[str, str]) -> None:
    path = attempts_path(manifest)
    path.parent.mkdir(parents=True, exist_ok=True)
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    line = json.dumps({"utc": moment, **entry}, sort_keys=True)
    cut_off = path.is_file() and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as stream:
        stream.write(("\n" if cut_off else "") + line + "\n")
