"""plan --emit --executor ray: jobs of several machines, which become one Ray cluster.

Checked as far as the tools of the schedulers go: sbatch's options and shellcheck, KubeRay's schema
and Kubernetes' schema of a pod, the names of SkyPilot's reference. The tasks were also read by
SkyPilot 0.14.1 (its schema and `sky.Task`), which does not fit into this environment.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from kit.artifacts import PROJECT
from kit.cli.verbs import verbs
from kit.errors import LicenceError, ManifestError
from kit.launch import nodes
from kit.supply_chain.locks import read_lock
from tests.cli.test_run_sh import make_program
from tests.launch.jobs import DIGEST, emit, gpu_text
from tests.launch.test_launch_clouds import SKY, SKY_RESOURCES, validate
from tests.launch.test_launch_slurm import OPTIONS, options
from tests.toys.dataset import own_text

FORMS = ["slurm", "k8s", "sky"]
RAY = ["--executor", "ray", "--nodes", "4", "--accept-licences"]
SCHEMA = json.loads((PROJECT / "tests/launch/rayjob.schema.json").read_text())


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A folder used as the project, with a manifest for a GPU and a small one."""
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PEBENCH_RESULTS", str(tmp_path / "results"))
    monkeypatch.setattr("kit.launch.job.PROJECT", tmp_path)
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/gpu.toml").write_text(gpu_text())
    (tmp_path / "manifests/it's my.toml").write_text(own_text())
    return tmp_path


def manifests(project: Path) -> list[Path]:
    return sorted((project / "manifests").iterdir())


# What is refused


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("words", "message", "remedy"),
    [
        (["--executor", "ray"], "--nodes is missing", "--nodes 4"),
        (["--executor", "ray", "--nodes", "1"], "--nodes 1 is no cluster", "leave --executor and"),
        (["--executor", "ray", "--nodes", "-3"], "--nodes -3 is no cluster", "--nodes 4"),
        (["--nodes", "4"], "--nodes needs a Ray cluster", "add --executor ray"),
        (["--executor", "ray", "--nodes", "2", "--address", "a:1"], "--address names", "leave"),
        (["--executor", "ray", "--nodes", "2", "--store", "s3://b"], "--store is for", "share"),
    ],
)
def test_a_cluster_has_two_machines_and_an_executor(form, words, message, remedy, project):
    with pytest.raises(ManifestError, match=message) as caught:
        emit(form, manifests(project)[0], "--accept-licences", *words)
    assert remedy in str(caught.value.remedy)
    assert caught.value.id == "PE-0207"


def test_machines_of_a_job_need_a_job():
    error = CliRunner().invoke(verbs, ["plan", "--nodes", "2"]).exception
    assert isinstance(error, ManifestError)
    assert error.what == "--nodes is only used by --emit"


@pytest.mark.parametrize("form", ["k8s", "sky"])
def test_images_and_licences_are_asked_for_as_on_one_machine(form, project):
    words = ["plan", manifests(project)[0], "--emit", form, "--executor", "ray", "--nodes", "2"]
    error = CliRunner().invoke(verbs, [str(word) for word in words]).exception
    assert isinstance(error, ManifestError)
    assert error.what == "--image is missing"
    with pytest.raises(LicenceError, match="faces: not accepted on a new machine"):
        emit(form, project / "manifests/gpu.toml", "--executor", "ray", "--nodes", "2")


