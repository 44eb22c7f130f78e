"""Which lock an environment was installed from: an image says it, elsewhere its packages do."""

import json
import platform

import pytest

from kit.doctor.machine import examine_machine
from kit.doctor.readings import read_machine
from kit.doctor.resources import Resources
from kit.supply_chain import machine
from kit.supply_chain.locks import read_lock
from kit.supply_chain.machine import CUDA_RUNTIME, lock_path, locked_platform


@pytest.fixture
def gpu_environment(tmp_path, monkeypatch):
    """An environment with Python 3.12 and CUDA's runtime, outside a container."""
    package = tmp_path / f"{CUDA_RUNTIME.replace('-', '_')}-13.0.96.dist-info"
    package.mkdir()
    (package / "METADATA").write_text(f"Name: {CUDA_RUNTIME}\nVersion: 13.0.96\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(platform, "python_version", lambda: "3.12.3")


def test_the_environment_of_the_tests_is_of_the_cpu_lock():
    assert locked_platform() == "cpu"
    assert lock_path().name == "requirements.cpu.lock"


def test_a_gpu_environment_without_a_container_is_of_the_gpu_lock(gpu_environment):
    assert locked_platform() == "gpu"
    assert lock_path().name == "requirements.gpu.lock"
    found = read_machine()
    assert (found.target, found.cuda, found.in_image) == ("gpu", "13.0.96", False)
    python = next(c for c in examine_machine(found, Resources()) if c.name == "python")
    assert not python.failed, python


def test_an_image_says_it_whatever_its_packages(gpu_environment, tmp_path, monkeypatch):
    inputs = {"target": "cpu", "lock": "docker/requirements.cpu.lock"}
    (tmp_path / "inputs.json").write_text(json.dumps(inputs))
    monkeypatch.setattr(machine, "IMAGE", tmp_path)
    assert locked_platform() == "cpu"
    assert lock_path().name == "requirements.cpu.lock"


def test_only_the_gpu_lock_has_the_package_that_tells():
    locked = {
        name: {
            package.key for package in read_lock(lock_path().parent / f"requirements.{name}.lock")
        }
        for name in ("cpu", "gpu")
    }
    assert CUDA_RUNTIME in locked["gpu"]
    assert CUDA_RUNTIME not in locked["cpu"]
