"""The job of a build service: what it runs and keeps, and what its two files allow it to do."""

import re
import shutil
import subprocess
import sysconfig
import tarfile
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
SCRIPT = "docker/jobs/reproduce.sh"
WORKFLOW, GITLAB = ".github/workflows/reproduce.yml", ".gitlab-ci.yml"
WHO = ("https://github.com/octo/kit/w.yml@refs/heads/main", "https://issuer.example")
SHELLCHECK = Path(sysconfig.get_path("scripts")) / "shellcheck"
ACTIONLINT = shutil.which("actionlint")
FAKE = """#!/usr/bin/env bash
printf '%s\\n' "$*" >>calls
[[ $1 != "$FAILING" ]] || exit "$CODE"
case $1 in
  all) mkdir -p results/smoke-12345678 && echo run >results/smoke-12345678/run.json ;;
  compare) echo '141 claims compared' && echo page >"$5" ;;
  verify) echo 'ok  signed by workflow' ;;
esac
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose run.sh notes its arguments and writes what each verb would."""
    for name in (SCRIPT, "docker/messages.sh"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    (tmp_path / "run.sh").write_text(FAKE)
    (tmp_path / "run.sh").chmod(0o755)
    return tmp_path


def run(clone: Path, *words: str, failing: str = "", code: int = 0):
    return subprocess.run(
        [clone / SCRIPT, *words], capture_output=True, text=True, cwd="/",
        env={"PATH": "/usr/bin:/bin", "FAILING": failing, "CODE": str(code)},
    )  # fmt: skip


def test_the_job_runs_compares_signs_and_verifies_in_this_order(clone, tmp_path):
    kept = tmp_path / "kept"
    done = run(clone, *WHO, str(kept))
    assert done.returncode == 0, done.stderr
    result, who = "results/smoke-12345678", f"--identity {WHO[0]} --issuer {WHO[1]}"
    assert (clone / "calls").read_text().splitlines() == [
        "all",
        f"compare {result} manifests/reference/smoke --html {kept}/comparison.html",
        f"sign {result} --keyless {who}",
        f"verify {result} {who} --claims manifests/smoke.toml",
    ]
    assert (kept / "outcome").read_text() == "reproduced\n"
    assert "signed by workflow" in (kept / "verified.txt").read_text()
    with tarfile.open(kept / "smoke-12345678.tar.gz") as packed:
        assert packed.getnames() == ["smoke-12345678", "smoke-12345678/run.json"]
    notes = (kept / "notes.md").read_text()
    assert "The signed reference was reproduced." in notes
    assert f"./run.sh verify smoke-12345678 {who}" in notes


def test_a_result_that_does_not_reproduce_the_reference_is_kept_as_well(clone, tmp_path):
    kept = tmp_path / "kept"
    assert run(clone, *WHO, str(kept), failing="compare", code=1).returncode == 0
    assert (kept / "outcome").read_text() == "not reproduced\n"
    assert "was not reproduced" in (kept / "notes.md").read_text()
    assert (kept / "smoke-12345678.tar.gz").is_file()


@pytest.mark.parametrize(
    ("verb", "code"), [("all", 11), ("compare", 3), ("sign", 10), ("verify", 1)]
)
def test_where_a_step_fails_nothing_is_kept(clone, tmp_path, verb, code):
    done = run(clone, *WHO, str(tmp_path / "kept"), failing=verb, code=code)
    assert done.returncode == code
    assert not list((tmp_path / "kept").glob("*.tar.gz"))
    assert not (tmp_path / "kept" / "outcome").exists()


def test_an_earlier_result_and_a_wrong_call_are_refused_before_any_work(clone, tmp_path):
    (clone / "results" / "other").mkdir(parents=True)
    done = run(clone, *WHO, str(tmp_path / "kept"))
    assert done.returncode == 7
    assert "a fresh clone" in done.stderr
    assert run(clone, *WHO).returncode == 2
    assert not (clone / "calls").exists()


def read(name: str) -> dict:
    return yaml.safe_load((REPOSITORY / name).read_text(encoding="utf-8"))


def steps() -> list[dict]:
    return read(WORKFLOW)["jobs"]["reproduce"]["steps"]


def test_the_workflow_has_the_rights_that_it_needs_and_no_others():
    workflow = read(WORKFLOW)
    (job,) = workflow["jobs"].values()
    assert workflow["permissions"] == {}
    assert job["permissions"] == {"id-token": "write", "contents": "write"}
    assert set(workflow[True]) == {"schedule", "workflow_dispatch"}, "`on`; no stranger starts it"
    assert workflow[True]["workflow_dispatch"] is None, "no input of a caller"
    with_token = [step["name"] for step in steps() if "GH_TOKEN" in step.get("env", {})]
    assert with_token == ["Keep the result as a release"]


def test_every_action_is_pinned_by_its_digest_and_no_expression_reaches_a_shell():
    for step in steps():
        assert "uses" not in step or re.search(r"@[0-9a-f]{40}$", step["uses"]), step
        assert "${{" not in step.get("run", ""), step
    image = read(GITLAB)["reproduce"]["image"]
    assert re.search(r"@sha256:[0-9a-f]{64}$", image)
    assert image in (REPOSITORY / "docker" / "Dockerfile").read_text(), "the base of our images"


def test_both_files_run_the_script_at_the_commit_of_the_run():
    commands = "\n".join(step["run"] for step in steps())
    assert 'git checkout --quiet --detach "$GITHUB_SHA"' in commands
    assert f'{SCRIPT} "$GITHUB_SERVER_URL/$GITHUB_WORKFLOW_REF" ' in commands
    lines = read(GITLAB)["reproduce"]["script"]
    assert 'test "$(git rev-parse HEAD)" = "$CI_COMMIT_SHA"' in lines
    assert sum(line.startswith(SCRIPT) for line in lines) == 1
    for text in (commands, "\n".join(lines)):
        assert "grep --line-regexp reproduced" in text


def test_shellcheck_finds_nothing(tmp_path):
    checked = [REPOSITORY / SCRIPT]
    texts = [*(s["run"] for s in steps()), "\n".join(read(GITLAB)["reproduce"]["script"])]
    for number, text in enumerate(texts):
        checked.append(tmp_path / f"{number}.sh")
        checked[-1].write_text(f'#!/usr/bin/env bash\n: "${{KEPT:=}}"\n{text}\n')
    command = [SHELLCHECK, "--external-sources", *checked]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(ACTIONLINT is None, reason="actionlint is not here")
def test_actionlint_finds_nothing():
    done = subprocess.run(
        [str(ACTIONLINT), WORKFLOW], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
