"""The doctor compares invented machines with the needs of manifests."""

import dataclasses
import json
import os
from itertools import pairwise
from pathlib import Path

import pytest

from kit.artifacts import PROJECT
from kit.doctor import examine, exit_code, render
from kit.doctor.check import Check
from kit.doctor.machine import examine_machine
from kit.doctor.packages import examine_packages
from kit.doctor.places import examine_places
from kit.doctor.readings import Mount, Readings, parse_mounts, read_limit
from kit.doctor.resources import (
    DEFAULT_WEIGHT_BYTES,
    IMAGE_BYTES,
    PROMPT_CACHE_BYTES,
    SPARE_FACTOR,
    WORKER_BYTES,
    Resources,
    resources_of,
)
from kit.evaluation.engines import vllm
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import load_manifest
from kit.gpus import Gpu, gpus
from kit.model import batches
from tests.toys.dataset import TOY

PEBENCH = PROJECT / "manifests/pebench.toml"
A100 = Gpu("A100", "580.95.05", "8.0", 80 << 30)
GOOD = Readings(
    python="3.12.3",
    memory=64 << 30,
    shared_memory=8 << 30,
    cores=16,
    user=os.getuid(),
    in_image=True,
    target="gpu",
    cuda="13.0.96",
    gpus=(A100,),
)
BIG = Resources(
    gpu=True, gpu_memory=22 << 30, memory=28 << 30, shared_memory=1 << 30, processes=1024
)


def failed(readings: Readings, needed: Resources = BIG) -> dict[str, Check]:
    return {check.name: check for check in examine_machine(readings, needed) if check.failed}


def changed(**values: object) -> Readings:
    return dataclasses.replace(GOOD, **values)


def test_a_machine_that_has_everything_passes():
    assert failed(GOOD) == {}


@pytest.mark.parametrize(
    ("values", "name", "remedy"),
    [
        ({"python": "3.11.9"}, "python", "for Python 3.12"),
        ({"memory": 8 << 30}, "memory", "lower compute.workers"),
        ({"memory_limit": 4 << 30}, "memory", "--memory"),
        ({"process_limit": 100}, "process limit", "--pids-limit 1024"),
        ({"shared_memory": 64 << 20}, "shared memory", "--shm-size 1024m"),
        ({"gpus": ()}, "gpu", "docker run --gpus all"),
        ({"gpus": (), "in_image": False}, "gpu", "install an NVIDIA driver"),
        ({"gpus": (), "gpu_devices": True}, "gpu", "NVIDIA_DRIVER_CAPABILITIES"),
        ({"gpus": (Gpu("A100", "550.54", "8.0", 80 << 30),)}, "driver", "needs driver 580"),
        ({"gpus": (Gpu("T4", "580.1", "7.5", 80 << 30),)}, "compute capability", "Ampere"),
        ({"gpus": (Gpu("A10", "580.1", "8.6", 16 << 30),)}, "gpu memory", "are needed"),
    ],
)
def test_each_shortage_is_one_line_with_its_remedy(values, name, remedy):
    wrong = failed(changed(**values))
    assert list(wrong) == [name]
    assert remedy in wrong[name].remedy
    assert wrong[name].exit_code == 3


def test_a_card_that_is_too_small_is_told_what_needs_how_much():
    needs = {"answering": 21_100_000_000, "training dpo": 7_600_000_000}
    both = Resources(gpu=True, gpu_memory=21_100_000_000, gpu_needs=needs)
    small = changed(gpus=(Gpu("A10", "580.1", "8.6", 16 << 30),))
    (found,) = failed(small, both).values()
    assert "answering 21.1, training dpo 7.6 GB" in found.found
    assert found.remedy.startswith("about 21.1 GB for answering are needed")
    assert "max_adapters" in found.remedy
    tiny = changed(gpus=(Gpu("P4", "580.1", "8.0", 6 << 30),))
    assert "7.6 GB for training dpo" in failed(tiny, both)["gpu memory"].remedy


