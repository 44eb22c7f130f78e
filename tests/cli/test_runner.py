"""run.sh --runner: the command line of the container program, and errors before it starts.

Each runner is a substitute on the PATH that records its arguments; tests/runs/test_container.py
uses the real ones.
"""

import hashlib
import itertools
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.cli.test_run_sh import REPOSITORY, Project, make_program

RECORDER = """#!{python}
import json, os, sys
if sys.argv[1] == "version" or sys.argv[1:3] == ["image", "inspect"]:
    sys.exit(int(os.environ.get("FAILS", "") == " ".join(sys.argv[1:3])[:7].strip()))
print(json.dumps(sys.argv[1:]))
"""


class Place(Project):
    """A copy of run.sh with substitutes for the three runners, and no real runner."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        shutil.copytree(REPOSITORY / "manifests", root / "manifests")
        (root / "checksums").mkdir()
        self.tools = root.parent / "tools"
        self.tools.mkdir()
        names = "bash env readlink dirname sha256sum mkdir ls grep cat id stat find sort xargs mv"
        names += " awk flock head tail rm sed basename"
        for name in names.split():
            path = shutil.which(name)
            assert path, f"{name} is not installed"
            (self.tools / name).symlink_to(path)

    def install(self, *names: str) -> None:
        for name in names:
            make_program(self.tools / name, RECORDER.format(python=sys.executable))

    def call(self, *arguments: str, **environment: str):
        home = {"HOME": str(self.root.parent / "home"), "PATH": str(self.tools)}
        return self.run(*arguments, **home, **environment)

    def command(self, *arguments: str, **environment: str) -> list[str]:
        """Return the arguments of the runner, which must have been called."""
        called = self.call(*arguments, **environment)
        assert called.returncode == 0, called.stderr
        return list(json.loads(called.stdout))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "a project")
    made.install("docker", "podman", "apptainer")
    return made


def mounts(command: list[str]) -> dict[str, str]:
    """Return docker's and podman's mounts: target -> "source" or "source,readonly"."""
    found = {}
    for option, value in itertools.pairwise(command):
        if option == "--mount":
            fields = value.split(",")
            parts = dict(field.split("=", 1) for field in fields if "=" in field)
            found[parts["target"]] = parts["source"] + ",readonly" * ("readonly" in fields)
    return found


@pytest.mark.parametrize("runner", ["docker", "podman"])
def test_a_container_has_this_user_no_capability_and_a_read_only_root(place, runner):
    command = place.command("--runner", runner, "doctor")
    assert command[0] == "run"
    assert {"--rm", "--read-only"} <= set(command)
    for option, value in (
        ("--user", f"{os.getuid()}:{os.getgid()}"),
        ("--cap-drop", "ALL"),
        ("--security-opt", "no-new-privileges"),
        ("--shm-size", "1g"),
    ):
        assert command[command.index(option) + 1] == value
    assert command[-1] == "doctor"
    assert command[-2].startswith("localhost/pebench-kit:cpu-")
    assert not {"--gpus", "--device", "--network", "--memory"} & set(command)


def test_results_and_cache_are_writable_and_the_rest_is_not(place):
    found = mounts(place.command("--runner", "docker", "plan"))
    assert found[f"{place.root}/results"] == f"{place.root}/results"
    assert found[f"{place.root}/.cache"] == f"{place.root}/.cache"
    assert found["/opt/pebench/manifests"] == f"{place.root}/manifests,readonly"
    assert found["/opt/pebench/checksums"] == f"{place.root}/checksums,readonly"
    assert not any("keys" in target for target in found)


def test_the_key_is_there_only_where_a_verb_signs_or_verifies(place):
    keys = str(place.root.parent / "home/.config/pebench")
    assert "/keys/pebench" not in mounts(place.command("--runner", "docker", "verify"))
    assert mounts(place.command("--runner", "docker", "sign"))["/keys/pebench"] == keys
    verify = mounts(place.command("--runner", "docker", "verify"))
    assert verify["/keys/pebench"] == f"{keys},readonly"
    lock = mounts(place.command("--runner", "docker", "lock"))
    assert lock["/opt/pebench/checksums"] == f"{place.root}/checksums"


def test_files_that_arguments_name_are_mounted_where_they_are(place, tmp_path):
    mine, key = tmp_path / "my manifest.toml", tmp_path / "their.pub"
    mine.write_text((REPOSITORY / "manifests/smoke.toml").read_text())
    key.touch()
    command = place.command("--runner", "podman", "verify", str(mine), f"--trust={key}")
    assert command[-2:] == [str(mine), f"--trust={key}"]
    assert mounts(command)[str(mine)] == f"{mine},readonly"
    assert mounts(command)[str(key)] == f"{key},readonly"
    own = place.command("--runner", "docker", "plan", f"{place.root}/manifests/smoke.toml")
    assert own[-1] == "/opt/pebench/manifests/smoke.toml"
    tar = place.command("--runner", "docker", "data", "export", str(mine), f"{tmp_path}/all.tar")
    assert tar[-1] == f"{tmp_path}/all.tar"
    assert mounts(tar)[str(tmp_path)] == str(tmp_path)


def test_offline_has_no_network_and_limits_are_passed_on(place):
    command = place.command(
        "all", "--runner=docker", "--memory", "6g", "--shm-size=2g", "--offline"
    )
    for option, value in (("--network", "none"), ("--memory", "6g"), ("--shm-size", "2g")):
        assert command[command.index(option) + 1] == value
    assert command[-2:] == ["all", "--offline"]


@pytest.mark.parametrize(
    ("runner", "options"),
    [
        ("docker", ["--gpus", "all"]),
        ("podman", ["--device", "nvidia.com/gpu=all"]),
        ("apptainer", ["--nv"]),
    ],
)
def test_a_gpu_is_given_where_there_is_one(place, runner, options):
    make_program(place.tools / "nvidia-smi", "#!/bin/sh\nexit 0\n")
    image = place.root / "kit.sif"
    image.touch()
    command = place.command("--runner", runner, "--image", str(image), "doctor")
    position = command.index(options[0])
    assert command[position : position + len(options)] == options
    if runner != "apptainer":
        assert command[command.index("--shm-size") + 1] == "8g"


@pytest.mark.parametrize("driver", [None, "#!/bin/sh\nexit 9\n"], ids=["none", "without a GPU"])
def test_without_an_nvidia_gpu_all_runs_the_small_experiment_in_the_cpu_image(place, driver):
    if driver:
        make_program(place.tools / "nvidia-smi", driver)
    command = place.command("--runner", "docker", "all")
    assert command[-2].startswith("localhost/pebench-kit:cpu-")
    assert command[-1] == "all", "the default manifest is the small experiment"
    assert not {"--gpus", "--device"} & set(command)


def test_a_page_is_written_where_its_option_says(place, tmp_path):
    for verb, option in (("board", "--to"), ("compare", "--html"), ("report", "--to")):
        command = place.command("--runner", "docker", verb, "r", option, str(tmp_path / "new"))
        assert command[-1] == str(tmp_path / "new")
        assert mounts(command)[str(tmp_path)] == str(tmp_path), "the folder around it is writable"


def test_a_container_without_a_verb_says_what_to_do(place):
    (place.root / "image").mkdir()
    shutil.copy(REPOSITORY / "docker" / "welcome.txt", place.root / "docker")
    called = place.call()
    assert (called.returncode, called.stderr) == (0, "")
    lines = called.stdout.splitlines()
    assert len(lines) < 30
    assert max(map(len, lines)) <= 105
    for verb in ("verify manifests/reference/smoke", "doctor", "all", "--help"):
        assert f"IMAGE {verb}" in called.stdout
    assert "/opt/pebench/README.md" in called.stdout
    assert not place.cache.exists(), "nothing is written"


def test_a_manifest_for_a_gpu_takes_the_gpu_image_and_stops_where_there_is_none(place):
    looked = place.command("--runner", "docker", "plan", "manifests/pebench.toml")
    assert looked[-3].startswith("localhost/pebench-kit:gpu-")
    refused = place.call("--runner", "docker", "all", "manifests/pebench.toml")
    assert refused.returncode == 3
    assert "needs a GPU, and none is visible" in refused.stderr
    assert refused.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        (["bench", "--gpu"], "gpu"),
        (["bench", "--gpu", "--family", "qwen2_5_vl"], "gpu"),
        (["bench", "--gpu", "--scale", "tiny"], "cpu"),
        (["bench", "hashing"], "cpu"),
        (["test", "-m", "gpu"], "gpu"),
        (["test", "tests/signing/test_keys.py"], "cpu"),
    ],
)
def test_what_measures_or_tests_a_gpu_takes_the_gpu_image(place, arguments, target):
    if target == "gpu":
        assert place.call("--runner", "docker", *arguments).returncode == 3, "there is none yet"
    make_program(place.tools / "nvidia-smi", "#!/bin/sh\nexit 0\n")
    command = place.command("--runner", "docker", *arguments)
    (image,) = [part for part in command if part.startswith("localhost/pebench-kit:")]
    assert image.startswith(f"localhost/pebench-kit:{target}-")


def test_apptainer_has_binds_and_no_home(place):
    image = place.root / "kit.sif"
    image.touch()
    command = place.command("--runner", "apptainer", "--image", str(image), "plan")
    assert command[:3] == ["run", "--containall", "--cleanenv"]
    assert f"{place.root}/results:{place.root}/results" in command
    assert f"{place.root}/manifests:/opt/pebench/manifests:ro" in command
    assert command[-2:] == [str(image), "plan"]


def test_nodes_of_a_ray_cluster_have_the_machine_s_own_network_and_the_key(place):
    command = place.command("--runner", "docker", "ray", "start", "--head", "--offline")
    assert command[command.index("--network") + 1] == "host"
    assert command.count("--network") == 1
    assert command[-4:] == ["ray", "start", "--head", "--offline"]
    assert "/keys/pebench" in mounts(command), "a job runs `all` on the first node"
    words = ["symmetric-run", "--address", "a:1", "--", "/opt/pebench/run.sh", "all"]
    own = place.command("--runner", "podman", "ray", *words, f"{place.root}/manifests/smoke.toml")
    assert own[-1] == "/opt/pebench/manifests/smoke.toml"


def test_a_token_reaches_the_container_by_name_alone(place):
    command = place.command("--runner", "docker", "fetch", HF_TOKEN="hf_secret")
    assert "HF_TOKEN" in command
    assert not any("hf_secret" in argument for argument in command)


@pytest.mark.parametrize(
    ("arguments", "passed"),
    [
        (("ray", "start", "--head"), True),
        (("all", "--executor", "ray", "--store", "s3://b/x"), True),
        (("all", "--executor=ray", "--store=s3://b/x"), True),
        (("all", "--executor", "ray"), False),
    ],
)
def test_a_key_of_an_object_store_reaches_only_what_asks_the_store(place, arguments, passed):
    keys = {"AWS_SECRET_ACCESS_KEY": "canary", "AWS_ENDPOINT_URL": "http://x:1"}
    command = place.command("--runner", "docker", *arguments, **keys)
    assert ("AWS_SECRET_ACCESS_KEY" in command, "AWS_ENDPOINT_URL" in command) == (passed, passed)
    assert not any("canary" in argument for argument in command)


def test_a_passphrase_reaches_the_container_by_name_or_as_its_file(place):
    file = place.root.parent / "passphrase"
    file.write_text("secret words")
    command = place.command(
        "--runner", "docker", "sign", PEBENCH_PASSPHRASE="secret words",
        PEBENCH_PASSPHRASE_FILE=str(file),
    )  # fmt: skip
    assert "PEBENCH_PASSPHRASE" in command
    assert f"type=bind,source={file},target={file},readonly" in command
    assert f"PEBENCH_PASSPHRASE_FILE={file}" in command
    assert not any("secret words" in argument for argument in command)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--runner", "lxc", "all"], 2, "unknown runner lxc"),
        (["all", "--runner"], 2, "--runner has no value"),
        (["--runner", "docker", "evalute"], 2, "unknown verb evalute"),
        (["image", "buidl"], 2, "image has no option buidl"),
        (["image", "export"], 2, "image export has no file"),
        (["image", "--builder", "kaniko"], 2, "unknown builder kaniko"),
    ],
)
def test_what_is_not_known_is_refused(place, arguments, code, said):
    refused = place.call(*arguments)
    assert (refused.returncode, refused.stdout) == (code, "")
    assert said in refused.stderr
    assert "remedy: " in refused.stderr


def test_a_runner_that_is_not_there_is_named(place):
    (place.tools / "podman").unlink()
    refused = place.call("--runner", "podman", "doctor")
    assert refused.returncode == 3
    assert "podman is not installed" in refused.stderr
    assert "remedy: install podman" in refused.stderr


def test_a_service_that_does_not_answer_is_named(place):
    refused = place.call("--runner", "docker", "doctor", FAILS="version")
    assert refused.returncode == 3
    assert "docker does not answer" in refused.stderr


def test_an_image_that_was_not_built_is_named(place):
    refused = place.call("--runner", "docker", "doctor", FAILS="image i")
    assert refused.returncode == 3
    assert "remedy: ./run.sh image build cpu --builder docker" in refused.stderr
    missing = place.call("--runner", "apptainer", "doctor")
    assert missing.returncode == 3
    assert "apptainer build" in missing.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another user")
def test_a_results_folder_of_another_user_is_refused_before_the_container(place):
    (place.root / "results").mkdir()
    os.chown(place.root / "results", 4321, 4321)
    refused = place.call("--runner", "docker", "doctor")
    assert refused.returncode == 7
    assert "belongs to another user" in refused.stderr
    assert "user id 4321" in refused.stderr
    assert "remedy: sudo chown" in refused.stderr


def test_a_build_hands_over_everything_that_pins_the_image(place):
    """The substitute prints its arguments into the log and builds nothing, so the build fails."""
    (place.root / "docker/Dockerfile").write_text("ARG BASE_IMAGE=base\n")
    (place.root / "docker/requirements.in").write_text("click==1.0  # cpu\nother==2  # gpu\n")
    (place.root / "docker/requirements.uv.lock").touch()
    given = [
        "--base-image",
        "mirror@sha256:ab",
        "--apt-snapshot",
        "20260101T000000Z",
        "--ca",
        "/ca",
    ]
    place.call("image", "build", "--builder", "podman", *given)
    command = json.loads((place.cache / "image/build-cpu.log").read_text())
    assert command[0] == "build"
    assert command[-1] == str(place.root)
    lock = (place.root / "docker/requirements.cpu.lock").read_bytes()
    for argument in (
        f"LOCK_SHA256={hashlib.sha256(lock).hexdigest()}",
        "BASE_IMAGE=mirror@sha256:ab",
        "APT_SNAPSHOT=20260101T000000Z",
        "SOURCE_DATE_EPOCH=1767225600",
        "REVISION=unknown",
    ):
        assert command[command.index(argument) - 1] == "--build-arg"
    assert "id=ca,src=/ca" in command
    assert command[command.index("--timestamp") + 1] == "1767225600"


def test_a_lock_that_does_not_match_requirements_stops_before_the_build(place):
    (place.root / "docker/requirements.in").write_text("tiny==2.0  # cpu\n")
    refused = place.call("image", "build", "--builder", "podman")
    assert refused.returncode == 3
    assert "does not match requirements.in" in refused.stderr
    assert "expected: it holds tiny==2.0" in refused.stderr
    assert "remedy: docker/lock.sh cpu" in refused.stderr


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_the_committed_locks_match_and_let_a_build_begin(place, target):
    for file in (REPOSITORY / "docker").glob("requirements.*"):
        shutil.copy(file, place.root / "docker")
    given = ["--base-image", "m@sha256:ab", "--apt-snapshot", "20260101T000000Z"]
    said = place.call("image", "build", target, "--builder", "podman", *given).stderr
    assert (place.cache / f"image/build-{target}.log").is_file(), said


def test_a_builder_that_does_not_answer_is_named(place):
    refused = place.call("image", "build", "--builder", "docker", FAILS="version")
    assert refused.returncode == 3
    assert "docker is not installed or does not answer" in refused.stderr
    for name in ("docker", "podman", "apptainer"):
        (place.tools / name).unlink()
    assert "no program to build images" in place.call("image").stderr


def test_the_image_is_named_by_the_source_and_not_by_manifests(place):
    first = place.command("--runner", "docker", "plan")[-2]
    (place.root / "manifests/mine.toml").touch()
    assert place.command("--runner", "docker", "plan")[-2] == first
    (place.root / "kit/new.py").touch()
    assert place.command("--runner", "docker", "plan")[-2] != first


def test_the_runner_venv_is_the_default(place):
    refused = place.call("--runner", "venv", "evalute")
    assert refused.returncode == 2
    assert "unknown verb evalute" in refused.stderr
