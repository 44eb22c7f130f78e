"""docker/Dockerfile and its scripts: properties that users rely on, and linters."""

import json
import re
import shutil
import subprocess

import pytest

from kit.artifacts import PROJECT
from tests.cli.test_run_sh import PROGRAMS, SOURCED
from tests.runs.container_tools import tool

TEXT = (PROJECT / "docker/Dockerfile").read_text(encoding="utf-8")
TARGETS = ("cpu", "gpu")


def instructions() -> list[tuple[str, str]]:
    """Return (KEYWORD, rest) of each instruction, with its continued lines joined."""
    lines = "\n".join(line for line in TEXT.splitlines() if not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", lines)
    return [tuple(line.split(" ", 1)) for line in joined.splitlines() if line]


def stage(name: str) -> list[tuple[str, str]]:
    """Return the instructions of the stage `name`, without its FROM."""
    found, inside = [], False
    for keyword, rest in instructions():
        if keyword == "FROM":
            inside = rest.endswith(f" AS {name}")
        elif inside:
            found.append((keyword, rest))
    return found


def test_the_base_is_pinned_by_digest_and_everything_else_follows_from_it():
    [default] = re.findall(r"^ARG BASE_IMAGE=(\S+)$", TEXT, re.MULTILINE)
    assert re.fullmatch(r"docker\.io/nvidia/cuda:13\.0\.3-\S+@sha256:[0-9a-f]{64}", default)
    stages = [f"{target}-{part}" for target in TARGETS for part in ("system", "environment")]
    for keyword, rest in instructions():
        if keyword == "FROM":
            assert rest.split(" ")[0] in {"${BASE_IMAGE}", "scratch", *stages}
    assert re.search(r"^ARG APT_SNAPSHOT=\d{8}T\d{6}Z$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_runs_run_sh_as_an_ordinary_user(target):
    final = dict(stage(target))
    assert json.loads(final["ENTRYPOINT"]) == ["/opt/pebench/run.sh"]
    assert final["USER"] == "1000:1000"
    assert json.loads(final["VOLUME"]) == ["/cache", "/results"]
    assert "/opt/pebench/run.sh" in final["HEALTHCHECK"]
    assert "WORKDIR" not in final
    for name in (
        "PEBENCH_ENV=/opt/environment",
        "PEBENCH_CACHE=/cache",
        "PEBENCH_RESULTS=/results",
    ):
        assert name in final["ENV"]
    for label in ("org.opencontainers.image.revision", "org.pebench.lock.sha256"):
        assert label in final["LABEL"]
    documentation = 'org.opencontainers.image.documentation="file:///opt/pebench/README.md"'
    assert documentation in final["LABEL"]
    assert ("COPY", ". /opt/pebench") in stage(f"{target}-project"), "the README is there"


def test_both_targets_differ_in_what_a_gpu_needs_alone():
    def generic(target: str) -> list[str]:
        text = "\n".join(f"{k} {r}" for part in ("", "-project") for k, r in stage(target + part))
        text = re.sub(r"\s+CUDA_HOME=\S+\s+NVIDIA_\S+\s+NVIDIA_\S+", "", text)
        return [" ".join(line.split()) for line in text.replace(target, "TARGET").splitlines()]

    assert generic("cpu") == generic("gpu")


def test_secrets_are_optional_and_nothing_of_them_can_be_left():
    mounts = re.findall(r"--mount=(\S*type=secret\S*)", TEXT)
    assert mounts
    for mount in mounts:
        assert "required=false" in mount
        assert "target=/run/secrets/" in mount
    for target in TARGETS:
        assert not any(keyword in {"RUN", "ADD"} for keyword, _ in stage(target))


def test_every_builder_can_read_the_file():
    assert not any("<<" in rest or "--link" in rest for _, rest in instructions())
    assert not TEXT.startswith("# syntax")
    assert not any(keyword in {"ADD", "SHELL"} for keyword, _ in instructions())
    for keyword, rest in instructions():
        assert keyword != "RUN" or "|" not in rest, "a pipe hides a failure"


def test_the_context_holds_what_git_knows_and_no_cache_key_or_result():
    lines = (PROJECT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    kept = {line[1:] for line in lines if line.startswith("!")}
    assert {"kit", "docker", "manifests", "checksums", "run.sh"} <= kept
    assert not kept & {".cache", "results", ".git", "data", "."}


def test_hadolint_finds_nothing():
    done = subprocess.run(
        [tool("hadolint"), PROJECT / "docker/Dockerfile"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("script", [*PROGRAMS, *SOURCED])
def test_scripts_have_shfmt_s_form(script):
    command = [tool("shfmt"), "-i", "2", "-ci", "-d", PROJECT / script]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.network
@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed")
@pytest.mark.parametrize(
    "platform",
    [
        *("gpu", "uv", "tools", "ray", "rayjob"),
        # Resolved for each Python and platform, which takes minutes.
        *(pytest.param(name, marks=pytest.mark.extended) for name in ("cpu", "verify", "keyless")),
    ],
)
def test_the_locks_are_what_requirements_in_gives(platform):
    done = subprocess.run(
        ["docker/lock.sh", platform, "--check"], cwd=PROJECT, capture_output=True, text=True
    )
    # A requirement that cannot be met fails the test; an index that does not answer does not.
    if re.search("error sending request|failed to fetch|timed out", done.stderr, re.IGNORECASE):
        pytest.skip(f"no package index: {done.stderr[:200]}")
    assert done.returncode == 0, done.stderr
