"""A folder that all machines share, as the storage of a cluster's artifacts.

What an interpreter publishes into the cache (`kit.cluster.private_cache`), all machines have.
"""

import json
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from kit.cluster.private_cache import folder_of

NODE = "node.json"  # which node an interpreter runs on; touched as long as its supervisor lives


class SharedFolder:
    """A cache that all machines share, under the same path: what one publishes, all have.

    Args:
        root: the folder.
    """

    apart = False
    word = "cache folder"
    remedy = (
        "set PEBENCH_CACHE to a folder that all nodes share, under the same path, and start Ray "
        "there with ./run.sh ray start; or let the artifacts travel through a store: "
        "--store s3://BUCKET/PREFIX"
    )

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.where = str(self.root)

    def check(self) -> list[str]:
        return []

    def write_note(self) -> str:
        path = self.root / "scratch" / f"ray-note-{os.getpid()}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(secrets.token_hex(8), encoding="utf-8")
        return str(path)

    def read_note(self, note: str) -> str:
        return Path(note).read_text(encoding="utf-8")

    def remove_note(self, note: str) -> None:
        Path(note).unlink(missing_ok=True)

    def lend(self, names: Iterable[str]) -> dict[str, str]:
        return {}

    def bring(self, wanted: Mapping[str, str]) -> None:
        pass

    def find(self, names: Iterable[str]) -> None:
        pass

    def give(self, names: Iterable[str]) -> dict[str, str]:
        return {}

    def sign(self, token: str, node: str) -> None:
        path = folder_of(self.root, token) / NODE
        if path.is_file() and path.stat().st_size:
            os.utime(path)
        else:
            path.write_text(json.dumps({"node": node}), encoding="utf-8")

    def end(self, token: str) -> None:
        pass

    def heard(self, token: str) -> tuple[str, float] | None:
        path = folder_of(self.root, token) / NODE
        try:
            return str(json.loads(path.read_text(encoding="utf-8"))["node"]), path.stat().st_mtime
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def close(self, tokens: Sequence[str]) -> None:
        pass


def tidy(cache: Path, tokens: Iterable[str] | None = None) -> None:
    """Remove what interpreters left in a cache that were killed; call it when none runs.

    Args:
        tokens: of the interpreters; None for all.
    """
    folder = folder_of(cache, "")
    for path in folder.glob("*"):
        if tokens is not None and path.name not in tokens:
            continue
        for begun in (cache / "artifacts").glob(f".*.{path.name}"):  # killed while it published
            shutil.rmtree(begun) if begun.is_dir() else begun.unlink()
        shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):  # those of others are there
        folder.rmdir()
