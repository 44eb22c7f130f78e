"""run.sh builds the environment once and never uses an incomplete one; failures say what to do.

Each test uses a copy of the script in a folder whose name has a space, with a lock of one tiny
local package, and a substitute for `kit` that prints its arguments and environment.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PROGRAMS = [
    "run.sh", ".ci/run", "docker/lock.sh", "docker/image_system.sh", "docker/image_environment.sh",
    "docker/image_project.sh", "docker/keep.sh", "docker/complete.sh", "docker/jobs/ray_node.sh",
    "docker/jobs/keep_code.sh", "docker/jobs/bin/ray",
]  # fmt: skip
SOURCED = [
    f"docker/{name}.sh"
    for name in ("messages", "environment", "runner", "mounts", "image", "image_records")
]
STAND_IN = """
import json, os, sys
from kit.supply_chain import slim
slim.enter(sys.argv[1:])
import click
names = ("PYTHONPATH", "DO_NOT_TRACK", "VLLM_NO_USAGE_STATS", "HF_HUB_DISABLE_TELEMETRY")
print(json.dumps({"argv": sys.argv[1:], "env": {name: os.environ.get(name) for name in names}}))
"""


class Project:
    """A copy of run.sh with a lock of one package, in a separate folder."""

    def __init__(self, root: Path) -> None:
        self.root, self.cache, self.wheels = root, root / ".cache", root / "wheels"
        (root / "docker").mkdir(parents=True)
        (root / "kit" / "supply_chain").mkdir(parents=True)
        self.wheels.mkdir()
        shutil.copy(REPOSITORY / "run.sh", root)
        for script in (*(REPOSITORY / "docker").glob("*.sh"), REPOSITORY / "docker/pip_install.py"):
            shutil.copy(script, root / "docker")
        for file in [*(REPOSITORY / "kit").glob("*.py"), REPOSITORY / "kit/error_kinds.txt"]:
            shutil.copy(file, root / "kit")
        slim = [path.name for path in (REPOSITORY / "kit/supply_chain").glob("slim*.py")]
        for name in ("__init__.py", *slim):
            shutil.copy(REPOSITORY / "kit/supply_chain" / name, root / "kit/supply_chain")
        shutil.copytree(REPOSITORY / "docker/cpu_site", root / "docker/cpu_site")
        (root / "kit/__main__.py").write_text(STAND_IN)
        self.lock(self.wheel("click"))

    def wheel(self, package: str) -> str:
        """Make the wheel of an empty package, and return its digest."""
        wheel = self.wheels / f"{package}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"{package}.py", "")
            archive.writestr(
                f"{package}-1.0.dist-info/METADATA", f"Name: {package}\nVersion: 1.0\n"
            )
            archive.writestr(
                f"{package}-1.0.dist-info/WHEEL",
                "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            )
            archive.writestr(f"{package}-1.0.dist-info/RECORD", "")
        return hashlib.sha256(wheel.read_bytes()).hexdigest()

    def lock(self, digest: str) -> None:
        text = f"click==1.0 \\\n    --hash=sha256:{digest}\n"
        (self.root / "docker/requirements.cpu.lock").write_text(text)
        for slim in ("keyless", "ray", "rayjob"):
            (self.root / f"docker/requirements.{slim}.lock").write_text(f"# {slim}\n{text}")
        text += f"large==1.0 \\\n    --hash=sha256:{self.wheel('large')}\n"
        (self.root / "docker/requirements.verify.lock").write_text(f"# verify\n{text}")

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start run.sh without HOME and from another folder; pip sees only the local wheel."""
        base = {
            "PATH": f"{Path(sys.base_prefix) / 'bin'}:{os.environ['PATH']}",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": self.wheels.as_uri(),
        }
        return subprocess.Popen(
            [str(self.root / "run.sh"), *arguments],
            env=base | environment,
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def environments(self) -> list[Path]:
        return list(self.cache.glob("env/*"))

    def finished(self) -> list[Path]:
        return list(self.cache.glob("env/*/.complete"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "a project")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("built") / "a project")
    first = project.run("doctor")
    assert first.returncode == 0, first.stderr
    assert "installing 1 packages" in first.stderr
    return project


def test_shellcheck_finds_nothing() -> None:
    shellcheck = Path(sysconfig.get_path("scripts")) / "shellcheck"
    command = [shellcheck, "--external-sources", "--shell=bash", *PROGRAMS, *SOURCED]
    command.append("docker/completion.bash")
    checked = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_are_executable(program: str) -> None:
    assert os.access(REPOSITORY / program, os.X_OK)


def test_help_before_the_environment_names_the_verbs_and_writes_nothing(project: Project) -> None:
    for arguments in ([], ["--help"]):
        shown = project.run(*arguments)
        assert shown.returncode == 0
        for verb in ("all", "test", "doctor", "verify", "clean"):
            assert f" {verb}" in shown.stdout
    assert not project.cache.exists()


def test_an_unknown_verb_does_not_start_a_build(project: Project) -> None:
    refused = project.run("evalute")
    assert refused.returncode == 2
    assert "unknown verb evalute" in refused.stderr
    assert "evaluate" in refused.stderr
    assert not project.cache.exists()


@pytest.mark.parametrize(
    ("call", "code", "named"),
    [
        (["completion", "tcsh"], 2, "found: tcsh"),
        (["image", 'bui"ld\\'], 2, 'image has no option bui"ld\\'),
        (["clean", "--all"], 2, "clean has no option --all"),
        (["--runner", "ssh", "plan"], 2, "unknown runner ssh"),
        (["eval\nuate\t\x1b"], 2, "unknown verb eval\nuate"),
    ],
)
def test_with_json_an_error_of_the_script_is_an_object_too(
    project: Project, call: list[str], code: int, named: str
) -> None:
    refused = project.run(*call, "--json")
    assert refused.returncode == code
    event = json.loads(refused.stdout)
    assert (event["event"], event["code"], event["id"]) == ("error", code, "PE-0207")
    assert named in event["message"]
    assert event["message"].startswith("error: ")
    assert "remedy: " in event["message"]
    assert "\x1b" not in event["message"]
    assert project.run(*call).stdout == "", "without --json, the error stream has it alone"


def test_arguments_reach_the_verb_unchanged(built: Project) -> None:
    called = built.run("plan", "my manifest.toml", "--flag", "", "*")
    assert json.loads(called.stdout)["argv"] == ["plan", "my manifest.toml", "--flag", "", "*"]
    assert json.loads(built.run("clean", "--help").stdout)["argv"] == ["clean", "--help"]


def test_the_environment_is_built_once(built: Project) -> None:
    again = built.run("doctor")
    assert again.returncode == 0
    assert again.stderr == ""
    assert len(built.environments()) == 1


def test_telemetry_is_off_and_foreign_python_paths_are_dropped(built: Project) -> None:
    called = built.run("doctor", PYTHONPATH="/somewhere/else", PYTHONHOME="/nowhere")
    assert json.loads(called.stdout)["env"] == {
        "PYTHONPATH": str(built.root),
        "DO_NOT_TRACK": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


def test_checks_and_plans_get_the_slim_environment_which_is_built_once(project: Project) -> None:
    calls = [
        *((verb, "a result", "verify-") for verb in ("verify", "rescore", "compare", "board")),
        ("sign", "a result", "verify-"),
        ("plan", "my manifest.toml", "verify-"),  # that environment exists
    ]
    for number, (verb, word, name) in enumerate(calls):
        called = project.run(verb, word)
        assert json.loads(called.stdout)["argv"] == [verb, word]
        assert ("installing" in called.stderr) == (number == 0)
        (slim,) = project.environments()
        assert slim.name.startswith(name)
        assert not list(slim.glob("lib/python*/site-packages/pip"))


def test_a_plan_and_a_look_at_pages_get_a_smaller_environment(project: Project) -> None:
    for number, verb in enumerate(("plan", "show", "plan")):
        called = project.run(verb, "something")
        assert json.loads(called.stdout)["argv"] == [verb, "something"]
        assert ("installing 1 packages" in called.stderr) == (number == 0)
    (smaller,) = project.environments()
    assert smaller.name.startswith("plan-")
    assert "installing 2 packages" in project.run("verify", "a result").stderr


def test_help_of_a_verb_needs_no_environment(project: Project) -> None:
    (project.root / "docker/help.txt").write_text("$ ./run.sh unlearn --help\n\nUsage: unlearn\n")
    shown = project.run("unlearn", "--help")
    assert (shown.returncode, shown.stdout) == (0, "Usage: unlearn\n")
    assert not project.environments()


HOSTILE = "target prefix root no-binary constraint require-virtualenv user".split()


@pytest.mark.parametrize(("verb", "place"), [("doctor", "variables"), ("verify", "pip.conf")])
def test_pip_settings_of_the_user_change_nothing_and_nothing_is_left_in_their_folders(
    project: Project, tmp_path: Path, verb: str, place: str
) -> None:
    user = tmp_path / "user"
    values = {name: str(user / name) for name in HOSTILE}
    values |= {"no-binary": ":all:", "require-virtualenv": "1", "user": "1"}
    values["constraint"] = str(tmp_path / "constraints.txt")
    (tmp_path / "constraints.txt").write_text("click==2.0\n")
    if place == "variables":
        settings = {f"PIP_{name.upper().replace('-', '_')}": v for name, v in values.items()}
    else:
        lines = [f"{name} = {value}" for name, value in values.items()]
        (tmp_path / "pip.conf").write_text("\n".join(["[global]", *lines, ""]))
        settings = {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}
    built = project.run(verb, PYTHONUSERBASE=str(user / "base"), **settings)
    assert built.returncode == 0, built.stderr
    assert len(project.finished()) == 1
    assert not user.exists()


def test_sigstore_is_in_an_environment_of_its_own(project: Project) -> None:
    for words in (
        ["sign", "r", "--keyless"],
        ["verify", "r", "--identity=x"],
        ["board", "r", "--identity", "x"],
    ):
        assert json.loads(project.run(*words).stdout)["argv"] == words
        (keyless,) = project.environments()
        assert keyless.name.startswith("keyless-")
    assert project.run("verify", "--identity-token").returncode == 0
    assert len(project.environments()) == 2, "another flag needs no sigstore"


def test_ray_is_in_an_environment_of_its_own_that_only_a_cluster_builds(project: Project) -> None:
    assert project.run("all").returncode == 0
    assert len(project.environments()) == 1
    assert project.run("all", "--executor", "ray").returncode == 0
    whole, ray = sorted(project.environments(), key=lambda path: path.name.startswith("ray-"))
    assert ray.name.startswith("ray-")
    assert (ray / "kit-python").read_text() == str(whole / "bin" / "python")
    assert project.run("all", "--executor=ray").returncode == 0
    assert len(project.finished()) == 2, "it is built once"
    make_program(ray / "bin/ray", '#!/bin/sh\ncommand -v ray; echo "$@"\n')
    shown = project.run("ray", "start", "a b")
    assert shown.stdout == f"{ray}/bin/ray\nstart a b\n", "what Ray starts finds Ray as well"
    assert project.run("all", "--executor", "ray", PEBENCH_RAY_DASHBOARD="yes").returncode == 0
    assert len(project.finished()) == 3, "the dashboard is in another one"


def test_offline_the_environment_of_a_cluster_is_not_built_and_the_remedy_builds_it(
    project: Project,
) -> None:
    assert project.run("all", "--offline").returncode == 0
    refused = project.run("all", "--executor", "ray", "--offline")
    assert refused.returncode == 3
    assert "PE-0301" in refused.stderr
    assert len(project.environments()) == 1
    assert "./run.sh ray --version builds it" in refused.stderr
    project.run("ray", "--version")  # the lock of this test holds no Ray, so there is no command
    assert len(project.finished()) == 2
    assert project.run("all", "--executor", "ray", "--offline").returncode == 0


@pytest.mark.parametrize("emit", [["--emit", "slurm"], ["--emit=k8s"]])
def test_a_job_for_a_cluster_is_printed_without_the_cluster_s_environment(
    project: Project, emit: list[str]
) -> None:
    assert project.run("plan", *emit, "--executor", "ray", "--nodes", "2").returncode == 0
    assert not [path for path in project.environments() if path.name.startswith("ray-")]


def test_a_plan_for_a_cluster_gets_the_cluster_s_environment(project: Project) -> None:
    assert project.run("plan", "--executor", "ray").returncode == 0
    assert [p.parent.name[:4] for p in project.finished() if "ray-" in str(p)] == ["ray-"]


def test_the_whole_environment_serves_for_checking_too(built: Project) -> None:
    before = built.environments()
    assert built.run("verify", "a result").returncode == 0
    assert built.environments() == before


def test_a_finished_environment_from_elsewhere_is_used(built: Project, project: Project) -> None:
    [environment] = built.environments()
    called = project.run("doctor", PEBENCH_ENV=str(environment))
    assert called.returncode == 0
    assert not project.cache.exists()
    refused = project.run("doctor", PEBENCH_ENV="/nowhere")
    assert refused.returncode == 3
    assert "PEBENCH_ENV=/nowhere" in refused.stderr


def test_a_tilde_in_quotes_is_the_home_folder(project: Project, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = project.run("doctor", PEBENCH_CACHE="~/file/cache", HOME=str(tmp_path))
    assert f"cannot write in {tmp_path}/file/cache" in refused.stderr


def test_a_killed_build_is_repeated(project: Project) -> None:
    killed = project.start("doctor")
    deadline = time.monotonic() + 60
    while not list(project.cache.glob("env/*/bin")):
        assert time.monotonic() < deadline, "the build did not start"
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert not project.finished()
    [environment] = project.environments()
    (environment / "left-over").touch()

    repaired = project.run("doctor")
    assert repaired.returncode == 0, repaired.stderr
    assert len(project.finished()) == 1
    assert not (environment / "left-over").exists()


def test_two_builds_at_once_make_one_environment(project: Project) -> None:
    processes = [project.start("doctor") for _ in range(2)]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    assert sum("installing 1 packages" in text for text in errors) == 1
    assert sum("another process builds it; waiting" in text for text in errors) == 1


def test_a_package_with_other_bytes_is_refused(project: Project) -> None:
    project.lock("0" * 64)
    refused = project.run("doctor")
    assert refused.returncode == 3
    assert "DO NOT MATCH THE HASHES" in refused.stderr
    assert "remedy: check the network" in refused.stderr
    assert not project.finished()


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder used as the whole PATH: the standard tools, and a Python that is too old."""
    folder = tmp_path / "tools"
    folder.mkdir()
    names = "bash env readlink dirname sha256sum uname mkdir ls flock rm df awk grep cp tail"
    for name in names.split():
        path = shutil.which(name)
        assert path, f"{name} is not installed"
        (folder / name).symlink_to(path)
    make_program(folder / "python3", "#!/bin/sh\necho 3.9.18\n")
    return folder


def make_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def test_without_python_3_11_the_error_says_what_was_found_and_what_to_do(
    project: Project, tools: Path
) -> None:
    refused = project.run("doctor", PATH=str(tools))
    assert refused.returncode == 3
    assert "expected: Python 3.11, 3.12, 3.13 with venv" in refused.stderr
    assert "found: python3.11 missing, python3.12 missing, python3.13 missing, " in refused.stderr
    assert "python3 3.9.18, python missing" in refused.stderr
    assert "remedy: install python3 and python3-venv" in refused.stderr
    assert not project.cache.exists()


def test_without_python_3_11_uv_is_asked_for_one(project: Project, tools: Path) -> None:
    python = Path(sys.base_prefix) / "bin/python3"
    make_program(tools / "uv", f'#!/bin/sh\n[ "$2" = install ] || echo "{python}"\n')
    built = project.run("doctor", PATH=str(tools))
    assert built.returncode == 0, built.stderr
    assert "asking uv" in built.stderr
    assert len(project.finished()) == 1


def test_a_cache_that_cannot_be_written_is_named(project: Project, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = project.run("doctor", PEBENCH_CACHE=str(tmp_path / "file/cache"))
    assert refused.returncode == 7
    assert "file/cache" in refused.stderr
    assert "remedy: set PEBENCH_CACHE" in refused.stderr


def test_a_disk_without_room_is_refused_before_the_build(project: Project) -> None:
    lines = "".join(f"package-{number}==1.0\n" for number in range(10**6))
    (project.root / "docker/requirements.cpu.lock").write_text(lines)
    refused = project.run("doctor")
    assert refused.returncode == 7
    assert "expected: 35000000 MB" in refused.stderr


def test_clean_removes_caches_and_keeps_results(project: Project) -> None:
    kept = project.root / "results/smoke/run.json"
    removed = project.cache / "artifacts/adapter"
    for path in (kept, removed):
        path.parent.mkdir(parents=True)
        path.write_text("x")
    (project.cache / "CACHEDIR.TAG").touch()

    listed = project.run("clean", "--dry-run")
    assert f"would be removed 8.0K {removed.parent}" in listed.stdout
    assert removed.exists()
    cleaned = project.run("clean")
    assert cleaned.returncode == 0
    assert str(removed.parent) in cleaned.stdout
    assert not removed.exists()
    assert kept.exists()
    assert project.run("clean", "--everything").returncode == 2


def test_clean_leaves_a_folder_alone_that_is_not_a_cache_of_the_kit(
    project: Project, tmp_path: Path
) -> None:
    (tmp_path / "home/data").mkdir(parents=True)
    refused = project.run("clean", PEBENCH_CACHE=str(tmp_path / "home"))
    assert refused.returncode == 7
    assert (tmp_path / "home/data").exists()
