"""The cache of a probe: its own, so that nothing that a probe makes is taken for work of a run."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.artifacts import cache_root

KEPT = ("data", "vllm")  # folders of the cache that the probe shares


@contextmanager
def own_cache() -> Iterator[None]:
    """Let this process and its workers use an empty cache that shares data alone."""
    real = cache_root()
    folder = real / "scratch" / "probe"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in KEPT:
        (real / name).mkdir(exist_ok=True)
        (folder / name).symlink_to(Path(real / name).resolve())
    before = os.environ.get("PEBENCH_CACHE")
    os.environ["PEBENCH_CACHE"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["PEBENCH_CACHE"]
        else:
            os.environ["PEBENCH_CACHE"] = before
        shutil.rmtree(folder, ignore_errors=True)
