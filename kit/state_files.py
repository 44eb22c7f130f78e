"""JSON files that the kit keeps for itself in the cache: read as it wrote them, or named.

They are written at once or not at all (`kit.artifacts.write_json`). A disk that failed, a copy that
was cut off, or an editor can still leave another content.
"""

import json
from pathlib import Path
from typing import Any

from kit.errors import StorageError
from kit.names import show


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
