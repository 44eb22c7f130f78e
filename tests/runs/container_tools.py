"""Programs for container tests: linters in a separate environment, and the builders."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from kit.artifacts import PROJECT, cache_root
from kit.digests import sha256_file

LOCK = PROJECT / "docker" / "requirements.tools.lock"


@cache
def _tools() -> Path | str:
    """Return the environment of the locked linters, made once, or why it cannot be made."""
    folder = cache_root() / "tools" / sha256_file(LOCK)[:12]
    if (folder / ".complete").is_file():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps"]
    pip += ["--no-compile", "--require-hashes", "--retries", "0", "--disable-pip-version-check"]
    pip += ["-r", str(LOCK)]
    for command in ([sys.executable, "-m", "venv", str(folder)], pip):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"docker/requirements.tools.lock cannot be installed: {done.stderr[-300:]}"
    (folder / ".complete").touch()
    return folder


def tool(name: str) -> str:
    """Return the path of a linter's program; skip the test with the reason if there is none."""
    folder = _tools()
    if isinstance(folder, str):
        pytest.skip(folder)
    return str(folder / "bin" / name)


def require_programs(*names: str) -> None:
    """Skip the test if a program is missing, and name it."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        pytest.skip(
            f"not installed: {', '.join(missing)} "
            "(Debian: apt-get install buildah mmdebstrap podman runc uidmap)"
        )


def storage(folder: Path) -> dict[str, str]:
    """Return an environment in which buildah and podman keep everything in one folder.

    It uses runc and its own control groups, because build services lack crun and systemd.
    """
    (folder / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\nrunroot = "{folder}/run"\ngraphroot = "{folder}/store"\n'
    )
    (folder / "containers.conf").write_text(
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\n'
        '[containers]\ndefault_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]\n'
    )
    (folder / "tmp").mkdir(exist_ok=True)
    return {
        **os.environ,
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "TMPDIR": str(folder / "tmp"),
    }
