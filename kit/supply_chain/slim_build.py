"""Build the slim environment with the standard library and pip alone, on any system."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from kit.artifacts import PROJECT, cache_root, storage_error
from kit.console import clear_status, is_live, say, status
from kit.digests import sha256_bytes
from kit.errors import EnvironmentFault, StorageError

LAST_PYTHON = (3, 14)  # whose wheels the slim locks hold
# In packages, for their own tests and builds; and what installed the packages.
UNUSED = (
    "pandas/tests", "pyarrow/tests", "pyarrow/include", "pyarrow/src", "pyarrow/*flight*",
    "numpy/tests", "numpy/*/tests", "pip", "setuptools", "pkg_resources", "_distutils_hack",
    "pip-*.dist-info", "setuptools-*.dist-info", "distutils-precedence.pth",
)  # fmt: skip
# Of Linux on x86-64.
SIZES = {
    "plan": "3 MB to download, 20 MB on disk",
    "verify": "0.1 GB to download, 0.3 GB on disk",
}
# A plan computes nothing, so a few packages of the verify lock suffice.
PARTS = {
    "plan": (
        "verify",
        "annotated-types click colorama jinja2 markupsafe pydantic pydantic-core "
        "typing-extensions typing-inspection".split(),
    )
}
DAY_S = 24 * 3600
# What pip says of a package that it has found.
SIZE = re.compile(r"^ *(?:Downloading|Using cached) .* \(([\d.]+) ([kMG]B)\)$", re.MULTILINE)
MEGABYTES = {"kB": 0.001, "MB": 1.0, "GB": 1000.0}
BAR = 24  # characters
FULL = ("No space left", "Disk quota exceeded", "not enough space")


def lock_file(name: str) -> Path:
    """Return the path of a lock."""
    return PROJECT / "docker" / f"requirements.{name}.lock"


def lock_text(name: str) -> str:
    """Return what a lock says; of one in `PARTS`, the lines of its packages in the larger lock."""
    if name not in PARTS:
        return lock_file(name).read_text(encoding="utf-8")
    whole, packages = PARTS[name]
    text = lock_file(whole).read_text(encoding="utf-8")
    return "".join(_entry(package, text) for package in packages)


def folder_of(name: str) -> Path:
    """Return where the environment of a lock is, or will be: as `run.sh` names it."""
    digest = sha256_bytes(lock_text(name).encode())[:12]
    return cache_root() / "env" / (digest if name == "cpu" else f"{name}-{digest}")


def is_complete(folder: Path) -> bool:
    """Return whether a folder is a finished environment whose Python is still there."""
    return (folder / ".complete").is_file() and python_of(folder).exists()


def python_of(folder: Path) -> Path:
    """Return the Python of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def build(name: str) -> Path:
    """Build the environment of a slim lock and return its folder.

    It is built beside its place and then renamed, so a folder of that name is complete.

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
    log = partial / "build.log"
    pins = len(re.findall(r"^\w\S*==", text, re.MULTILINE))
    running = f"Python {sys.version.split()[0]}"
    size = f"; {SIZES[name]}" if name in SIZES else ""
    say(f"environment: installing {pins} packages for {running} into {folder} (once{size})")
    began = time.monotonic()
    try:
        _call(log, sys.executable, "-I", "-m", "venv", str(partial), why=_NO_VENV)
        # setuptools first: it builds what is published as source.
        for listed in filter(None, (_entry("setuptools", text), text)):
            lock = partial / "packages.lock"
            lock.write_text(listed, encoding="utf-8")
            install = str(PROJECT / "docker" / "pip_install.py")
            command = (str(python_of(partial)), "-I", install, "-r", str(lock))
            _call(log, *command, why=_NO_PACKAGE, packages=pins)
        _trim(partial)
        (partial / ".complete").touch()
        _publish(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    say(f"environment: ready after {time.monotonic() - began:.0f} s")
    return folder


_NO_VENV = (
    "a Python with venv and ensurepip",
    "install them (Debian, Ubuntu: apt install python3-venv), or start with a Python from "
    "python.org, Homebrew, conda or uv",
)
_NO_PACKAGE = (
    f"every package of the lock, with its hash, for Python 3.11 to {LAST_PYTHON[0]}."
    f"{LAST_PYTHON[1]} on Linux (x86-64, aarch64), macOS or Windows (x86-64)",
    "check the network and your pip settings (pip config list), then try again; on Windows, a "
    "short PEBENCH_CACHE such as C:\\pebench avoids paths that are too long",
)


def _show(running: subprocess.Popen[bytes], log: Path, packages: int) -> None:
    """Wait for a command, and show how many packages pip has found, and how large they are."""
    shown = time.monotonic()
    while running.poll() is None:
        time.sleep(0.2)
        if time.monotonic() - shown > (1.0 if is_live() else 10.0):
            shown = time.monotonic()
            said = log.read_text(encoding="utf-8", errors="replace") if packages else ""
            status(progress_of(said, packages) if packages else "environment: preparing pip")
    clear_status()


def progress_of(output: str, packages: int) -> str:
    """Return how far pip is, from what it has printed."""
    found = min(packages, len(re.findall(r"^Collecting ", output, re.MULTILINE)))
    megabytes = sum(float(size) * MEGABYTES[unit] for size, unit in SIZE.findall(output))
    bar = f"[{'#' * (BAR * found // packages):<{BAR}}] " if is_live() else ""
    return f"{bar}environment: found {found} of {packages} packages, {megabytes:.0f} MB"


def _call(log: Path, *command: str, why: tuple[str, str], packages: int = 0) -> None:
    """Run a command and add its output to a log.

    Args:
        packages: how many it installs, for its progress; 0 for a command that installs none.
        why: what was expected and the remedy, if it fails.
    """
    hidden = {"PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    with (
        log.open("ab") as stream,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment | {"PYTHONUTF8": "1"},
        ) as running,
    ):
        try:
            _show(running, log, packages)
        except BaseException:  # Ctrl-C
            running.kill()
            raise
    if running.returncode == 0:
        return
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    if any(text in line for line in lines for text in FULL):
        raise StorageError(
            "the disk is full",
            expected="1 GB for the environment while it is built",
            remedy="free some space, or set PEBENCH_CACHE to a folder on another disk",
        )
    expected, remedy = why
    raise EnvironmentFault(
        "the environment could not be built",
        expected=expected,
        found="\n    ".join(["", *(line for line in lines[-12:] if line.strip())]),
        remedy=remedy,
    )


def _entry(package: str, text: str) -> str:
    """Return the lines of one package of a lock."""
    found = re.search(rf"^{package}==.*\n(?:[ #].*\n)*", text, re.MULTILINE)
    return found[0] if found else ""


def _trim(folder: Path) -> None:
    """Remove what no check needs: half of the environment."""
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
