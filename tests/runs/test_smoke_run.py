"""The whole experiment, shrunk: interrupted twice, resumed, verified, and the same bytes again."""

import re
import shutil
import signal
from pathlib import Path

import pytest

from kit import __version__
from kit.artifacts import PROJECT
from kit.result.layout import BILL
from tests.runs.whole_run import Run
from tests.toys.canaries import MARK, leaks
from tests.toys.dataset import own_text

pytestmark = pytest.mark.slow

FEWER = {
    'name = "toy"': 'name = "shrunk"',
    'targets = ["person", "event", "both"]': 'targets = ["person"]',
    "max_per_column = 64": "max_per_column = 51",
    "steps = 200": "steps = 12",
    "warmup_steps = 20": "warmup_steps = 2",
    "checkpoint_every = 100": "checkpoint_every = 2",
    "steps = 60": "steps = 4",
    "warmup_steps = 5": "warmup_steps = 1",
    "agreement_sample = 200": "agreement_sample = 20",
    "bootstrap_draws = 1000": "bootstrap_draws = 100",
}
WAITING = re.compile(r"  (the engine is starting|verifying .*) \(\d+ s\)")  # on a busy machine
METHODS = """
[[methods]]
name = "{name}"
label = "{name}"
method = "{method}"
targets = ["person"]
stop = "never"
"""
CLAIMS = """
[[claims]]
id = "C1"
text = "NPO forgets more than GD."
kind = "difference"
target = "person"
part = "person"
column = "efficacy"
metric = "forget_rate/1"
system = "npo"
other = "gd"
direction = "higher"
margin = 0.5
equivalence = 0.10
"""


def shrunk(text: str) -> str:
    """Return the toy experiment with fewer steps, methods and records."""
    head, _, rest = text.partition("[[methods]]")
    for old, new in FEWER.items():
        assert head.count(old) + rest.count(old) >= 1, f"the manifest no longer says {old!r}"
        head, rest = head.replace(old, new, 1), rest.replace(old, new)
    tail = "[evaluation]" + rest.partition("[evaluation]")[2] + CLAIMS
    chosen = {"gd": "grad_diff", "npo": "npo"}.items()
    return head + "".join(METHODS.format(name=n, method=m) for n, m in chosen) + "\n" + tail


def new_run(root: Path, workers: int = 1) -> Run:
    """Return a run of the shrunk experiment in an empty folder."""
    return Run(root, shrunk(own_text()).replace("workers = 2", f"workers = {workers}"))


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[str]]:
    """A run that was killed in fine-tuning, interrupted in evaluation, and then left alone."""
    run = new_run(tmp_path_factory.mktemp("interrupted"))
    outputs = [
        run.stop_once("artifacts/finetune-vanilla-*.partial/checkpoint", signal.SIGKILL),
        run.stop_once("artifacts/evaluate-vanilla-*/job.json", signal.SIGINT),
    ]
    code, output = run.call()
    assert code == 0, output
    return run, [*outputs, output]


def test_a_killed_run_says_nothing_and_an_interrupted_one_says_that_nothing_is_lost(interrupted):
    killed, stopped, _ = interrupted[1]
    assert killed.startswith("-9\n")
    assert "Traceback" not in killed + stopped
    assert stopped.startswith("130\n")
    assert stopped.rstrip().endswith(
        "interrupted: finished work is kept; run the same command to resume"
    )


def test_a_resumed_run_does_only_what_is_missing(interrupted):
    _, stopped, resumed = interrupted[1]
    assert re.search(r"fetch: pebench: \d+ files verified", stopped)
    assert "vanilla: resumes at step" in stopped
    assert "finetune: all 2 adapters are done" in resumed
    assert "unlearn: all 2 adapters are done" in resumed
    assert "of 4 systems to answer" in resumed
    assert "answered vanilla" not in resumed


def test_the_result_of_an_interrupted_run_verifies(interrupted):
    run, _ = interrupted
    code, output = run.call("verify", str(run.result))
    assert code == 0
    assert "signed by runner" in output
    assert "\n--  " not in output, "its pages are this kit's own, and were compared"
    assert run.record()["kit"]["version"] == __version__


def test_nothing_of_the_machine_reached_the_result(interrupted):
    run, _ = interrupted
    assert leaks(run.result, [MARK, str(run.root), str(PROJECT), str(Path.home()) + "/"]) == []


def test_progress_is_the_kits_own_words_alone(interrupted):
    stages = ("stage ", "fetch:", "finetune:", "unlearn:", "evaluate:", "attack:", "interrupted:")
    jobs = ("  [", "  answered ", "  vanilla:", "  retain_only-person:", "  person-")
    checks = ("  weight", "  model:", "  processor:", "  records:", "  method '")  # before training
    own = (*stages, *jobs, *checks)
    for output in interrupted[1]:
        progress = output.partition("ok  signed by")[0].splitlines()
        told = [
            line
            for line in progress
            if line and not line.startswith(own) and not WAITING.fullmatch(line)
        ]
        assert told in ([], ["-9"], ["130"])


def test_a_second_call_makes_nothing_again(interrupted):
    run, _ = interrupted
    before = run.times()
    code, output = run.call()
    assert code == 0, output
    assert run.times() == before


def test_a_run_from_nothing_with_more_workers_gives_the_same_bytes(interrupted, tmp_path_factory):
    run, _ = interrupted
    again = new_run(tmp_path_factory.mktemp("again"), workers=2)
    code, output = again.call()
    assert code == 0, output
    names = ["records.parquet", "sets.parquet", "answers/answers.parquet", "rows.parquet", BILL]
    for name in names:
        assert (again.result / name).read_bytes() == (run.result / name).read_bytes(), name
    costs = [
        {job["name"]: (job["steps"], job["forward_passes"]) for job in each.record()["jobs"]}
        for each in (run, again)
    ]
    assert costs[0] == costs[1], "a job that was killed and went on costs what another one does"
    cards = sorted(path.relative_to(run.result) for path in run.result.glob("adapters/*/README.md"))
    assert len(cards) == 4
    # The number of workers is part of the manifest.
    digests = [each.record()["manifest_digest"] for each in (run, again)]
    for card in cards:
        text = (run.result / card).read_text(encoding="utf-8").replace(*digests)
        assert (again.result / card).read_text(encoding="utf-8") == text, card


def test_one_flipped_byte_is_found_and_named(interrupted, tmp_path):
    run, _ = interrupted
    copy = shutil.copytree(run.result, tmp_path / "copy")
    flipped = bytearray((copy / "rows.parquet").read_bytes())
    flipped[len(flipped) // 2] ^= 1
    (copy / "rows.parquet").write_bytes(bytes(flipped))
    code, output = run.call("verify", str(copy))
    assert code == 1
    assert "rows.parquet: changed after signing" in output


def test_a_result_of_an_unknown_signer_is_refused(interrupted, tmp_path):
    run, _ = interrupted
    stranger = new_run(tmp_path)
    code, output = stranger.call("verify", str(run.result))
    assert code == 10
    assert "--trust" in output
