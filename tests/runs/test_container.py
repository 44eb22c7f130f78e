"""Build and run the real cpu image, without a daemon, a registry or a GPU.

The base is made from Debian packages, because a container registry is not available everywhere;
all layers above it are those that users get. Needs root, buildah, mmdebstrap, podman, runc and
uidmap, a package index, 25 GB of disk and about half an hour: `./run.sh test -m container`.
`PEBENCH_TEST_WHEELS` names a folder of additional wheels, `PEBENCH_TEST_CA` the certificate of a
proxy.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from kit.artifacts import PROJECT
from tests.runs.container_tools import require_programs, storage, tool

pytestmark = pytest.mark.container
BASE = "localhost/stand-in-base:bookworm"
USER = 12345
LARGEST = 5_000_000_000


class Machine:
    """A copy of the project, with separate folders for images, results and cache."""

    def __init__(self, root: Path) -> None:
        self.root, self.project = root, root / "project"
        self.environment = storage(root)
        self.environment["PEBENCH_CACHE"] = str(root / "cache")
        self.environment["XDG_CONFIG_HOME"] = str(root / "config")
        self.environment.pop("PEBENCH_ENV", None)
        kept = ("kit", "docker", "manifests", "checksums", "tests")
        for name in kept:
            shutil.copytree(
                PROJECT / name, self.project / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        for name in ("run.sh", "README.md", "pyproject.toml", "LICENSE", ".dockerignore"):
            shutil.copy(PROJECT / name, self.project)

    def call(self, *command: object, code: int = 0, **environment: str) -> str:
        """Run a command in the project; return both of its streams. It must exit with `code`."""
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.project,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout[-3000:]
        return done.stdout

    def make_base(self) -> None:
        tar = self.root / "base.tar"
        packages = "--include=ca-certificates,python3,python3-venv"
        # Settings of this machine's package mirror must not be in the image.
        clean = '--customize-hook=rm -f "$1/etc/resolv.conf" "$1/etc/hostname"'
        self.call("mmdebstrap", "--variant=minbase", packages, clean, "bookworm", tar)
        container = self.call("buildah", "from", "scratch").strip()
        self.call("buildah", "add", "--quiet", container, tar, "/")
        self.call("buildah", "commit", "--quiet", "--format", "docker", container, BASE)
        self.call("buildah", "rm", container)
        tar.unlink()

    def build(self, *options: str, code: int = 0, base: str = BASE) -> str:
        given = ["--builder", "buildah", "--base-image", base, "--apt-snapshot", ""]
        if wheels := os.environ.get("PEBENCH_TEST_WHEELS"):
            given += ["--wheels", wheels]
        if certificate := os.environ.get("PEBENCH_TEST_CA"):
            given += ["--ca", certificate]
        return self.call("./run.sh", "image", "build", *given, *options, code=code)

    def image(self) -> str:
        """Return the name of the image of this source."""
        script = "source docker/runner.sh; image_name cpu"
        return self.call("bash", "-c", script, project=str(self.project))

    def podman(self, *arguments: object, user: int = USER, code: int = 0) -> str:
        """Run the image with the hardening that the documentation describes."""
        hard = ["--rm", "--network", "none", "--read-only", "--read-only-tmpfs=false"]
        hard += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
        hard += ["--no-healthcheck", "--user", f"{user}:{user}"]
        return self.call("podman", "run", *hard, *arguments, code=code)

    def remove(self) -> None:
        """Remove images and layers; mounts that a killed build left would block this."""
        for kind in (("rm", "--all"), ("rmi", "--all", "--force")):
            subprocess.run(
                ["buildah", *kind], env=self.environment, capture_output=True, check=False
            )
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        for target in sorted((line.split()[4] for line in lines), reverse=True):
            if target.startswith(f"{self.root}/"):
                subprocess.run(["umount", "--lazy", target], check=False)
        shutil.rmtree(self.root, ignore_errors=True)

    def folder(self, name: str, user: int = USER) -> Path:
        made = self.root / name
        made.mkdir(exist_ok=True)
        os.chown(made, user, user)
        return made


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    require_programs("buildah", "mmdebstrap", "podman", "runc")
    if os.getuid() != 0:
        pytest.skip("needs root: a stand-in base is made with its own users")
    made = Machine(tmp_path_factory.mktemp("container"))
    made.make_base()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def built(machine) -> Machine:
    said = machine.build()
    assert "image: ready after" in said
    return machine


def records(machine: Machine) -> Path:
    [folder] = (machine.root / "cache/image").glob("cpu-*")
    return folder


def test_a_base_that_cannot_be_pulled_is_named(machine):
    said = machine.build(base="localhost/nothing:here", code=15)
    assert "the base image cannot be pulled" in said
    assert "expected: localhost/nothing:here" in said
    assert "--base-image NAME@sha256:DIGEST" in said


def test_a_lock_that_does_not_match_is_refused_before_the_build(machine):
    source = machine.project / "docker/requirements.in"
    kept = source.read_text()
    source.write_text(kept.replace("click==", "click==9"))
    said = machine.build(code=3)
    source.write_text(kept)
    assert "does not match requirements.in" in said
    assert "remedy: docker/lock.sh cpu" in said


def test_a_cancelled_build_leaves_nothing_that_is_used(machine):
    done = subprocess.Popen(
        ["./run.sh", "image", "build", "--builder", "buildah", "--base-image", BASE],
        cwd=machine.project,
        env=machine.environment,
        start_new_session=True,
    )
    try:
        done.wait(timeout=3)
    except subprocess.TimeoutExpired:
        os.killpg(done.pid, 9)
        done.wait()
    said = machine.call("./run.sh", "--runner", "podman", "doctor", code=3)
    assert "podman has no image" in said


def test_the_image_is_small_enough_and_labelled(built):
    [shown] = json.loads(built.call("podman", "image", "inspect", built.image()))
    assert shown["Size"] < LARGEST
    labels = shown["Config"]["Labels"]
    lock = built.call("sha256sum", "docker/requirements.cpu.lock").split()[0]
    assert labels["org.pebench.lock.sha256"] == lock
    assert labels["org.opencontainers.image.base.name"] == BASE


def test_nothing_of_the_build_is_left_in_the_image(built):
    left = (
        "find / -xdev ( -path /proc -o -path /sys ) -prune -o "
        "( -path '/run/secrets/*' -o -path '/build/*' -o -name 'pip.conf' -o -name build.log "
        "-o -name '*.key' ) -print"
    )
    arguments = [part.strip("'") for part in left.split()]
    said = built.podman("--entrypoint", arguments[0], built.image(), *arguments[1:], user=0)
    assert [line for line in said.splitlines() if not line.startswith("find:")] == []


def test_the_records_of_the_image_are_right(built):
    folder = records(built)
    inputs = json.loads((folder / "inputs.json").read_text())
    for name, digest in inputs["records"].items():
        assert built.call("sha256sum", folder / name).split()[0] == digest
    [shown] = json.loads(built.call("podman", "image", "inspect", built.image()))
    statement = json.loads((folder / "provenance.json").read_text())
    assert statement["subject"][0]["digest"]["sha256"] == shown["Id"]
    check = (
        "import sys; from cyclonedx.schema import SchemaVersion as V; "
        "from cyclonedx.validation.json import JsonStrictValidator as J; "
        "wrong = J(V.V1_6).validate_str(open(sys.argv[1]).read()); "
        "sys.exit(str(wrong) if wrong else 0)"
    )
    built.call(tool("python"), "-c", check, folder / "sbom.cdx.json")


def test_doctor_in_the_image_says_what_is_missing(built):
    image = built.image()
    said = built.podman(image, "doctor", code=7)
    assert "FAIL  results: " in said
    assert "with the container" in said
    out = built.folder("out")
    assert "FAIL" not in built.podman("-v", f"{out}:/results", image, "doctor")
    said = built.podman("-v", f"{out}:/results:ro", image, "doctor", code=7)
    assert "/results is mounted read-only" in said
    said = built.podman("-v", f"{out}:/results", image, "doctor", user=54321, code=7)
    assert f"it belongs to user {USER}: start the container with --user {USER}" in said
    said = built.podman("-v", f"{out}:/results", image, "doctor", "manifests/pebench.toml", code=3)
    assert "docker run --gpus all" in said


def test_the_small_experiment_runs_and_its_result_verifies_outside(built):
    """No network, a read-only root, and a user unknown to the image; then `verify` outside."""
    cache, out = built.folder("small-cache"), built.folder("small-out")
    said = built.podman("-v", f"{cache}:/cache", "-v", f"{out}:/results", built.image(), "all")
    assert "files are exactly those that were signed" in said
    [result] = out.glob("smoke-*")
    key = cache / "home/.config/pebench/runner.pub"
    verified = subprocess.run(
        [PROJECT / "run.sh", "verify", result, "--trust", key], capture_output=True, text=True
    )
    assert verified.returncode == 0, verified.stderr
    stated = json.loads((result / "run.json").read_text())["environment"]
    assert stated["image_target"] == "cpu"
    assert stated["image_sbom_digest"]


def test_without_arguments_the_image_says_what_to_do(built):
    said = built.podman(built.image())
    assert "Say what it should do" in said
    assert "docker run --rm IMAGE verify manifests/reference/smoke" in said


def test_the_docker_runner_runs_the_small_experiment_where_no_gpu_is(built):
    """Podman under the name of docker: its daemon is not everywhere, the options are the same."""
    docker = built.root / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f'#!/bin/sh\nexec {shutil.which("podman")} "$@"\n')
    docker.chmod(0o755)
    path = f"{docker.parent}:{os.environ['PATH']}"
    said = built.call("./run.sh", "--runner", "docker", "all", "--offline", PATH=path)
    assert "files are exactly those that were signed" in said
    [result] = (built.project / "results").glob("smoke-*")
    stated = json.loads((result / "run.json").read_text())["environment"]
    assert stated["image_target"] == "cpu"


def test_the_runner_does_the_same_from_outside(built):
    for arguments in (("doctor",), ("fetch", "--offline"), ("data", "describe"), ("plan",)):
        said = built.call("./run.sh", "--runner", "podman", *arguments)
        assert "FAIL" not in said
    assert (built.root / "cache/data").is_dir()


def test_the_same_inputs_give_the_same_image(built):
    first = json.loads(built.call("podman", "image", "inspect", built.image()))[0]["Id"]
    built.build("--no-cache")
    second = json.loads(built.call("podman", "image", "inspect", built.image()))[0]["Id"]
    assert first == second


def test_an_export_has_its_digest_beside_it(built):
    built.call("./run.sh", "image", "export", built.root / "kit.tar", "--builder", "buildah")
    checked = subprocess.run(
        ["sha256sum", "--check", "kit.tar.sha256"], cwd=built.root, capture_output=True, text=True
    )
    assert checked.returncode == 0
