"""The loop that submits, waits and submits again, on a cluster of toys and a clock of toys."""

from collections.abc import Callable, Sequence

import pytest

from kit.cluster import dispatch
from kit.cluster.dispatch import ATTEMPTS, NO_NODE_S, LostError, run
from kit.cluster.faults import fields_of
from kit.cluster.interpreter import Reply
from kit.cluster.request import Request
from kit.errors import EnvironmentFault, GuardError, StorageError

JOBS = [Request("train", "{}", (f"{n}",), f"job {n}") for n in range(6)]


class ToyCluster:
    """Attempts end in the order of submission, one in each wait, after ten seconds."""

    def __init__(self, outcome: Callable[[Request, int], Reply | None], slots: int = 2) -> None:
        self.outcome, self.room = outcome, slots
        self.submitted: list[Request] = []
        self.running: dict[int, Request] = {}
        self.given_up: list[str] = []
        self.released: list[int] = []
        self.most = 0
        self.time = 0.0
        self.dead: set[str] = set()

    def now(self) -> float:
        return self.time

    def slots(self) -> int:
        return self.room

    def submit(self, request: Request, *, warm: bool) -> int:
        self.submitted.append(request)
        self.running[len(self.submitted)] = request
        self.most = max(self.most, len(self.running))
        return len(self.submitted)

    def tries(self, request: Request) -> int:
        return self.submitted.count(request)

    def wait(self, attempts: Sequence[int], seconds: float) -> list[int]:
        self.time += 10
        assert self.time < 100_000, "the loop waits for what will never come"
        ended = [n for n in attempts if self.outcome(self.running[n], self.tries(self.running[n]))]
        return ended[:1]

    def reply(self, attempt: int) -> Reply:
        request = self.running.pop(attempt)
        reply = self.outcome(request, self.tries(request))
        assert reply is not None
        if "lost" in reply:
            raise LostError("WorkerCrashedError")
        return reply

    def sign(self, attempt: int) -> tuple[str, float] | None:
        return "node", self.time

    def lives(self, node: str) -> bool:
        return node not in self.dead

    def give_up(self, attempt: int) -> None:
        self.given_up.append(self.running.pop(attempt).place)

    def release(self) -> None:
        self.released.append(len(self.running))


def done(cluster: ToyCluster, **options: object) -> list[str]:
    return [r.place for r, _ in run(cluster, JOBS, now=cluster.now, **options)]  # type: ignore[arg-type]


def well(request: Request, tries: int) -> Reply:
    return {"done": tries}


def test_every_piece_of_work_is_done_once_and_yielded_as_it_ends():
    cluster = ToyCluster(well)
    assert done(cluster) == [job.place for job in JOBS]
    assert cluster.submitted == JOBS
    assert cluster.most == len(JOBS), "Ray decides what waits: everything is submitted at once"


def test_kept_interpreters_are_asked_as_many_at_a_time_as_there_are_cards():
    cluster = ToyCluster(well, slots=2)
    assert sorted(done(cluster, warm=True)) == [job.place for job in JOBS]
    assert cluster.most == 2
    assert cluster.released[0] == 1, "one without work gives its card back while another works"
    assert cluster.released[-1] == 0


def test_what_a_killed_worker_was_at_is_done_again():
    def outcome(request: Request, tries: int) -> Reply:
        return {"lost": True} if request == JOBS[1] and tries < 3 else {"done": tries}

    cluster = ToyCluster(outcome)
    assert sorted(done(cluster)) == [job.place for job in JOBS]
    assert cluster.tries(JOBS[1]) == 3
    assert len(cluster.submitted) == len(JOBS) + 2


def test_work_that_kills_its_interpreter_every_time_ends_the_run_and_is_named():
    def outcome(request: Request, tries: int) -> Reply:
        return {"ended": -9, "log": ""} if request == JOBS[0] else {"done": 1}

    cluster = ToyCluster(outcome)
    with pytest.raises(EnvironmentFault, match="job 0, attempt 5: a worker process was killed"):
        done(cluster)
    assert cluster.tries(JOBS[0]) == ATTEMPTS


