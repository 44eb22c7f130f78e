"""The locks are installed under every Python that is at hand, as users install them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kit.artifacts import PROJECT
from kit.supply_chain.slim_locks import folder_of

pytestmark = [pytest.mark.network, pytest.mark.extended]
NO_INDEX = r"No matching distribution|NewConnectionError|connection broken|error sending request"
FAST = ("tests/ground", "tests/metrics", "tests/methods", "tests/model")


def python(version: str) -> Path:
    """Return a Python of a version; skip the test where there is none."""
    asked = ["uv", "python", "find", "--no-python-downloads", "--no-project", version]
    if shutil.which("uv"):
        found = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    else:
        found = shutil.which(f"python{version}") or ""
        if found and subprocess.run([found, "-V"], capture_output=True, check=False).returncode:
            found = ""  # pyenv's stand-in for one that is not switched on
    if not found:
        folder = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
        found = str(next(folder.glob(f"{version}.*/bin/python"), ""))
    if not found:
        pytest.skip(f"there is no Python {version}")
    return Path(found)


def refuse(done: "subprocess.CompletedProcess[str]") -> None:
    """Skip where there is no package index; a lock that cannot be installed is a failure."""
    if done.returncode and re.search(NO_INDEX, done.stdout + done.stderr):
        pytest.skip(f"no package index has what is locked: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("umask", [0o022, 0o077], ids=oct)
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_a_stock_python_without_bash_verifies_the_reference(tmp_path, monkeypatch, version, umask):
    network = {n: v for n, v in os.environ.items() if n.startswith("PIP_") or n.endswith("_PROXY")}
    # A digest of this project is recomputed from every answer, so all versions must agree.
    done = subprocess.run(
        [str(python(version)), "-m", "kit", "verify", "manifests/reference/smoke"],
        env={**network, "HOME": str(tmp_path), "PATH": "", "PEBENCH_CACHE": str(tmp_path / "c")},
        cwd=PROJECT,
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )
    refuse(done)
    assert "claims follow" in done.stdout
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "c"))
    assert [path.name for path in folder_of("verify").parent.iterdir()] == [
        folder_of("verify").name
    ]


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_the_experiment_s_lock_is_installed_and_fast_tests_pass(tmp_path, version):
    folder = tmp_path / "env"
    built = subprocess.run([str(python(version)), "-m", "venv", str(folder)], check=False)
    assert built.returncode == 0
    lock = PROJECT / "docker" / "requirements.cpu.lock"
    entries = re.split(r"\n(?=\w)", lock.read_text(encoding="utf-8"))
    for name in ("setuptools", "torch"):
        (tmp_path / name).write_text(next(e for e in entries if e.startswith(f"{name}==")))
    torch = ["--extra-index-url", "https://download.pytorch.org/whl/cpu"]
    for listed, more in ((tmp_path / "setuptools", []), (tmp_path / "torch", torch), (lock, [])):
        install = [str(folder / "bin/python"), "-I", str(PROJECT / "docker/pip_install.py")]
        refuse(
            subprocess.run(
                [*install, "-r", str(listed), *more], capture_output=True, text=True, check=False
            )
        )
    site = next(folder.glob("lib/python*/site-packages"))
    for file in (PROJECT / "docker" / "cpu_site").glob("*.p*"):
        shutil.copy(file, site)
    (folder / ".complete").touch()
    done = subprocess.run(
        [str(PROJECT / "run.sh"), "test", *FAST, "-q", "-n", "0", "-m", "not slow"],
        env={**os.environ, "PEBENCH_ENV": str(folder), "PEBENCH_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
