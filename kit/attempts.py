"""Every call that worked on a result, also those that failed: a result cannot hide its attempts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kit.artifacts import cache_root
from kit.manifest import Manifest


def attempts_path(manifest: Manifest) -> Path:
    """Return the log of this result's attempts."""
    return cache_root() / "artifacts" / f"attempts-{manifest.run_name}.jsonl"


@contextmanager
def attempt(manifest: Manifest, verb: str) -> Iterator[None]:
    """Log the start and the end of a call; one that was killed has a start alone."""
    _append(manifest, {"verb": verb, "event": "started"})
    try:
        yield
    except BaseException as error:
        _append(manifest, {"verb": verb, "event": "failed", "error": type(error).__name__})
        raise
    _append(manifest, {"verb": verb, "event": "finished"})


def read_attempts(manifest: Manifest) -> list[dict[str, Any]]:
    """Return the log so far, oldest first."""
    path = attempts_path(manifest)
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _append(manifest: Manifest, entry: dict[str, str]) -> None:
    path = attempts_path(manifest)
    path.parent.mkdir(parents=True, exist_ok=True)
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"utc": moment, **entry}, sort_keys=True) + "\n")
