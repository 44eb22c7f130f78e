"""The whole experiment, shrunk: interrupted twice, resumed, verified, and the same bytes again."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kit.artifacts import PROJECT

pytestmark = pytest.mark.slow

FEWER = {
    'name = "smoke"': 'name = "shrunk"',
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
METHODS = """
[[methods]]
name = "{name}"
label = "{name}"
method = "{method}"
targets = ["person"]
stop = "never"
"""
PATIENCE = 900  # seconds until a test gives up


def shrunk(text: str) -> str:
    """Return the manifest of the smoke experiment with fewer steps, methods and records."""
    head, _, rest = text.partition("[[methods]]")
    for old, new in FEWER.items():
        assert head.count(old) + rest.count(old) >= 1, f"the manifest no longer says {old!r}"
        head, rest = head.replace(old, new, 1), rest.replace(old, new)
    tail = "[evaluation]" + rest.partition("[evaluation]")[2]
    chosen = {"gd": "grad_diff", "npo": "npo"}.items()
    return head + "".join(METHODS.format(name=n, method=m) for n, m in chosen) + "\n" + tail


def heed_ctrl_c() -> None:
    """A shell in the background starts its children deaf to SIGINT, and they would stay so."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Run:
    """One cache, one folder of results and one key; verbs are called as `run.sh` calls them."""

    def __init__(self, root: Path, workers: int = 1) -> None:
        self.root = root
        self.manifest = root / "shrunk.toml"
        self.cache, self.results = root / "cache", root / "results"
        text = (PROJECT / "manifests" / "smoke.toml").read_text(encoding="utf-8")
        text = shrunk(text).replace("workers = 2", f"workers = {workers}")
        self.manifest.write_text(text, encoding="utf-8")

    def start(self, verb: str = "all", *arguments: str) -> "subprocess.Popen[str]":
        places = {
            "PEBENCH_CACHE": self.cache,
            "PEBENCH_RESULTS": self.results,
            "XDG_CONFIG_HOME": self.root / "config",
            "PYTHONPATH": PROJECT,
        }
        environment = {**os.environ, **{name: str(place) for name, place in places.items()}}
        environment.pop("PYTHONWARNINGS", None)
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "kit", verb, *(arguments or (str(self.manifest),))],
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=heed_ctrl_c,
        )

    def call(self, verb: str = "all", *arguments: str) -> tuple[int, str]:
        process = self.start(verb, *arguments)
        output, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, output

    def stop_once(self, pattern: str, number: signal.Signals) -> str:
        """Start `all`, send a signal as soon as a file of the cache matches, return the output."""
        process = self.start()
        end = time.monotonic() + PATIENCE
        while not any(self.cache.glob(pattern)):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < end, f"{pattern} did not appear"
            time.sleep(0.02)
        if number is signal.SIGINT:  # as a terminal does it: to every process of the group
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        output, _ = process.communicate(timeout=30)  # ends only once no worker holds the pipe
        end = time.monotonic() + 10  # Python's own tracker of semaphores ends a little later
        while left := members(process.pid):
            assert time.monotonic() < end, f"processes go on after the end of their run: {left}"
            time.sleep(0.1)
        return f"{process.returncode}\n{output}"

    @property
    def result(self) -> Path:
        (folder,) = (path for path in self.results.iterdir() if path.is_dir())
        return folder

    def times(self) -> dict[Path, int]:
        """Return the modification time of every file that a stage has made."""
        places = (self.cache / "artifacts", self.cache / "data", self.results)
        files = [path for place in places for path in place.rglob("*") if path.is_file()]
        about_calls = [p for p in files if p.name.startswith("attempts-") or p.suffix == ".lock"]
        return {path: path.stat().st_mtime_ns for path in files if path not in about_calls}


def members(group: int) -> list[int]:
    """Return the living processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == group and fields[0] != "Z":
                found.append(int(entry.name))
    return found


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[str]]:
    """A run that was killed in fine-tuning, interrupted in evaluation, and then left alone."""
    run = Run(tmp_path_factory.mktemp("interrupted"))
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
        "interrupted: what is finished is kept; the same command goes on from there"
    )


def test_a_resumed_run_does_only_what_is_missing(interrupted):
    _, stopped, resumed = interrupted[1]
    assert "fetch: 1092 files verified" in stopped
    assert "vanilla: goes on from step" in stopped
    assert "finetune: 2 adapters are there already" in resumed
    assert "unlearn: 2 adapters are there already" in resumed
    assert "of 4 systems to answer" in resumed
    assert "answered vanilla" not in resumed


def test_the_result_of_an_interrupted_run_verifies(interrupted):
    run, _ = interrupted
    code, output = run.call("verify", str(run.result))
    assert code == 0
    assert "signed by runner" in output


def test_progress_is_the_kits_own_words_alone(interrupted):
    stages = ("fetch:", "finetune:", "unlearn:", "evaluate:", "interrupted:")
    jobs = ("  [", "  answered ", "  vanilla:", "  retain_only-person:", "  person-")
    for output in interrupted[1]:
        progress = output.partition("ok  signed by")[0].splitlines()
        told = [line for line in progress if line and not line.startswith((*stages, *jobs))]
        assert told in ([], ["-9"], ["130"])


def test_a_second_call_makes_nothing_again(interrupted):
    run, _ = interrupted
    before = run.times()
    code, output = run.call()
    assert code == 0, output
    assert run.times() == before


def test_a_run_from_nothing_with_more_workers_gives_the_same_bytes(interrupted, tmp_path_factory):
    run, _ = interrupted
    again = Run(tmp_path_factory.mktemp("again"), workers=2)
    code, output = again.call()
    assert code == 0, output
    for name in ("records.parquet", "sets.parquet", "answers/answers.parquet", "rows.parquet"):
        assert (again.result / name).read_bytes() == (run.result / name).read_bytes(), name


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
    stranger = Run(tmp_path)
    code, output = stranger.call("verify", str(run.result))
    assert code == 10
    assert "--trust" in output
