"""Build the slim environment with the standard library and pip alone, on any system."""

import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from kit.artifacts import cache_root, storage_error
from kit.console import say
from kit.supply_chain.slim_install import LOG, Installation
from kit.supply_chain.slim_locks import (
    DRAW,
    INTEGRITY,
    LARGE,
    PARTS,
    PLAN,
    VERIFY,
    folder_of,
    is_complete,
    lock_text,
    only,
    python_of,
    without,
)

# In packages, for their own tests and builds; and what installed the packages.
UNUSED = (
    "pandas/tests", "pyarrow/tests", "pyarrow/include", "pyarrow/src", "pyarrow/*flight*",
    "numpy/tests", "numpy/*/tests", "pip", "setuptools", "pkg_resources", "_distutils_hack",
    "pip-*.dist-info", "setuptools-*.dist-info", "distutils-precedence.pth",
)  # fmt: skip
# Of Linux on x86-64.
SIZES = {
    PLAN: "3 MB to download, 20 MB on disk",
    DRAW: "7 MB to download, 25 MB on disk",
    INTEGRITY: "11 MB to download, 35 MB on disk",
    VERIFY: "0.1 GB to download, 0.3 GB on disk",
}
DAY_S = 24 * 3600


def build(name: str, first_look: Callable[[Path], None] | None = None) -> Path:
    """Build the environment of a slim lock and return its folder.

    It is built beside its place and then renamed, so a folder of that name is complete.

    Args:
        name: of the lock.
        first_look: what to do as soon as the packages of the part `INTEGRITY` are there, while the
            large ones are installed. It gets the environment's Python, and may end the program.

    Raises:
        EnvironmentFault: Python has no venv, or a package cannot be installed.
        StorageError: the cache cannot be written, or the disk is full.
    """
    folder, text = folder_of(name), lock_text(name)
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    try:
        _clear(partial.parent)
        partial.mkdir(parents=True)
    except OSError as error:
        raise storage_error(error, partial) from None
    pins = len(re.findall(r"^\w\S*==", text, re.MULTILINE))
    running = f"Python {sys.version.split()[0]}"
    size = f"; {SIZES[name]}" if name in SIZES else ""
    say(f"environment: installing {pins} packages for {running} into {folder} (once{size})")
    began = time.monotonic()
    try:
        _install(partial, text, pins, first_look)
        _trim(partial)
        (partial / ".complete").touch()
        _publish(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    say(f"environment: ready after {time.monotonic() - began:.0f} s")
    return folder


def _install(
    partial: Path, text: str, pins: int, first_look: Callable[[Path], None] | None
) -> None:
    """Install the packages of a lock, the large ones beside the others."""
    with Installation(partial, pins) as installation:
        beside = installation.start(large) if (large := only(LARGE, text)) else None
        first = PARTS[INTEGRITY][1] if first_look else ()
        if first_look:
            installation.install(only(first, text))
            first_look(python_of(partial))
        # setuptools first: it builds what is published as source.
        built = {"setuptools", *LARGE, *first}
        installation.install(only(["setuptools"], text), without(built, text))
        if beside:
            installation.finish(beside)


def _trim(folder: Path) -> None:
    """Remove what no check needs: half of the environment."""
    for file in (*folder.glob("*.lock"), *folder.glob(f"*{LOG}")):
        file.unlink()
    site = folder / "Lib/site-packages" if os.name == "nt" else _site(folder)
    for pattern in UNUSED:
        for path in site.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _site(folder: Path) -> Path:
    return next(folder.glob("lib/python*/site-packages"))


def _publish(partial: Path, folder: Path) -> None:
    """Rename a finished environment to its place, unless another process was faster."""
    for tries in range(5):
        if is_complete(folder):
            return
        shutil.rmtree(folder, ignore_errors=True)  # its Python is gone
        try:
            partial.replace(folder)
        except OSError as error:  # on Windows, a virus scanner may hold a new file for a moment
            if tries == 4 and not is_complete(folder):
                raise storage_error(error, folder) from None
            time.sleep(1)
        else:
            return


def _clear(parent: Path) -> None:
    """Mark a new cache as the kit's, and remove builds that were killed a day ago or longer."""
    cache = cache_root()
    cache.mkdir(parents=True, exist_ok=True)
    if not any(cache.iterdir()):
        (cache / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55\n")
    for path in _old(parent):
        shutil.rmtree(path, ignore_errors=True)


def _old(parent: Path) -> Iterator[Path]:
    for path in parent.glob("*.partial"):
        if path.stat().st_mtime < time.time() - DAY_S:
            yield path
