"""Install packages of a lock into a new virtual environment: with venv and pip, on any system."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from kit.artifacts import PROJECT
from kit.console import clear_status, is_live, status
from kit.errors import EnvironmentFault, StorageError
from kit.supply_chain.slim_locks import python_of

LAST_PYTHON = (3, 14)  # whose wheels the slim locks hold
# What pip says of a package that it has found.
SIZE = re.compile(r"^ *(?:Downloading|Using cached) .* \(([\d.]+) ([kMG]B)\)$", re.MULTILINE)
MEGABYTES = {"kB": 0.001, "MB": 1.0, "GB": 1000.0}
BAR = 24  # characters
FULL = ("No space left", "Disk quota exceeded", "not enough space")
HIDDEN = {"PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__"}
LOG = "-build.log"
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


class Installation:
    """A new virtual environment that packages are installed into, by several pips side by side.

    It is a context: where it is left early, what still runs is stopped.
    """

    def __init__(self, folder: Path, packages: int) -> None:
        """Begin with an empty environment.

        Args:
            folder: of the environment; it exists and is empty.
            packages: how many will be installed, for the progress.

        Raises:
            EnvironmentFault: this Python cannot make one.
            StorageError: the disk is full.
        """
        self.folder, self.packages = folder, packages
        self._running: list[_Call] = []
        self._shown = time.monotonic()
        self._run(sys.executable, "-I", "-m", "venv", "--without-pip", str(folder))
        self._pip = self._find_pip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for call in self._running:
            call.stop()

    def start(self, *locks: str) -> "_Call":
        """Begin to install the packages of some locks, one lock after the other."""
        words: list[str] = []
        for lock in filter(None, locks):
            file = self.folder / f"{len(list(self.folder.glob('*.lock')))}.lock"
            file.write_text(lock, encoding="utf-8")
            words += ["--" if words else "", "-r", str(file)]
        return self._start(*self._pip, *filter(None, words), why=_NO_PACKAGE)

    def finish(self, call: "_Call") -> None:
        """Wait for what was started, and show how many packages were found, and their size.

        Raises:
            EnvironmentFault: it failed; `found` has the last lines of its output.
            StorageError: the disk is full.
        """
        while call.process.poll() is None:
            time.sleep(0.05)
            if time.monotonic() - self._shown > (1.0 if is_live() else 10.0):
                self._shown = time.monotonic()
                status(progress_of(self._output(), self.packages))
        clear_status()
        self._running.remove(call)
        call.require_success()

    def install(self, *locks: str) -> None:
        """Install the packages of some locks, one lock after the other; raises as `finish`."""
        self.finish(self.start(*locks))

    def _find_pip(self) -> tuple[str, ...]:
        """Return the command that installs: this Python's own pip, or one that ensurepip brings.

        To bring one takes 3 s. `--python` is of pip 22.3 and later.
        """
        python, install = str(python_of(self.folder)), str(PROJECT / "docker" / "pip_install.py")
        asked = self._start(sys.executable, "-I", "-m", "pip", "--python", python, "--version")
        self._running.remove(asked)
        if asked.process.wait() == 0:
            return (sys.executable, "-I", install, "--python", python)
        self._run(python, "-I", "-m", "ensurepip")
        return (python, "-I", install)

    def _output(self) -> str:
        logs = sorted(self.folder.glob(f"*{LOG}"))
        return "".join(log.read_text(encoding="utf-8", errors="replace") for log in logs)

    def _run(self, *command: str) -> None:
        self.finish(self._start(*command))

    def _start(self, *command: str, why: tuple[str, str] = _NO_VENV) -> "_Call":
        log = self.folder / f"{len(list(self.folder.glob(f'*{LOG}')))}{LOG}"
        call = _Call(command, log, why)
        self._running.append(call)
        return call


class _Call:
    """A program that runs, and its output."""

    def __init__(self, command: tuple[str, ...], log: Path, why: tuple[str, str]) -> None:
        self._log, self._why = log, why
        kept = {name: value for name, value in os.environ.items() if name not in HIDDEN}
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=kept | {"PYTHONUTF8": "1"},
                start_new_session=True,
            )

    def stop(self) -> None:
        """Kill it with what it has started: pip runs in a process of its own."""
        if os.name == "nt":
            kill = ["taskkill", "/F", "/T", "/PID", str(self.process.pid)]
            subprocess.run(kill, capture_output=True, check=False)
        else:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def require_success(self) -> None:
        if self.process.returncode == 0:
            return
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        if full := [line for line in lines if any(text in line for text in FULL)]:
            raise StorageError(
                "the disk is full",
                expected="1 GB for the environment while it is built",
                found=full[-1].strip()[:300],
                remedy="free some space, or set PEBENCH_CACHE to a folder on another disk",
            )
        expected, remedy = self._why
        raise EnvironmentFault(
            "the environment could not be built",
            expected=expected,
            found="\n    ".join(["", *(line for line in lines[-12:] if line.strip())]),
            remedy=remedy,
        )


def progress_of(output: str, packages: int) -> str:
    """Return how far pip is, from what it has printed."""
    found = min(packages, len(re.findall(r"^Collecting ", output, re.MULTILINE)))
    if not found:
        return "environment: preparing pip"
    megabytes = sum(float(size) * MEGABYTES[unit] for size, unit in SIZE.findall(output))
    bar = f"[{'#' * (BAR * found // packages):<{BAR}}] " if is_live() else ""
    return f"{bar}environment: found {found} of {packages} packages, {megabytes:.0f} MB"
