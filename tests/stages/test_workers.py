"""Worker processes: a dead one is an error with a remedy, and none outlives its run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kit.artifacts import PROJECT, Artifact
from kit.errors import DataError, EnvironmentFault, KitError, StorageError, UnforeseenError
from kit.failures import at
from kit.methods.registry import build
from kit.plan.jobs import Job
from kit.stages import workers
from kit.stages.workers import isolated, scatter
from tests.toys.dataset import manifest

KIT = {"PYTHONPATH": str(PROJECT)}


def process_id() -> int:
    return os.getpid()


def settings_of_a_worker() -> dict[str, object]:
    return {
        "interrupt": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
        "log": os.environ["VLLM_LOGGING_LEVEL"],
        "warnings": os.environ["PYTHONWARNINGS"],
    }


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail_with_a_remedy() -> None:
    raise DataError("image 7 cannot be read", expected="a PNG", found="a PDF", remedy="fetch it")


def exhaust_memory() -> None:
    raise MemoryError("9 TB")


def fill_disk() -> None:
    raise OSError(28, "No space left on device", "/cache/answers.parquet")


def mark_and_wait(folder: Path, wait: bool) -> None:
    (folder / str(os.getpid())).touch()
    if wait:
        time.sleep(60)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(condition, seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_a_function_runs_in_a_process_of_its_own_and_its_result_comes_back():
    assert isolated(process_id) != os.getpid()


def test_results_come_back_in_the_order_of_the_arguments():
    assert scatter(pow, [(2, 3), (3, 2)]) == [8, 9]


def gpus_seen(folder: Path) -> str:
    """Return the GPUs of this process, once there is another one: neither does both calls."""
    folder.mkdir(exist_ok=True)
    (folder / str(os.getpid())).touch()
    assert until(lambda: len(list(folder.iterdir())) == 2)
    return os.environ["CUDA_VISIBLE_DEVICES"]


def test_each_call_sees_as_many_gpus_as_its_engine_is_spread_over(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    one, two = tmp_path / "one", tmp_path / "two"
    assert sorted(scatter(gpus_seen, [(one,)] * 2)) == ["4", "5"]
    assert sorted(scatter(gpus_seen, [(two,)] * 2, cards=2)) == ["4,5", "6,7"]
    with pytest.raises(EnvironmentFault, match="tensor_parallel_size = 8 needs 8 GPUs") as caught:
        scatter(gpus_seen, [(one,)], cards=8)
    assert caught.value.found == "4"


def test_a_worker_is_deaf_to_ctrl_c_and_its_libraries_are_quiet(monkeypatch):
    for name in ("VLLM_LOGGING_LEVEL", "PYTHONWARNINGS"):
        monkeypatch.delenv(name, raising=False)
    assert isolated(settings_of_a_worker) == {
        "interrupt": True, "log": "ERROR", "warnings": "ignore",
    }  # fmt: skip


def test_an_error_of_the_kit_comes_out_of_a_worker_as_it_was_raised():
    with pytest.raises(DataError) as caught:
        isolated(fail_with_a_remedy)
    error = caught.value
    assert (error.what, error.remedy) == ("image 7 cannot be read", "fetch it")
    assert str(error).splitlines() == [
        "image 7 cannot be read", "  expected: a PNG", "  found: a PDF", "  remedy: fetch it",
    ]  # fmt: skip


def test_a_full_disk_within_a_worker_is_an_error_that_names_the_work():
    with pytest.raises(StorageError) as caught:
        isolated(fill_disk, place="evaluate, system vanilla")
    assert caught.value.what == "evaluate, system vanilla: /cache/answers.parquet: the disk is full"


@pytest.mark.parametrize("function", [die, exhaust_memory])
def test_a_worker_that_runs_out_of_memory_is_an_error_with_a_remedy(function):
    with pytest.raises(EnvironmentFault) as caught:
        isolated(function, place="unlearn, job person-npo-s1")
    assert caught.value.exit_code == 3
    assert caught.value.what.startswith("unlearn, job person-npo-s1: ")
    assert "compute.workers" in str(caught.value)


class Foreign(Exception):
    """As some libraries have them: it cannot be built again in another process."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)


def raise_foreign() -> None:
    with at("record r7"):
        raise Foreign(7, "tensors of two sizes\nand a second line")


def test_what_a_library_raises_in_a_worker_names_work_record_and_line():
    with pytest.raises(UnforeseenError) as caught:
        isolated(raise_foreign, place="unlearn, job person-npo-s1")
    error = caught.value
    assert error.what.startswith("unlearn, job person-npo-s1, record r7: Foreign")
    assert error.found.startswith("tensors of two sizes (tests/stages/test_workers.py:")
    assert "--debug" in error.remedy
    assert "raise Foreign(7" in error.traceback, "kept for --debug and the log"
    assert "second line" not in str(error)


def crash(folder: Path, number: int) -> None:
    (folder / str(number)).touch()
    if number == 0:
        until(lambda: len(list(folder.iterdir())) == 2)
        os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(60)


def test_of_two_workers_the_one_that_crashed_is_named(tmp_path):
    with pytest.raises(EnvironmentFault) as caught:
        scatter(crash, [(tmp_path, 1), (tmp_path, 0)], ["system one", "system none"])
    assert caught.value.what == "system none: a worker process crashed in a library (SIGSEGV)"
    assert "doctor" in caught.value.remedy


