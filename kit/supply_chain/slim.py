"""The slim environments: the locked packages that a call needs where it does without torch.

A plan, a look at pages and a check of signatures need few, recomputing a result needs more.

Any Python from 3.11 on makes it, on Linux, macOS and Windows, with the standard library and pip:
`python3 -m kit verify RESULT` in a clone starts here. Each package is checked against its hash.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NoReturn

from kit.artifacts import PROJECT, cache_root
from kit.console import say
from kit.errors import EnvironmentFault
from kit.supply_chain.slim_build import build
from kit.supply_chain.slim_locks import (
    DRAW,
    INTEGRITY,
    KEYLESS,
    PARTS,
    PLAN,
    VERIFY,
    WHOLE,
    folder_of,
    is_complete,
    lock_file,
    lock_text,
    python_of,
)

WITHOUT_TORCH = {"verify", "rescore", "compare", "board", "show", "new", "sign", "keygen"}
# Verbs that compute nothing, unless their call has one of these words.
PLANNING = {"plan": {"--probe"}, "show": {"--fresh"}, "new": set[str]()}
SIGNING = {"sign", "verify", "report", "board"}
IDENTITY = ("--keyless", "--identity")
# With these words, `verify` prints its answer at the end alone, or needs a manifest.
NO_FIRST_LOOK = ("--policy", "--json", "--claims")
HELP = {"--help", "-h"}
HELP_FILE = PROJECT / "docker" / "help.txt"
CALL = "$ ./run.sh "  # begins the help of a verb in that file
PIN = re.compile(r"^([\w.-]+)==(\S+)\s*\\?$", re.MULTILINE)  # without a marker


def lock_for(arguments: Sequence[str]) -> str | None:
    """Return the name of the slim lock that suffices for a call of the kit; None if none does."""
    verb, *words = arguments or ["--help"]
    if verb in SIGNING and any(word.partition("=")[0] in IDENTITY for word in words):
        return KEYLESS
    if HELP & {verb, *words}:
        return PLAN
    if verb == "new" and "benchmark" in words:
        return DRAW
    if verb in PLANNING and not PLANNING[verb] & {*words}:
        return PLAN
    if verb == "keygen" or (verb == "verify" and _is_integrity_alone(words)):
        return INTEGRITY
    pages = verb == "report" and any(word.partition("=")[0] == "--to" for word in words)
    return VERIFY if verb in WITHOUT_TORCH or pages else None


def _is_integrity_alone(words: Sequence[str]) -> bool:
    """Return whether `verify` is to check signatures and files, and to read no manifest."""
    given = " ".join(words).replace("--policy=", "--policy ")
    manifest = any(word.startswith("--claims") or word.endswith(".toml") for word in words)
    return f"--policy {INTEGRITY}" in given and not manifest


def enter(arguments: Sequence[str]) -> None:
    """Continue in the slim environment if this Python lacks packages that it has.

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
    _go_on(there or build(name, _first_look(arguments)), arguments)


def help_text(arguments: Sequence[str]) -> str:
    """Return the help of a call as it is in `HELP_FILE`; "" where it has none."""
    parts = HELP_FILE.read_text(encoding="utf-8").split(CALL) if HELP_FILE.is_file() else []
    known = dict(part.partition("\n")[::2] for part in parts)
    words = [word for word in arguments if not word.startswith("-")][:2]
    while words and f"{' '.join(words)} --help" not in known:
        words.pop()
    return known.get(" ".join([*words, "--help"]), "").lstrip("\n")


def _first_look(arguments: Sequence[str]) -> Callable[[Path], None] | None:
    """Return what is done while the large packages are installed; None if there is nothing.

    `verify` checks signatures and files: a result that is refused then needs no other package. For
    other verbs, each result says what it is.
    """
    verb, *words = arguments
    lock = lock_for(arguments)
    if lock not in (VERIFY, KEYLESS):
        return None
    later = any(word.startswith(NO_FIRST_LOOK) or word.endswith(".toml") for word in words)
    if verb == "verify" and lock == VERIFY and not later:
        return lambda python: _check_integrity(python, words)
    folders = [word if Path(word).is_dir() else str(PROJECT / word) for word in filter(None, words)]
    folders = [folder for folder in folders if Path(folder).is_dir()]
    if not folders or "--json" in words:
        return None

    def introduce(python: Path) -> None:
        # It only tells: the verb itself says what is wrong with a folder.
        _call(python, "kit.verification.introduction", *dict.fromkeys(folders))

    return introduce


def _check_integrity(python: Path, words: Sequence[str]) -> None:
    done = _call(python, "kit", "verify", "--policy", INTEGRITY, *words)
    if done.returncode:
        print(done.stdout, end="", flush=True)
        sys.exit(done.returncode)
    held = [line for line in done.stdout.splitlines() if line.startswith("ok  ")]
    for line in (*held, "now the packages that recompute every number"):
        say(f"  {line}")


def _call(python: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a module of the kit in an environment, and catch its answer; progress is shown."""
    command = [str(python), "-P", "-m", *words]
    return subprocess.run(
        command, env=_environment(), stdout=subprocess.PIPE, encoding="utf-8", check=False
    )


def _is_here(name: str) -> bool:
    """Return whether this Python has a lock's packages: an environment of the kit, or equal."""
    prefix = Path(sys.prefix)
    is_small = prefix.name.partition("-")[0] in PARTS
    if (prefix / ".complete").is_file() and not is_small and name in (VERIFY, *PARTS):
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
                found="a folder that lacks one" if Path(named).is_dir() else "no such folder",
                remedy="unset PEBENCH_ENV: the kit then builds one",
            )
        return Path(named)
    larger = {VERIFY: (WHOLE,), **dict.fromkeys(PARTS, (WHOLE, VERIFY))}
    locks = [lock for lock in larger.get(name, ()) if lock_file(lock).is_file()]
    folders = map(folder_of, [*locks, name])
    return next((folder for folder in folders if is_complete(folder)), None)


def _go_on(folder: Path, arguments: Sequence[str]) -> NoReturn:
    """Run the kit with the same arguments in an environment, and end with its exit code."""
    # -P: a file in the current folder must not shadow a package.
    command = [str(python_of(folder)), "-P", "-m", "kit", *arguments]
    sys.stdout.flush()
    if os.name == "nt":  # there, exec returns to the shell before the program ends
        sys.exit(subprocess.run(command, env=_environment(), check=False).returncode)
    os.execve(command[0], command, _environment())


def _environment() -> dict[str, str]:
    """Return the variables of a kit that continues in an environment."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
    # UTF-8 mode: the console and the files of Windows have another encoding otherwise.
    kept |= {"PYTHONPATH": str(PROJECT), "PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1"}
    return kept | {"PEBENCH_CACHE": str(cache_root())}
