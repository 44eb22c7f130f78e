"""The locks of the slim environments, and where each environment is."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from kit.artifacts import PROJECT, cache_root
from kit.digests import sha256_bytes

PLAN, DRAW, INTEGRITY = "plan", "draw", "integrity"
VERIFY, KEYLESS, WHOLE = "verify", "keyless", "cpu"
# A few packages of the verify lock suffice to plan, to draw a toy benchmark, and to check
# signatures and files: none of these computes a number.
_MODELS = (
    "annotated-types click colorama pydantic pydantic-core typing-extensions typing-inspection"
)
PARTS = {
    PLAN: (VERIFY, f"{_MODELS} jinja2 markupsafe".split()),
    DRAW: (VERIFY, "click colorama pillow".split()),
    INTEGRITY: (VERIFY, f"{_MODELS} bcrypt cffi cryptography pycparser rfc3161-client".split()),
}
# Half of the time to install the verify lock is theirs.
LARGE = ("numpy", "pandas", "pyarrow")


def lock_file(name: str) -> Path:
    """Return the path of a lock."""
    return PROJECT / "docker" / f"requirements.{name}.lock"


def lock_text(name: str) -> str:
    """Return what a lock says; of one in `PARTS`, the lines of its packages in the larger lock."""
    if name not in PARTS:
        return lock_file(name).read_text(encoding="utf-8")
    whole, packages = PARTS[name]
    return only(packages, lock_file(whole).read_text(encoding="utf-8"))


def only(packages: Iterable[str], text: str) -> str:
    """Return the lines of some packages of a lock."""
    return "".join(entry for name, entry in _entries(text) if name in {*packages})


def without(packages: Iterable[str], text: str) -> str:
    """Return the lines of all other packages of a lock."""
    return "".join(entry for name, entry in _entries(text) if name not in {*packages})


def _entries(text: str) -> list[tuple[str, str]]:
    found = re.finditer(r"^([\w.-]+)==.*\n(?:[ #].*\n)*", text, re.MULTILINE)
    return [(entry[1], entry[0]) for entry in found]


def folder_of(name: str) -> Path:
    """Return where the environment of a lock is, or will be: as `run.sh` names it."""
    digest = sha256_bytes(lock_text(name).encode())[:12]
    return cache_root() / "env" / (digest if name == WHOLE else f"{name}-{digest}")


def is_complete(folder: Path) -> bool:
    """Return whether a folder is a finished environment whose Python is still there."""
    return (folder / ".complete").is_file() and python_of(folder).exists()


def python_of(folder: Path) -> Path:
    """Return the Python of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
