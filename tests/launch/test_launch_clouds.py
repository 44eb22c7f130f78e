"""plan --emit k8s and sky: checked with the official schemas if installed, and field by field."""

import re
import subprocess
import sysconfig
from pathlib import Path

import pytest
import yaml

from kit.experiment.manifest_file import load_manifest
from tests.launch.jobs import DIGEST, emit, gpu_text
from tests.runs.container_tools import tool
from tests.toys.dataset import own_text

# From SkyPilot's "SkyPilot YAML" reference; the names were also checked with SkyPilot 0.14.1.
SKY = {
    "name", "workdir", "resources", "envs", "secrets", "file_mounts", "setup", "run",
}  # fmt: skip
SKY_RESOURCES = {"cpus", "memory", "disk_size", "accelerators", "job_recovery"}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A folder used as the project: manifests for a GPU, of another, and with an odd name."""
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PEBENCH_RESULTS", str(tmp_path / "results"))
    monkeypatch.setattr("kit.launch.job.PROJECT", tmp_path)
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/gpu.toml").write_text(gpu_text())
    (tmp_path / "manifests/smoke.toml").write_text(own_text())
    short = 'extends = "smoke.toml"\nname = "short"\nseeds = [2, 3]\n'
    (tmp_path / "manifests/short.toml").write_text(short)
    odd = f"{own_text()}\n# \t\u00e9 \x85 \u2028 {{{{ x }}}} $HOME: 'q' \"q\" 😀\n\n\n"
    (tmp_path / 'manifests/it\'s $HOME "x": é.toml').write_text(odd)
    return tmp_path


def manifests(project: Path) -> list[Path]:
    found = sorted((project / "manifests").iterdir())
    assert len(found) == 4
    return found


def documents(*arguments: str | Path) -> list[dict]:
    return list(yaml.safe_load_all(emit("k8s", *arguments, "--accept-licences")))


def validate(*paths: Path) -> subprocess.CompletedProcess[str]:
    """Check files with the schemas that Kubernetes publishes; unknown fields are errors."""
    command = [tool("kubernetes-validate"), "--strict", *paths]
    return subprocess.run(command, capture_output=True, text=True)


def test_kubernetes_own_schema_takes_every_job(project, tmp_path):
    files = []
    for path in manifests(project):
        for more in ([], ["--time", "2-00:00:00", "--restarts", "0"]):
            files.append(tmp_path / f"{len(files)}.yaml")
            files[-1].write_text(emit("k8s", path, "--accept-licences", *more))
    checked = validate(*files)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    kinds = re.findall(r"passed for resource (\w+)/", checked.stdout + checked.stderr)
    assert kinds == ["persistentvolumeclaim", "configmap", "job"] * len(files)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  backoffLimit: 3", "  backofLimit: 3"),
        ("            readOnlyRootFilesystem:", "            readOnlyRootFileSystem:"),
        ("  backoffLimit: 3", '  backoffLimit: "3"'),
    ],
)
def test_the_schema_refuses_what_is_misspelt(project, tmp_path, old, new):
    good = emit("k8s")
    assert old in good
    (tmp_path / "job.yaml").write_text(good.replace(old, new))
    assert validate(tmp_path / "job.yaml").returncode != 0


def test_a_pod_runs_as_an_ordinary_user_and_can_write_only_in_its_volumes(project):
    *_, job = documents(project / "manifests/gpu.toml")
    pod = job["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == 1000
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    volumes = {volume["name"] for volume in pod["volumes"]}
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert {mount["name"] for mount in mounts.values()} == volumes
    assert set(mounts) == {"/data", "/manifests", "/dev/shm", "/tmp", "/opt/pebench/data/pope"}
    assert mounts["/opt/pebench/data/pope"]["subPath"] == "folders/pope"
    places = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert places["PEBENCH_CACHE"].startswith("/data/")
    assert places["PEBENCH_RESULTS"].startswith("/data/")
    assert places["XDG_CONFIG_HOME"].startswith("/data/")


def test_a_gpu_and_a_token_are_asked_for_where_they_are_needed(project):
    *_, job = documents(project / "manifests/gpu.toml")
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["image"] == DIGEST
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 2
    [token] = [entry for entry in container["env"] if entry["name"] == "HF_TOKEN"]
    assert token["valueFrom"] == {"secretKeyRef": {"name": "hf-token", "key": "token"}}
    *_, small = documents()
    said = str(small)
    assert "nvidia" not in said
    assert "HF_TOKEN" not in said


def test_shared_memory_is_part_of_the_memory(project):
    *_, job = documents(project / "manifests/gpu.toml")
    pod = job["spec"]["template"]["spec"]
    [shared] = [v["emptyDir"] for v in pod["volumes"] if v["name"] == "shared-memory"]
    assert shared["medium"] == "Memory"
    shared_mib = int(shared["sizeLimit"].removesuffix("Mi"))
    assert (
        int(pod["containers"][0]["resources"]["limits"]["memory"].removesuffix("Mi")) > shared_mib
    )


def test_a_pod_gets_the_very_manifest(project, tmp_path):
    """At its path in the pod it is the same experiment, with the same name and digest."""
    for index, path in enumerate(manifests(project)):
        _, texts, job = documents(path)
        pod = job["spec"]["template"]["spec"]
        [items] = [v["configMap"]["items"] for v in pod["volumes"] if v["name"] == "manifest"]
        place = tmp_path / str(index)
        place.mkdir()
        for item in items:
            (place / item["path"]).write_text(texts["data"][item["key"]])
        verb, named = pod["containers"][0]["args"][:2]
        assert verb == "all"
        inside = place / Path(named).relative_to("/manifests")
        assert inside.read_bytes() == path.read_bytes()
        assert load_manifest(inside).run_name == load_manifest(path).run_name


def test_what_would_fail_again_fails_at_once_and_a_lost_node_is_no_failure(project):
    *_, job = documents("--restarts", "7", "--time", "01:00:00")
    lost, hopeless = job["spec"]["podFailurePolicy"]["rules"]
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never", "the policy demands it"
    assert (lost["action"], lost["onPodConditions"][0]["type"]) == ("Ignore", "DisruptionTarget")
    codes = set(hopeless["onExitCodes"]["values"])
    assert {1, 2, 3, 13} <= codes
    assert not codes & {0, 7, 8, 15, 130, 137, 143}
    assert job["spec"]["backoffLimit"] == 7
    assert job["spec"]["activeDeadlineSeconds"] == 3600


def task(path: Path, *arguments: str) -> dict:
    found = yaml.safe_load(emit("sky", path, "--accept-licences", *arguments))
    assert set(found) <= SKY
    assert set(found["resources"]) <= SKY_RESOURCES
    return found


def test_a_task_asks_for_the_machine_that_the_manifest_needs(project):
    small = task(project / "manifests/smoke.toml")
    assert "accelerators" not in small["resources"]
    assert "secrets" not in small
    assert int(small["resources"]["memory"].rstrip("+")) << 30 >= 6_000_000_000
    large = task(project / "manifests/gpu.toml")
    names = large["resources"]["accelerators"]
    assert names
    assert all(re.fullmatch(r"[A-Z0-9-]+(GB)?:2", name) for name in names)
    assert large["resources"]["disk_size"] >= 256
    assert large["secrets"] == {"HF_TOKEN": None}, "given when it is launched, never here"
    assert large["file_mounts"]["~/sky_workdir/data/pope"] == "./data/pope"


def test_an_accelerator_that_is_too_small_is_not_named(project, monkeypatch):
    weights = 14_100_000_000
    monkeypatch.setattr("kit.doctor.resources._weight_bytes", lambda manifest: weights)
    fitting = task(project / "manifests/gpu.toml")["resources"]["accelerators"]
    monkeypatch.setattr("kit.doctor.resources._weight_bytes", lambda manifest: 2 * weights)
    larger = task(project / "manifests/gpu.toml")["resources"]["accelerators"]
    assert "L4:2" in fitting
    assert "L4:2" not in larger
    assert "A100-80GB:2" in larger


def test_the_bucket_is_named_when_a_task_is_launched(project):
    found = task(project / "manifests/smoke.toml")
    assert found["envs"] == {"PEBENCH_STORE": None}
    assert found["file_mounts"] == {
        "~/pebench-store": {"source": "${PEBENCH_STORE}", "mode": "MOUNT"}
    }
    assert found["resources"]["job_recovery"] == {"max_restarts_on_errors": 3}


def test_the_commands_of_a_task_are_clean_and_quoted(project, tmp_path):
    shellcheck = Path(sysconfig.get_path("scripts")) / "shellcheck"
    for path in manifests(project)[:3]:
        found = task(path, "--time", "00:10:00")
        script = tmp_path / "run.sh"
        script.write_text(f"#!/bin/bash\n{found['setup']}\n{found['run']}")
        command = [shellcheck, "--exclude=SC2016", script]  # a literal $ in a name
        checked = subprocess.run(command, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout
        stand_ins = 'docker() { :; }; timeout() { printf "%s\\n" "$@"; }\n'
        shown = subprocess.run(
            ["bash", "-c", stand_ins + found["run"]], capture_output=True, text=True, check=True
        )
        words = shown.stdout.splitlines()
        assert words[:2] == ["600", "docker/keep.sh"]
        assert words[3:] == [
            "./run.sh", "--runner", "docker", "--image", DIGEST,
            "all", f"manifests/{path.name}", "--accept-licences",
        ]  # fmt: skip
        assert found["setup"] == f"docker pull {DIGEST}"