@pytest.mark.parametrize("form", FORMS)
def test_no_token_and_no_path_of_this_machine_is_in_a_file(form, project, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    said = emit(form, project / "manifests/gpu.toml", *RAY)
    assert "hf_secret" not in said
    assert str(project) not in said
    assert str(PROJECT) not in said


def test_each_machine_has_memory_for_ray(project):
    path = project / "manifests/gpu.toml"
    one, many = (
        int(re.search(r"--mem=(\d+)M", emit("slurm", path, *words))[1])
        for words in (["--accept-licences"], RAY)
    )
    assert many - one == nodes.RAY_BYTES >> 20


# Slurm


def test_every_option_is_sbatch_s(project):
    known = {**OPTIONS, "nodes": "4", "ntasks-per-node": "1"}
    for path in manifests(project):
        asked = options(emit("slurm", path, *RAY, "--time", "1-02:03:04"))
        for name, value in asked.items():
            assert re.fullmatch(known[name], value), name
        assert "ntasks" not in asked


def test_shellcheck_finds_nothing(project, tmp_path):
    script = tmp_path / "job.sbatch"
    for path in manifests(project):
        script.write_text(emit("slurm", path, *RAY, "--image", "my kit's.sif"))
        command = [Path(sysconfig.get_path("scripts")) / "shellcheck", script]
        checked = subprocess.run(command, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout


# srun starts the command on each node; a substitute for ray_node.sh shows what it is given.
SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do echo "$1" >>"$ROOT/srun"; shift; done
SLURM_PROCID=0 "$@" || code=$?
exit "${code:-0}"
"""


@pytest.mark.parametrize(
    ("resolved", "head"),
    [("127.0.1.1 x\\n10.1.2.3 x", "10.1.2.3"), ("127.0.1.1 x", "10.9.9.9"), ("", "10.9.9.9")],
)
def test_a_batch_script_starts_every_node_with_the_head_s_address(
    project, tmp_path, resolved, head
):
    tools, root = tmp_path / "tools", tmp_path / "a project"
    tools.mkdir()
    make_program(tools / "scontrol", '#!/bin/sh\n[ "$2" = hostnames ] && printf "n1\\nn2\\n"\n')
    make_program(tools / "getent", f'#!/bin/sh\nprintf "{resolved}\\n"\n[ -n "{resolved}" ]\n')
    make_program(tools / "hostname", '#!/bin/sh\necho "10.9.9.9 10.8.8.8"\n')
    make_program(tools / "srun", SRUN)
    (root / "docker/jobs").mkdir(parents=True)
    make_program(root / "run.sh", "#!/bin/sh\nexit 1\n")
    make_program(root / "docker/jobs/ray_node.sh", '#!/bin/bash\nprintf "%s\\n" "$@"; exit 15\n')
    script = tmp_path / "job.sbatch"
    script.write_text(emit("slurm", manifests(project)[1], *RAY, "--image", "my kit's.sif"))
    done = subprocess.run(
        ["bash", script],
        env={
            "PATH": f"{tools}:{os.environ['PATH']}", "ROOT": str(tmp_path),
            "SLURM_SUBMIT_DIR": str(root), "SLURM_JOB_ID": "123456",
            "SLURM_JOB_NODELIST": "n[1-4]", "SLURM_RESTART_COUNT": "2",
        },
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 15, done.stderr
    assert done.stdout.splitlines() == [
        "4", f"{head}:23456", "123456-2",
        "--num-cpus=2", "--num-gpus=0", f"--object-store-memory={nodes.OBJECT_STORE_BYTES}",
        "--", "--runner", "apptainer", "--image", "my kit's.sif",
        "--", "all", "manifests/it's my.toml", "--accept-licences",
    ]  # fmt: skip
    asked = (tmp_path / "srun").read_text().splitlines()
    assert {"--nodes=4", "--ntasks=4", "--ntasks-per-node=1", "--cpus-per-task=2"} <= set(asked)
    assert {"--kill-on-bad-exit=0", "--wait=0"} <= set(asked), "a lost node does not end the job"


# SkyPilot


def test_a_task_runs_on_every_machine_and_its_folder_is_named_when_it_is_launched(
    project, tmp_path
):
    """The shell runs its commands, with a substitute for ray_node.sh."""
    for path in manifests(project):
        task = yaml.safe_load(emit("sky", path, *RAY, "--time", "00:10:00"))
        assert set(task) <= SKY | {"num_nodes"}
        assert set(task["resources"]) <= SKY_RESOURCES
        assert task["num_nodes"] == 4
        assert task["envs"] == {"PEBENCH_SHARED": None}
        folders = task.get("file_mounts", {})
        assert set(folders) <= {"~/sky_workdir/data/pope"}, "no bucket: renames have to be atomic"
        script = tmp_path / "run.sh"
        script.write_text(f"#!/bin/bash\n{task['setup']}\n{task['run']}")
        command = [Path(sysconfig.get_path("scripts")) / "shellcheck", script]
        checked = subprocess.run(command, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout
        shared = tmp_path / "shared"
        shared.mkdir(exist_ok=True)
        given = {
            "PEBENCH_SHARED": str(shared), "SKYPILOT_NUM_NODES": "4", "SKYPILOT_TASK_ID": "sky-7",
            "SKYPILOT_NODE_IPS": "10.0.0.1\n10.0.0.2", "PATH": os.environ["PATH"],
        }  # fmt: skip
        show = 'timeout() { printf "%s\\n" "$PEBENCH_CACHE" "$PEBENCH_RESULTS" "$@"; }\n'
        shown = subprocess.run(
            ["bash", "-c", show + task["run"]], env=given, capture_output=True, text=True
        )
        gpus = 2 if "accelerators" in task["resources"] else 0
        assert shown.stdout.splitlines() == [
            f"{shared}/cache", f"{shared}/results", "600", "docker/jobs/ray_node.sh",
            "4", "10.0.0.1:6379", "sky-7",
            "--num-cpus=2", f"--num-gpus={gpus}",
            f"--object-store-memory={nodes.OBJECT_STORE_BYTES}",
            "--", "--runner", "docker", "--image", DIGEST,
            "--", "all", f"manifests/{path.name}", "--accept-licences",
        ], shown.stderr  # fmt: skip
        shared.rmdir()
        refused = subprocess.run(
            ["bash", "-c", show + task["run"]], env=given, capture_output=True, text=True
        )
        assert refused.returncode == 7
        assert "mount it on all of them" in refused.stderr


# KubeRay


def documents(*arguments: str | Path) -> tuple[dict, dict, dict]:
    claim, texts, job = yaml.safe_load_all(emit("k8s", *arguments, *RAY))
    return claim, texts, job


def groups(job: dict) -> list[dict]:
    spec = job["spec"]["rayClusterSpec"]
    return [spec["headGroupSpec"], *spec["workerGroupSpecs"]]


@pytest.mark.parametrize("more", [[], ["--time", "2-00:00:00", "--restarts", "0"]])
def test_kuberay_s_schema_takes_the_job_and_kubernetes_the_rest(project, tmp_path, more):
    files = []
    for path in manifests(project):
        claim, texts, job = documents(path, *more)
        jsonschema.Draft7Validator(SCHEMA).validate(job)
        assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
        pods = [{"apiVersion": "v1", "kind": "Pod", **group["template"]} for group in groups(job)]
        for pod in pods:
            pod["metadata"] = {"name": "x", **pod["metadata"]}
        files.append(tmp_path / f"{len(files)}.yaml")
        files[-1].write_text(yaml.safe_dump_all([claim, texts, *pods]))
    checked = validate(*files)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    kinds = re.findall(r"passed for resource (\w+)/", checked.stdout + checked.stderr)
    assert kinds == ["persistentvolumeclaim", "configmap", "pod", "pod"] * len(files)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  submissionMode:", "  submitMode:"),
        ("        minReplicas: 3\n", ""),
        ('        num-gpus: "2"', "        num-gpus: 2"),
        ("    rayVersion:", "    version:"),
    ],
)
def test_the_schema_refuses_what_is_misspelt(project, old, new):
    good = emit("k8s", project / "manifests/gpu.toml", *RAY)
    assert old in good
    *_, job = yaml.safe_load_all(good.replace(old, new))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(SCHEMA).validate(job)


def test_all_pods_share_one_claim_and_have_the_rights_of_a_job(project):
    claim, texts, job = documents(project / "manifests/gpu.toml")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    *_, single = yaml.safe_load_all(
        emit("k8s", project / "manifests/gpu.toml", "--accept-licences")
    )
    [alone] = single["spec"]["template"]["spec"]["containers"]
    for group in groups(job):
        pod = group["template"]["spec"]
        [first], [ray] = pod["initContainers"], pod["containers"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert volumes["data"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        assert volumes["manifest"]["configMap"]["name"] == texts["metadata"]["name"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in (first, ray):
            assert container["image"] == DIGEST
            assert container["securityContext"] == alone["securityContext"]
            assert container["volumeMounts"] == alone["volumeMounts"]
            assert container["env"] == first["env"]
        assert [entry for entry in alone["env"] if entry not in first["env"]] == []
        assert ray["resources"]["limits"]["nvidia.com/gpu"] == 2
        assert group["rayStartParams"]["num-gpus"] == "2"
        assert "nvidia.com/gpu" not in first["resources"]["limits"]
    [workers] = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert workers["replicas"] == workers["minReplicas"] == workers["maxReplicas"] == 3
    assert "nvidia" not in str(documents(manifests(project)[1])[2])


def test_the_pods_find_ray_in_the_kit_s_locked_environment(project):
    *_, job = documents(manifests(project)[1])
    [first] = groups(job)[0]["template"]["spec"]["initContainers"]
    given = {entry["name"]: entry.get("value") for entry in first["env"]}
    assert first["command"] == ["/opt/pebench/run.sh", "ray", "--version"]
    assert given["PEBENCH_RAY_DASHBOARD"] == "yes", "a RayJob is submitted to the dashboard"
    folder = Path(given["PATH"].split(":")[0])
    own = PROJECT / folder.relative_to("/opt/pebench") / "ray"
    assert os.access(own, os.X_OK)
    image = re.findall(r"^ENV PATH=(\S+)", (PROJECT / "docker/Dockerfile").read_text(), re.M)
    assert set(image) == {given["PATH"].partition(":")[2]}
    locked = {p.key: p for p in read_lock(PROJECT / "docker/requirements.rayjob.lock")}
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == locked["ray"].version
    core = {p.key: p for p in read_lock(PROJECT / "docker/requirements.ray.lock")}
    whole = {p.key: p for p in read_lock(PROJECT / "docker/requirements.cpu.lock")}
    assert core.items() <= locked.items(), "the same Ray, with its dashboard"
    assert {k: locked[k].version for k in locked.keys() & whole.keys()} == {
        k: whole[k].version for k in locked.keys() & whole.keys()
    }


def test_ray_on_the_path_is_run_sh_s(tmp_path):
    root = tmp_path / "a project"
    (root / "docker/jobs/bin").mkdir(parents=True)
    shutil.copy2(PROJECT / "docker/jobs/bin/ray", root / "docker/jobs/bin/ray")
    make_program(root / "run.sh", '#!/bin/bash\nprintf "%s\\n" "$@"\n')
    words = [root / "docker/jobs/bin/ray", "start", "--head", "a  b"]
    shown = subprocess.run(words, capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines() == ["ray", "start", "--head", "a  b"]


@pytest.mark.parametrize("code", [0, 9])
def test_the_entrypoint_runs_the_job_keeps_what_it_prints_and_gives_its_code(
    project, tmp_path, code
):
    *_, job = documents(manifests(project)[1])
    make_program(tmp_path / "run.sh", f'#!/bin/bash\nprintf "%s\\n" "$@"\nexit {code}\n')
    entry = job["spec"]["entrypoint"].replace("/opt/pebench/", f"{tmp_path}/")
    done = subprocess.run(
        ["sh", "-c", entry.replace("/data/", f"{tmp_path}/")], capture_output=True, text=True
    )
    assert done.returncode == code
    expected = ["all", "/manifests/it's my.toml", "--accept-licences", "--executor", "ray"]
    assert done.stdout.splitlines() == expected
    assert (tmp_path / f"{job['metadata']['name']}.log").read_text() == done.stdout
    assert shlex.split(job["spec"]["entrypoint"])[:2] == ["bash", "-c"]


def test_the_name_is_one_that_kuberay_takes(project):
    """KubeRay 1.7.0: a DNS-1035 label of at most 47 characters; the digest is never cut."""
    path = project / "manifests/mine.toml"
    old = re.search(r'^name = "(.+)"', own_text(), re.M)
    assert old
    for name in ("a" * 60, "4b"):
        path.write_text(own_text().replace(old[0], f'name = "{name}"', 1))
        *_, job = documents(path)
        given = job["metadata"]["name"]
        assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", given)
        assert len(given) <= 47
        assert re.search(r"-[0-9a-f]{8}$", given)