@pytest.mark.parametrize(
    ("name", "gigabytes", "passes"),
    [("pebench", 24, True), ("pebench-qwen", 24, True), ("pebench-qwen", 16, False)],
)
def test_cards_of_24_gigabytes_hold_both_bases_and_smaller_ones_neither(name, gigabytes, passes):
    """The needs of training and serving follow from the sizes of the base, not from a factor."""
    asked = resources_of(load_manifest(PROJECT / f"manifests/{name}.toml"))
    card = changed(memory=1 << 40, gpus=(Gpu("card", "580.1", "8.6", gigabytes * 10**9),))
    assert ("gpu memory" not in failed(card, asked)) is passes
    assert set(asked.gpu_needs) == {"answering", "training cmju"}


def test_the_doctor_says_how_the_manifest_is_trained_on_the_largest_gpu(monkeypatch, tmp_path):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    small = Gpu("A10", "580.1", "8.6", 24 * 10**9)
    found = {
        check.name: check
        for check in examine(PROJECT / "manifests/pebench.toml", changed(gpus=(small, A100)))
    }
    assert "micro-batch 8: fine-tuning, ga" in found["training on the gpu"].found
    assert "656 tokens a record assumed" in found["training on the gpu"].found


def test_a_system_library_that_no_wheel_includes_is_required():
    found = {c.name: c for c in examine_packages(changed(missing_libraries=("libnuma.so.1",)))}
    assert found["libnuma.so.1"].failed
    assert "install libnuma1" in found["libnuma.so.1"].remedy


def test_a_manifest_without_a_gpu_asks_for_none():
    assert failed(changed(gpus=(), shared_memory=64 << 20), Resources()) == {}
    small = resources_of(load_manifest(TOY))
    assert small == Resources(memory=small.memory)
    assert small.memory == pytest.approx(Resources().memory, rel=0.05), "two workers, as measured"
    asked = resources_of(load_manifest(PEBENCH))
    assert asked.gpu
    assert 20e9 < asked.gpu_memory < 24e9


def with_workers(path: Path, workers: int, **evaluation: object) -> Manifest:
    loaded = load_manifest(path)
    return loaded.model_copy(
        update={
            "compute": loaded.compute.model_copy(update={"workers": workers}),
            "evaluation": loaded.evaluation.model_copy(update=evaluation),
        }
    )


# Peaks of the sum of Pss: a small run with 1 to 3 workers, and all of ./run.sh all with 2.
@pytest.mark.parametrize(
    ("workers", "measured"), [(1, 2.37e9), (2, 4.06e9), (3, 5.84e9), (2, 5.0e9)]
)
def test_the_memory_that_was_measured_is_asked_for_and_not_twice_as_much(workers, measured):
    assert measured < resources_of(with_workers(TOY, workers)).memory < 2 * measured


def test_a_machine_that_holds_two_workers_is_told_that_it_does_not_hold_four():
    usable = changed(memory=7_000_000_000)
    assert not failed(usable, resources_of(with_workers(TOY, 2)))
    wrong = failed(usable, resources_of(with_workers(TOY, 4)))
    assert list(wrong) == ["memory"]
    assert wrong["memory"].remedy == "12 GB are needed: lower compute.workers in the manifest"


def test_each_worker_of_a_large_base_reads_it_and_one_alone_writes_it_for_serving():
    asked = [resources_of(with_workers(PEBENCH, n)).memory for n in (1, 2, 3, 4, 5)]
    assert asked[0] > 2 * DEFAULT_WEIGHT_BYTES, "two copies at least while writing"
    steps = [more - less for less, more in pairwise(asked)]
    assert steps[1] == pytest.approx(
        DEFAULT_WEIGHT_BYTES + PROMPT_CACHE_BYTES + SPARE_FACTOR * WORKER_BYTES
    )
    assert steps[1:] == pytest.approx(steps[1:2] * 3), "every further one adds the same"


def test_merged_weights_are_held_by_every_engine_and_adapters_are_served_by_one():
    of_adapters, merged = (
        resources_of(with_workers(PEBENCH, 4, serving=serving)).memory
        for serving in ("adapters", "merged")
    )
    assert merged - of_adapters > 4 * (DEFAULT_WEIGHT_BYTES / 2)
    assert (PROMPT_CACHE_BYTES, IMAGE_BYTES) == (
        batches.PROMPT_CACHE_BYTES,
        vllm.MAX_IMAGE_BYTES,
    ), "resources.py must not import torch, and repeats the numbers"


def test_the_largest_of_several_gpus_decides():
    small = Gpu("T4", "580.1", "7.5", 16 << 30)
    assert failed(changed(gpus=(small, A100, small))) == {}


