"""plan --emit: what a job file contains, what is refused, and that no text can leave its quotes."""

import re
import string
from pathlib import Path

import pytest
import yaml as pyyaml  # a dependency of huggingface_hub
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from kit.artifacts import PROJECT
from kit.cli.plan_text import render
from kit.cli.verbs import verbs
from kit.doctor import resources
from kit.errors import LicenceError, ManifestError
from kit.experiment.manifest_file import load_manifest
from kit.launch.job import seconds_of
from kit.launch.quoting import quote_block, quote_comment, quote_yaml
from kit.plan.jobs import make_plan
from tests.cli.test_runner import Place
from tests.launch.jobs import DIGEST, emit, gpu_text
from tests.toys.dataset import TOY, own_text

FORMS = ["slurm", "k8s", "sky"]
ANY_TEXT = st.text(st.characters(codec="utf-8"))


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PEBENCH_RESULTS", str(tmp_path / "results"))


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A folder used as the project, so that manifests in it are part of the project."""
    monkeypatch.setattr("kit.launch.job.PROJECT", tmp_path)
    (tmp_path / "manifests").mkdir()
    return tmp_path


@pytest.mark.parametrize("form", FORMS)
def test_the_work_that_is_left_is_the_plan_s(form):
    plan = make_plan(load_manifest(TOY))
    adapters, steps, systems = (
        len(list(plan.jobs())),
        sum(job.steps for job in plan.jobs()),
        len(plan.systems),
    )
    left = rf"\b{adapters} adapters\b.*\b{steps} optimisation steps\b.*\b{systems} systems\b"
    assert re.search(left, render(plan))
    assert re.search(left, emit(form))


@pytest.mark.parametrize(
    ("form", "asked"),
    [
        ("slurm", r"--mem=(\d+)M"),
        ("k8s", r"limits:\s+memory: (\d+)Mi"),
        ("sky", r"memory: (\d+)\+"),
    ],
)
def test_each_worker_more_asks_for_the_memory_of_one_more(form, asked, project):
    path, found = project / "manifests/mine.toml", []
    for workers in (1, 2, 4):
        path.write_text(own_text().replace("workers = 2", f"workers = {workers}"))
        size = int(re.search(asked, emit(form, path))[1])
        found.append(size * (1 << 30 if form == "sky" else 1 << 20))
    assert found[0] >= resources.SPARE_FACTOR * (resources.PARENT_BYTES + resources.ENGINE_BYTES)
    assert found[1] - found[0] == pytest.approx(
        resources.SPARE_FACTOR * resources.ENGINE_BYTES, abs=1 << 30
    )
    assert found[2] - found[1] == pytest.approx(
        2 * resources.SPARE_FACTOR * resources.ENGINE_BYTES, abs=1 << 30
    )


@pytest.mark.parametrize("form", FORMS)
def test_no_secret_and_no_path_of_this_machine_is_in_a_file(form, project, monkeypatch):
    for name in ("HF_TOKEN", "PEBENCH_PASSPHRASE", "PEBENCH_PASSPHRASE_FILE"):
        monkeypatch.setenv(name, f"hf_secret_{name}")
    path = project / "manifests/gpu.toml"
    path.write_text(gpu_text())
    said = emit(form, path, "--accept-licences")
    assert "hf_secret" not in said
    assert "HF_TOKEN" in said, "a gated source needs one"
    assert str(project) not in said
    assert str(PROJECT) not in said
    (project / "manifests/smoke.toml").write_text(own_text())
    assert "HF_TOKEN:" not in emit(form, project / "manifests/smoke.toml"), "and no other does"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("title", ["a\\n#SBATCH --wrap=x", "a\\u2028touch y"])
def test_a_title_of_two_lines_makes_no_job(form, title, project):
    path = project / "manifests/mine.toml"
    old = 'title = "PEBench in miniature'
    assert old in own_text()
    path.write_text(own_text().replace(old, f'title = "{title}'))
    with pytest.raises(ManifestError, match="a text of 'title' is written with a character that"):
        emit(form, path)


def test_run_sh_leaves_the_image_of_a_job_to_the_verb(tmp_path):
    place = Place(tmp_path / "a project")
    place.install("podman")
    job = ["plan", "--emit", "k8s", "--image", DIGEST]
    assert place.command("--runner", "podman", *job)[-5:] == job
    assert (
        place.command("--runner", "podman", "plan", f"--image={DIGEST}")[-1] == f"--image={DIGEST}"
    )
    assert place.command("--runner", "podman", "--image", "mine", *job)[-6:] == ["mine", *job]
    assert place.command("--runner", "podman", "all", "--image", "mine")[-2:] == ["mine", "all"]


@pytest.mark.parametrize("form", FORMS)
def test_equal_plans_give_equal_bytes(form):
    assert emit(form) == emit(form)


def test_flags_of_a_fetch_go_into_the_job():
    said = emit("slurm", "--offline", "--allow-unlocked", "--accept-licences")
    assert "tests/toys/experiment.toml --accept-licences --allow-unlocked --offline &" in said


@pytest.mark.parametrize("form", FORMS)
def test_a_manifest_without_lists_is_refused_or_not_counted(form, project):
    path = project / "manifests/gpu.toml"
    unlisted = '\n[[sources]]\nname = "faces"\nrepo = "a/b"\nchecksums = "checksums/none.sha256"\n'
    path.write_text(own_text().replace("\n[split]", unlisted + "\n[split]", 1))
    with pytest.raises(ManifestError, match=r"none\.sha256 does not exist"):
        emit(form, path, "--accept-licences")
    said = emit(form, path, "--accept-licences", "--allow-unlocked")
    assert "checksum lists are missing" in said
    assert "--allow-unlocked" in said


@pytest.mark.parametrize("form", ["k8s", "sky"])
@pytest.mark.parametrize(
    ("image", "message"),
    [
        (None, "--image is missing"),
        ("registry.example.org/kit:latest", "--image has no digest"),
        ("kit@sha256:abc", "--image has no digest"),
        (DIGEST + "0", "--image has no digest"),
        ("kit; rm -rf ~ @sha256:" + "a" * 64, "--image has no digest"),
        ("kit@sha256:" + "a" * 64 + "\n", "--image has no digest"),
    ],
)
def test_an_image_is_named_by_its_digest(form, image, message):
    words = ["plan", str(TOY), "--emit", form] + (["--image", image] if image else [])
    error = CliRunner().invoke(verbs, words).exception
    assert isinstance(error, ManifestError)
    assert error.what == message
    assert "@sha256:" in str(error.expected)
    assert error.found == image
    assert "image build cpu" in str(error.remedy)


def test_slurm_takes_a_sif():
    with pytest.raises(ManifestError, match=r"the path of a \.sif file"):
        emit("slurm", "--image", DIGEST)


def test_licences_that_a_job_could_not_ask_for_must_be_accepted_in_advance(project):
    path = project / "manifests/gpu.toml"
    path.write_text(gpu_text())
    for form in ("k8s", "sky"):
        with pytest.raises(LicenceError, match="faces: not accepted on a new machine"):
            emit(form, path)
    assert "HF_TOKEN:?" in emit("slurm", path), "the folders there may hold the acceptance"


def test_sky_copies_only_the_project(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(own_text())
    with pytest.raises(ManifestError, match="copy it to manifests/"):
        emit("sky", path)


@pytest.mark.parametrize("name", ["new\nline.toml", "manifest.txt"])
def test_a_manifest_that_cannot_be_named_is_refused(tmp_path, name):
    path = tmp_path / name
    path.write_text(own_text())
    with pytest.raises(ManifestError, match="cannot contain the path of this manifest"):
        emit("slurm", path)


def test_an_unknown_format_is_a_usage_error():
    done = CliRunner().invoke(verbs, ["plan", "--emit", "pbs"])
    assert done.exit_code == 2
    assert "'slurm', 'k8s', 'sky'" in done.stderr


@pytest.mark.parametrize(
    "option", [["--image", "x"], ["--time", "1:00:00"], ["--restarts", "0"], ["--offline"]]
)
def test_options_of_a_job_need_one(option):
    error = CliRunner().invoke(verbs, ["plan", *option]).exception
    assert isinstance(error, ManifestError)
    assert error.what.startswith(option[0])


def test_an_output_is_written_once_and_never_over_another(tmp_path):
    path = tmp_path / "job.sbatch"
    assert f"wrote {path}" in emit("slurm", "--output", path)
    assert path.read_text() == emit("slurm")
    assert "already has this content" in emit("slurm", "--output", path)
    path.write_text("mine")
    with pytest.raises(ManifestError, match=r"job\.sbatch exists already"):
        emit("slurm", "--output", path)
    assert path.read_text() == "mine"
    with pytest.raises(ManifestError, match="not a file"):
        emit("slurm", "--output", tmp_path)


def test_a_time_limit_is_what_slurm_reads_too():
    assert seconds_of("00:00:01") == 1
    assert seconds_of("8:30:00") == 30600
    assert seconds_of("2-01:00:00") == 176400
    for wrong in ("", "60", "1:00", "00:00:00", "1h", "-1:00:00", "\u0661:00:00", "00:60:00"):
        with pytest.raises(ManifestError, match="is not a time limit"):
            seconds_of(wrong)


@given(ANY_TEXT)
def test_yaml_reads_back_any_quoted_text(text):
    assert pyyaml.safe_load(f"key: {quote_yaml(text)}\nnext: 1\n") == {"key": text, "next": 1}
    assert pyyaml.safe_load(f"key: {quote_yaml([text, 'x'])}\n") == {"key": [text, "x"]}


@given(st.one_of(ANY_TEXT, st.text(" \n\t#:-'\"ab" + string.ascii_letters)))
def test_yaml_reads_back_any_block(text):
    read = pyyaml.safe_load(f"data:\n  key: {quote_block(text, 4)}\nnext: 1\n")
    assert read == {"data": {"key": text}, "next": 1}


@given(ANY_TEXT)
def test_a_comment_is_one_line(text):
    assert len(quote_comment(text).splitlines()) <= 1
