"""Where a process builds artifacts if another one, which does the same work, publishes them."""

from pathlib import Path

_folder: Path | None = None


def build_apart(folder: Path) -> None:
    """Let this process build artifacts in a folder of its own and publish none."""
    global _folder
    _folder = folder


def is_apart() -> bool:
    """Return whether another process publishes what this one builds."""
    return _folder is not None


def building_place(shared: Path) -> Path:
    """Return the folder in which this process builds: its own, or the shared one."""
    return _folder or shared
