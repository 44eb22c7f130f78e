"""The slim environments: the locked packages that a call needs where it does without torch.

A plan and a look at pages need few, checking a result needs more.

Any Python from 3.11 on makes it, on Linux, macOS and Windows, with the standard library and pip:
`python3 -m kit verify RESULT` in a clone starts here. Each package is checked against its hash.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NoReturn

from kit.artifacts import PROJECT, cache_root
from kit.errors import EnvironmentFault
from kit.supply_chain.slim_build import (
    build,
    folder_of,
    is_complete,
    lock_file,
    lock_text,
    python_of,
)

PLAN, VERIFY, KEYLESS, WHOLE = "plan", "verify", "keyless", "cpu"  # the locks, by name
WITHOUT_TORCH = {"verify", "rescore", "compare", "board", "show", "new", "sign", "keygen"}
# Verbs that compute nothing, unless their call has one of these words.
PLANNING = {"plan": {"--probe"}, "show": {"--fresh"}, "new": {"benchmark"}}
SIGNING = {"sign", "verify", "report", "board"}
IDENTITY = ("--keyless", "--identity")
HELP = {"--help", "-h"}
HELP_FILE = PROJECT / "docker" / "help.txt"
CALL = "$ ./run.sh "  # begins the help of a verb in that file
PIN = re.compile(r"^([\w.-]+)==(\S+)\s*\\?$", re.MULTILINE)  # without a marker


def lock_for(arguments: Sequence[str]) -> str | None:
    """Return the name of the slim lock that suffices for a call of the kit; None if none does."""
    verb, *words = arguments or ["--help"]
    if verb in SIGNING and any(word.partition("=")[0] in IDENTITY for word in words):
        return KEYLESS
    if HELP & {verb, *words} or (verb in PLANNING and not PLANNING[verb] & {*words}):
        return PLAN
    pages = verb == "report" and any(word.partition("=")[0] == "--to" for word in words)
    return VERIFY if verb in WITHOUT_TORCH or pages else None


def enter(arguments: Sequence[str]) -> None:
    """Go on in the slim environment, if this Python lacks packages that it has.

    Returns only where this Python is the right one for the call. Help needs no environment: where
    there is none, it is printed from a file.

    Raises:
        EnvironmentFault: the environment cannot be built.
        StorageError: the cache cannot be written, or the disk is full.
    """
    name = lock_for(arguments)
    if name is None or _is_here(name):
        return
    there = finished(name)
    if there is None and HELP & set(arguments or HELP) and (text := help_text(arguments)):
        print(text, end="")
        sys.exit(0)
    _go_on(there or build(name), arguments)


def help_text(arguments: Sequence[str]) -> str:
    """Return the help of a call as it is in `HELP_FILE`; "" where it has none."""
    parts = HELP_FILE.read_text(encoding="utf-8").split(CALL) if HELP_FILE.is_file() else []
    known = dict(part.partition("\n")[::2] for part in parts)
    words = [word for word in arguments if not word.startswith("-")][:2]
    while words and f"{' '.join(words)} --help" not in known:
        words.pop()
    return known.get(" ".join([*words, "--help"]), "").lstrip("\n")


def _is_here(name: str) -> bool:
    """Return whether this Python has a lock's packages: an environment of the kit, or equal."""
    prefix = Path(sys.prefix)
    if (prefix / ".complete").is_file() and (
        name == PLAN or (name == VERIFY and not prefix.name.startswith(PLAN))
    ):
        return True
    pins = PIN.findall(lock_text(name))
    try:
        return all(version(package) == pin for package, pin in pins if package != "setuptools")
    except PackageNotFoundError:
        return False


def finished(name: str) -> Path | None:
    """Return a finished environment for a lock; one with more packages serves as well."""
    if named := os.environ.get("PEBENCH_ENV"):
        if not is_complete(Path(named)):
            raise EnvironmentFault(
                f"PEBENCH_ENV={named} is not a finished environment",
                expected="a folder with .complete and a Python",
                remedy="unset PEBENCH_ENV: the kit then builds one",
            )
        return Path(named)
    larger = {PLAN: (WHOLE, VERIFY), VERIFY: (WHOLE,)}
    locks = [lock for lock in larger.get(name, ()) if lock_file(lock).is_file()]
    folders = map(folder_of, [*locks, name])
    return next((folder for folder in folders if is_complete(folder)), None)


def _go_on(folder: Path, arguments: Sequence[str]) -> NoReturn:
    """Run the kit with the same arguments in an environment, and end with its exit code."""
    # -P: a file in the current folder must not shadow a package.
    command = [str(python_of(folder)), "-P", "-m", "kit", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
    # UTF-8 mode: the console and the files of Windows have another encoding otherwise.
    environment |= {"PYTHONPATH": str(PROJECT), "PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1"}
    environment |= {"PEBENCH_CACHE": str(cache_root())}
    sys.stdout.flush()
    if os.name == "nt":  # there, exec returns to the shell before the program ends
        sys.exit(subprocess.run(command, env=environment, check=False).returncode)
    os.execve(command[0], command, environment)