def test_a_node_that_the_cluster_holds_dead_is_given_up_though_nothing_was_raised():
    class Cut(ToyCluster):
        def sign(self, attempt: int) -> tuple[str, float] | None:
            request = self.running[attempt]
            return "cut off" if request == JOBS[2] and self.tries(request) == 1 else "n", self.time

    def outcome(request: Request, tries: int) -> Reply | None:
        return None if request == JOBS[2] and tries == 1 else {"done": tries}

    cluster = Cut(outcome)
    cluster.dead = {"cut off"}
    assert sorted(done(cluster)) == [job.place for job in JOBS]
    assert cluster.given_up == ["job 2"]


def test_what_was_finished_and_tidied_up_behind_a_cut_cable_is_not_awaited_for_ever():
    class Cut(ToyCluster):
        def sign(self, attempt: int) -> tuple[str, float] | None:
            request = self.running[attempt]
            if request != JOBS[2] or self.tries(request) > 1:
                return "node", self.time
            if self.time < 100:
                return "cut off", self.time
            self.dead = {"cut off"}
            return None  # its folder is gone

    def outcome(request: Request, tries: int) -> Reply | None:
        return None if request == JOBS[2] and tries == 1 else {"done": tries}

    cluster = Cut(outcome)
    assert sorted(done(cluster)) == [job.place for job in JOBS]
    assert cluster.given_up == ["job 2"]


def test_a_supervisor_without_a_sign_of_life_is_given_up_but_one_that_has_not_begun_is_not():
    class Silent(ToyCluster):
        def sign(self, attempt: int) -> tuple[str, float] | None:
            request = self.running[attempt]
            if request == JOBS[4]:
                return None  # waits for room
            first = request == JOBS[3] and self.tries(request) == 1
            return "node", 1.0 if first else self.time

    def outcome(request: Request, tries: int) -> Reply | None:
        if request == JOBS[3] and tries == 1:
            return None
        return None if request == JOBS[4] and cluster.time < 1000 else {"done": tries}

    cluster = Silent(outcome)
    assert sorted(done(cluster, silent_s=300)) == [job.place for job in JOBS]
    assert cluster.given_up == ["job 3"]


def test_an_error_of_the_work_stops_the_others_and_keeps_its_kind_and_remedy():
    failed = GuardError("no effect", expected=1, found=2, remedy="train longer")

    def outcome(request: Request, tries: int) -> Reply:
        return {"error": fields_of(failed)} if request == JOBS[1] else {"done": 1}

    cluster = ToyCluster(outcome)
    with pytest.raises(GuardError) as caught:
        done(cluster)
    assert str(caught.value) == str(failed)
    assert cluster.given_up == [job.place for job in JOBS[2:]]


def test_a_driver_that_is_interrupted_stops_what_it_has_submitted():
    cluster = ToyCluster(well)
    work = run(cluster, JOBS, now=cluster.now)
    next(work)
    work.close()
    assert cluster.given_up == [job.place for job in JOBS[1:]]


def test_a_cluster_without_nodes_ends_the_run_which_says_what_remains():
    cluster = ToyCluster(lambda request, tries: None, slots=0)
    with pytest.raises(EnvironmentFault, match="no node") as caught:
        done(cluster)
    assert "6 pieces of work remain: job 0, job 1, job 2" in str(caught.value)
    assert cluster.time >= NO_NODE_S


def test_a_full_disk_of_a_node_is_not_tried_again():
    full = fields_of(StorageError("/cache: the disk is full", remedy="free some space"))
    cluster = ToyCluster(lambda request, tries: {"error": full})
    with pytest.raises(StorageError, match="the disk is full"):
        done(cluster)
    assert cluster.tries(JOBS[0]) == 1
    assert dispatch.ATTEMPTS > 1