def places(monkeypatch, tmp_path, readings, needed=Resources()):  # noqa: B008 - a frozen value
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PEBENCH_RESULTS", str(tmp_path / "results"))
    return {check.name: check for check in examine_places(readings, needed)}


def mounted(tmp_path, **kinds):
    usual = {"cache": Mount(False, False), "results": Mount(False, False), **kinds}
    return changed(mounts={str(tmp_path / name): mount for name, mount in usual.items()})


def test_folders_that_are_mounted_pass(monkeypatch, tmp_path):
    found = places(monkeypatch, tmp_path, mounted(tmp_path))
    assert not any(check.failed or check.remedy for check in found.values())


def test_results_that_would_end_with_the_container_fail(monkeypatch, tmp_path):
    lost = mounted(tmp_path, results=Mount(False, True), cache=Mount(False, True))
    for readings in (lost, changed(mounts={})):
        found = places(monkeypatch, tmp_path, readings)
        assert found["results"].failed
        assert found["results"].exit_code == 7
        assert f"{tmp_path}/results" in found["results"].remedy
        assert not found["cache"].failed, "a cache is made again"
        assert "with the container" in found["cache"].found


def test_a_read_only_mount_is_named(monkeypatch, tmp_path):
    found = places(monkeypatch, tmp_path, mounted(tmp_path, results=Mount(True, False)))
    assert found["results"].found == f"{tmp_path}/results is mounted read-only"
    assert found["results"].exit_code == 7


def test_too_small_a_disk_is_named(monkeypatch, tmp_path):
    found = places(monkeypatch, tmp_path, mounted(tmp_path), Resources(disk=1 << 60))
    assert found["cache"].failed
    assert "free some space" in found["cache"].remedy
    assert not found["results"].failed


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_of_another_user_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PEBENCH_RESULTS", "/usr")
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    found = {check.name: check for check in examine_places(GOOD, Resources())}
    assert "--user 0" in found["results"].remedy


def test_the_exit_code_is_the_first_failure_s():
    passed, full = Check("a", "x"), Check("b", "x", True, "r", 7)
    assert exit_code([passed]) == 0
    assert exit_code([passed, full, Check("c", "x", True, "r", 4)]) == 7


def test_a_broken_manifest_is_a_failed_line_and_the_rest_is_still_checked(tmp_path):
    checks = examine(tmp_path / "nothing.toml", GOOD)
    by_name = {check.name: check for check in checks}
    assert by_name["inputs"].exit_code == 2
    assert not by_name["memory"].failed
    shown = json.loads(render(checks, as_json=True))
    assert {"name", "found", "failed", "remedy", "exit_code"} == set(shown[0])


def test_mounts_are_read_with_their_kind():
    volume = "/var/lib/docker/volumes/" + "a1" * 32 + "/_data"
    text = (
        "22 1 0:20 / / ro,relatime - overlay overlay rw\n"
        f"30 22 8:1 {volume} /results rw,nosuid - ext4 /dev/sda rw\n"
        "31 22 8:1 /home/me/my\\040cache /my\\040cache ro - ext4 /dev/sda rw\n"
        "not a line\n"
    )
    assert parse_mounts(text) == {
        "/": Mount(True, False),
        "/results": Mount(False, True),
        "/my cache": Mount(True, False),
    }


def test_limits_of_both_versions_of_control_groups_are_read(tmp_path):
    (tmp_path / "memory").mkdir()
    old = tmp_path / "memory/limit_in_bytes"
    old.write_text("9223372036854771712\n")
    assert read_limit("memory.max", "memory/limit_in_bytes", tmp_path) is None
    old.write_text("1000\n")
    assert read_limit("memory.max", "memory/limit_in_bytes", tmp_path) == 1000
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "pids.max").write_text("64\n")
    assert read_limit("pids.max", "pids/pids.max", tmp_path) == 64


def test_gpus_are_what_the_driver_s_program_says(monkeypatch, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA H100 80GB HBM3, 580.95.05, 9.0, 81559'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert gpus() == (Gpu("NVIDIA H100 80GB HBM3", "580.95.05", "9.0", 81559 << 20),)
    program.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    assert gpus() == ()
    program.write_text("#!/bin/sh\necho 'GRID, [N/A], [N/A], [N/A]'\n")
    assert gpus() == ()
