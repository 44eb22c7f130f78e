"""How packages get into a slim environment: whose pip, side by side, and what a stop leaves."""

import hashlib
import importlib.util
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from kit.artifacts import PROJECT
from kit.errors import EnvironmentFault
from kit.supply_chain import slim_build
from kit.supply_chain.slim_install import Installation
from kit.supply_chain.slim_locks import only, python_of, without

TEXT = "a==1 \\\n    --hash=sha256:1\n    # via b\nb.c==2 ; (x == 'y') \\\n    --hash=sha256:2\n"


def script(name):
    spec = importlib.util.spec_from_file_location(name, PROJECT / "docker" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wheel(folder: Path, package: str) -> str:
    """Make the wheel of a package of one module, and return its lines of a lock."""
    file = folder / f"{package}-1.0-py3-none-any.whl"
    about = f"{package}-1.0.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{package}.py", "HERE = True\n")
        archive.writestr(f"{about}/METADATA", f"Name: {package}\nVersion: 1.0\n")
        tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{about}/WHEEL", tags)
        archive.writestr(f"{about}/RECORD", "")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return f"{package}==1.0 \\\n    --hash=sha256:{digest}\n"


@pytest.fixture
def lock(tmp_path, monkeypatch):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", wheels.as_uri())
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return lambda package: wheel(wheels, package)


def imported(folder: Path, module: str) -> bool:
    call = [str(python_of(folder)), "-I", "-c", f"assert __import__('{module}').HERE"]
    return subprocess.run(call, capture_output=True, check=False).returncode == 0


def test_a_lock_is_divided_by_packages_and_nothing_is_lost():
    assert only(["a"], TEXT) + only(["b.c"], TEXT) == TEXT
    assert without(["a"], TEXT) == only(["b.c"], TEXT)


def test_words_of_several_calls_of_pip_are_told_apart():
    calls = script("pip_install").calls_of(["-r", "a", "--", "-r", "b", "--pre"])
    assert calls == [["-r", "a"], ["-r", "b", "--pre"]]


@pytest.mark.parametrize("own_pip", [True, False])
def test_packages_are_installed_side_by_side_by_this_python_s_pip_or_a_new_one(
    own_pip, lock, tmp_path, monkeypatch
):
    if not own_pip:  # as on a Debian without python3-pip
        bare = tmp_path / "bare"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
        monkeypatch.setattr(sys, "executable", str(python_of(bare)))
    folder = tmp_path / "env"
    folder.mkdir()
    with Installation(folder, 3) as installation:
        beside = installation.start(lock("large"))
        installation.install(lock("first"))
        assert imported(folder, "first")
        installation.install("", lock("second"))
        installation.finish(beside)
    assert imported(folder, "large")
    assert imported(folder, "second")
    assert (folder / "lib").is_dir()
    brought = list(folder.glob("lib/python*/site-packages/pip"))
    assert bool(brought) != own_pip


def test_a_package_of_another_hash_is_refused_with_what_pip_says(lock, tmp_path):
    folder = tmp_path / "env"
    folder.mkdir()
    forged = lock("first").partition("sha256:")[0] + "sha256:" + "0" * 64 + "\n"
    with Installation(folder, 1) as installation, pytest.raises(EnvironmentFault) as stopped:
        installation.install(forged)
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in stopped.value.found
    assert not imported(folder, "first")


def test_what_still_installs_is_stopped_with_all_that_it_started(tmp_path):
    folder, alive = tmp_path / "env", tmp_path / "alive"
    folder.mkdir()
    grandchild = f"import time\nwhile True: open({str(alive)!r}, 'a').write('x'); time.sleep(.05)"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"
    with Installation(folder, 1) as installation:
        installation._start(sys.executable, "-c", child)
        while not alive.exists():
            time.sleep(0.05)
    size = alive.stat().st_size
    time.sleep(0.5)
    assert alive.stat().st_size == size


def test_an_answer_at_the_first_look_ends_the_build_and_leaves_nothing(lock, tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "c"))
    text = lock("click") + lock("numpy")
    monkeypatch.setattr(slim_build, "lock_text", lambda name: text)

    def look(python):
        assert imported(python.parent.parent, "click")
        sys.exit(1)

    with pytest.raises(SystemExit):
        slim_build.build("verify", look)
    assert not list((tmp_path / "c" / "env").iterdir())
