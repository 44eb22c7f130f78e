"""JSON files that the kit keeps for itself in the cache: read as it wrote them, or named.

They are written at once or not at all (`kit.artifacts.write_json`). A disk that failed, a copy that
was cut off, or an editor can still leave another content.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kit.errors import StorageError
from kit.names import show


def is_count(value: object) -> bool:
    """Return whether a value is a whole number of 0 or more."""
    return type(value) is int and value >= 0


def is_amount(value: Any) -> bool:
    """Return whether a value is a finite number of 0 or more."""
    return _is_number(value) and value >= 0


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -math.inf < value < math.inf


def _is(kind: type) -> Callable[[object], bool]:
    return lambda value: type(value) is kind


COUNT, AMOUNT = ("a whole number of 0 or more", is_count), ("a number of 0 or more", is_amount)
TEXT, OBJECT = ("a text", _is(str)), ("an object", _is(dict))
# The keys of a job.json that are read again: what each holds, and whether it may be null.
JOB = {
    "stage": (TEXT, False), "name": (TEXT, False), "digest": (TEXT, False),
    "seconds": (AMOUNT, False), "steps": (COUNT, False), "forward_passes": (COUNT, False),
    "answers": (COUNT, False), "tokens": (COUNT, False), "pictures": (COUNT, False),
    "micro_batch_size": (COUNT, False), "limit_nats": (AMOUNT, False),
    "largest_nats": (AMOUNT, True), "canary": (("a number", _is_number), True),
    "peak_memory_bytes": (COUNT, True), "stopped": (TEXT, True), "target": (TEXT, True),
    "gradient_checkpointing": (("true or false", _is(bool)), False),
    "determinism": (OBJECT, False), "engine": (OBJECT, False), "lost": (OBJECT, False),
    "needs": (OBJECT, False),
}  # fmt: skip


class KeptObject(dict[str, Any]):
    """An object that the kit has kept: where it lacks a key, the error says which file is damaged.

    `get` and `in` are for what not every version has written.
    """

    def __init__(self, found: dict[str, Any], path: Path, remove: Path | None) -> None:
        super().__init__(found)
        self._path, self._remove = path, remove

    def __missing__(self, key: str) -> object:
        """Raise the error.

        Raises:
            StorageError: always.
        """
        raise damaged(
            self._path,
            f"no such key, but {', '.join(map(show, self)) or 'an empty object'}",
            self._remove,
            expected=f"the key '{key}', which the kit wrote there",
        )


def read_object(path: Path, *, remove: Path | None = None) -> KeptObject:
    """Return the object in a JSON file; the use of a key that it lacks is an error as well.

    Args:
        path: the file, which exists.
        remove: what to remove where it is damaged; by default the file.

    Raises:
        StorageError: the file holds something else.
    """
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise damaged(path, error.strerror or str(error), remove) from None
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"{path.stat().st_size} bytes, {error!s:.200}", remove) from None
    if not isinstance(found, dict):
        raise damaged(path, f"JSON of the type {type(found).__name__}", remove)
    return KeptObject(found, path, remove)


def read_job(folder: Path, digest: str) -> KeptObject:
    """Return the job.json of an artifact, whose values have the types that the kit writes.

    Args:
        folder: of the artifact; it is what to remove where the file is damaged.
        digest: of the artifact.

    Raises:
        StorageError: the file is damaged, or is of another artifact; also later, when a key is used
            that it lacks.
    """
    path = folder / "job.json"
    job = read_object(path, remove=folder)
    for key, ((words, holds), may_be_null) in JOB.items():
        value = job.get(key)
        if key in job and not (holds(value) or (value is None and may_be_null)):
            words = f"{words}, or null" if may_be_null else words
            raise damaged(path, f"{value!r:.80}", folder, expected=f"'{key}': {words}")
    if (found := job.get("digest", digest)) != digest:
        raise damaged(path, f"{found!r:.80}", folder, expected=f"the digest {digest}")
    return job


def damaged(
    path: Path,
    found: str,
    remove: Path | None = None,
    *,
    expected: str = "the JSON object that the kit wrote there",
) -> StorageError:
    """Return the error for a file with another content than the kit writes.

    Args:
        found: what is there.
        remove: as for `read_object`.
        expected: what should be there.
    """
    return StorageError(
        f"{path} is damaged",
        expected=expected,
        found=found,
        remedy=f"remove {remove or path}, and run the same command again",
    )