def test_a_worker_that_cannot_start_is_an_error_that_names_its_first_job(tmp_path, monkeypatch):
    def fail(given):
        raise ValueError("no such device")

    monkeypatch.setattr("kit.training.worker.Worker", fail)
    monkeypatch.setattr(workers, "_manifest", manifest())
    with pytest.raises(UnforeseenError, match="finetune, job vanilla: ValueError"):
        workers._guarded(tmp_path, "finetune, job vanilla", workers.run_job, jobs()[0])


def test_when_one_call_fails_the_others_are_stopped_at_once(tmp_path):
    started = time.monotonic()
    with pytest.raises(KitError):
        scatter(wait_or_fail, [(tmp_path, True), (tmp_path, False)])
    assert time.monotonic() - started < 30
    (process,) = map(int, (path.name for path in tmp_path.iterdir()))
    assert until(lambda: not alive(process))


def test_a_process_that_a_stopped_worker_had_started_is_stopped_with_it(tmp_path):
    """As the core of an engine on a GPU, which would go on holding the card's memory."""
    with pytest.raises(KitError):
        scatter(start_another_or_fail, [(tmp_path, True), (tmp_path, False)])
    (process,) = map(int, (path.name for path in tmp_path.iterdir()))
    assert until(lambda: not alive(process))


def start_another_or_fail(folder: Path, start: bool) -> None:
    if start:
        another = subprocess.Popen(["sleep", "60"])
        (folder / str(another.pid)).touch()
        time.sleep(60)
    until(lambda: any(folder.iterdir()))
    raise DataError("this one fails")


def wait_or_fail(folder: Path, wait: bool) -> None:
    if wait:
        mark_and_wait(folder, wait)
    until(lambda: any(folder.iterdir()))
    raise DataError("this one fails")


def finish_or_die(job: Job) -> dict[str, str]:
    """Stand for a training job: publish the artifact, or be killed once the others are done."""
    if job.name == "killed":
        until(lambda: len(list(job.artifact.path.parent.glob("*/job.json"))) == 2)
        die()
    job.artifact.partial.mkdir(parents=True)
    job.artifact.publish({})
    return {"made": job.name}


def jobs() -> list[Job]:
    settings = manifest().unlearn
    return [
        Job(
            "unlearn",
            name,
            None,
            1,
            settings,
            Artifact("unlearn", name, name * 16),
            build("npo", {}),
        )
        for name in ("killed", "first", "second")
    ]


def test_jobs_that_were_finished_before_a_worker_was_killed_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(workers, "run_job", finish_or_die)
    monkeypatch.setattr(workers, "open_worker", open_nothing)
    made = []
    with pytest.raises(EnvironmentFault, match="a worker process was killed"):
        made += [record["made"] for _, record in workers.run_jobs(manifest(), jobs())]
    assert [job.artifact.done for job in jobs()] == [False, True, True]


def open_nothing(given: object) -> None:
    """A worker's model and records, which no job here asks for."""


PARENT = """
import sys
from pathlib import Path
from kit.stages.workers import scatter
from tests.stages.test_workers import mark_and_wait

if __name__ == "__main__":
    scatter(mark_and_wait, [(Path(sys.argv[1]), True)] * 2)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_worker_outlives_a_run_that_ends_however(tmp_path, number):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)],
        cwd=PROJECT,
        env={**os.environ, **KIT},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell in the background starts its children deaf to SIGINT, and they would stay so.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert until(lambda: len(list(tmp_path.iterdir())) == 2, 120)
    workers = [int(path.name) for path in tmp_path.iterdir()]
    assert all(map(alive, workers))
    os.killpg(parent.pid, number) if number == signal.SIGINT else parent.kill()
    _, said = parent.communicate(timeout=30)
    assert until(lambda: not any(map(alive, workers)))
    assert "leaked semaphore" not in said
    assert said.count("Traceback") <= 1, "workers must not print theirs, too"


def seen(folder: Path, number: int) -> str:
    """Return which cards this process sees; each waits for the other, so that there are two."""
    (folder / str(number)).touch()
    until(lambda: len(list(folder.iterdir())) == 2)
    return os.environ.get("CUDA_VISIBLE_DEVICES", "all")


@pytest.mark.parametrize(
    ("cards", "expected"), [("4,7", {"4", "7"}), ("4", {"4"}), ("", {""}), (None, {"all"})]
)
def test_processes_side_by_side_take_the_cards_in_turn(tmp_path, monkeypatch, cards, expected):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if cards is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", cards)
    assert set(scatter(seen, [(tmp_path, 0), (tmp_path, 1)])) == expected
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == cards, "this process sees what it saw"


class ToldLate:
    """A process whose code the pool's own thread has fetched, but not yet noted."""

    def __init__(self) -> None:
        self.asked = 0

    def join(self, timeout: float) -> None:
        """Return at once: the system has no such child any more."""

    @property
    def exitcode(self) -> int | None:
        self.asked += 1
        return None if self.asked < 4 else -9


def test_an_exit_code_that_another_thread_fetches_is_waited_for():
    assert workers.ended_with(ToldLate()) == -9
