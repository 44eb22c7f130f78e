"""The stages on a cluster: what is submitted, and what an interpreter makes of it."""

import inspect
import json
from collections.abc import Sequence
from importlib import import_module

import pytest

from kit.cluster import child as children
from kit.cluster.child import Child
from kit.cluster.faults import error_of, fields_of
from kit.cluster.interpreter import Reply
from kit.cluster.kinds import KINDS, OF_A_PLAN, OF_NAMES, artifacts, names_of
from kit.cluster.nodes import require_equal
from kit.cluster.preview import submitted
from kit.cluster.request import Request, read, written
from kit.cluster.work import ClusterWork
from kit.errors import EnvironmentFault
from kit.failures import kit_error
from kit.plan.jobs import make_plan
from kit.preflight.tried import untried
from kit.stages import run as stages
from kit.stages.work import LocalWork, Work
from tests.toys.dataset import manifest
from tests.toys.work import check, make

SLOTS = 3
FACTS = {"kit": "1", "python": "3.11", "packages": {"torch": "2"}, "shared": "note",
         "processor": "x", "gpus": []}  # fmt: skip
CACHE = ("cache folder", "set PEBENCH_CACHE")


class ToyWorker:
    """Makes empty artifacts of a plan."""

    def __init__(self, plan):
        self.plan = plan

    def do(self, kind, names):
        if kind == "require_ready":
            return ["checked"]
        if kind == "require_methods":
            return [f"{name}: tried" for name in names]
        made = artifacts(kind, self.plan)
        for name in names:
            if kind == "check":
                check(next(s for s in self.plan.systems if s.name == name))
                continue
            make(made[name], steps=3, seconds=1.0, stopped=None, peak_memory_bytes=7, canary=0.5)
            if kind == "answer":
                check(next(s for s in self.plan.systems if s.name == name))
        return 1000


class OneProcess:
    """A cluster whose interpreters are objects of this process."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.replies: dict[int, Reply] = {}
        self.kept = Child()

    def slots(self) -> int:
        return SLOTS

    def submit(self, request: Request, *, warm: bool) -> int:
        self.requests.append(request)
        interpreter = self.kept if warm else Child()
        reply = json.loads(json.dumps(interpreter.reply(request.encoded())))
        self.replies[len(self.requests)] = reply
        return len(self.requests)

    def wait(self, attempts: Sequence[int], seconds: float) -> list[int]:
        return list(attempts)

    def reply(self, attempt: int) -> Reply:
        return self.replies[attempt]

    def sign(self, attempt: int) -> None:
        return None

    def lives(self, node: str) -> bool:
        return True

    def give_up(self, attempt: int) -> None:
        pass

    def release(self) -> None:
        pass

    def of(self, kind: str) -> list[Request]:
        return [request for request in self.requests if request.kind == kind]


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PEBENCH_RESULTS", str(tmp_path / "results"))
    monkeypatch.setattr(children, "Worker", ToyWorker)
    return make_plan(manifest())


def test_a_whole_run_is_submitted_by_digests_and_every_artifact_is_there_afterwards(plan):
    cluster = OneProcess()
    work = ClusterWork(cluster)
    stages.finetune(plan, work)
    stages.unlearn(plan, work)
    stages.evaluate(plan, work)
    assert all(job.artifact.done for job in plan.jobs())
    assert all(system.evaluated for system in plan.systems)
    trained = [digest for request in cluster.of("train") for digest in request.digests]
    assert sorted(trained) == sorted(job.artifact.digest for job in plan.jobs())
    assert {len(request.digests) for request in cluster.of("train")} == {1}
    asked = [request.digests for request in cluster.of("answer")]
    assert asked == [(s.answers.digest,) for s in plan.systems], "merged weights: one at a time"
    submitted_before = len(cluster.requests)
    for stage in (stages.finetune, stages.unlearn, stages.evaluate):
        stage(plan, work)
    assert len(cluster.requests) == submitted_before, "what is done is not submitted"


def public(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


def test_the_cluster_does_every_kind_of_work_that_one_machine_does():
    assert public(LocalWork) == public(Work) == public(ClusterWork) == set(KINDS)
    assert len(set(KINDS)) == len(KINDS)
    assert ClusterWork.__mro__ == (ClusterWork, object), "what it inherits runs on the driver"


@pytest.mark.parametrize("place", [*OF_A_PLAN.values(), *OF_NAMES.values()])
def test_a_node_finds_the_function_that_does_a_kind_of_work(place):
    module, name = place.split(":")
    takes = list(inspect.signature(getattr(import_module(module), name)).parameters)
    assert takes == (["plan"] if place in OF_A_PLAN.values() else ["plan", "names"])


def test_methods_are_tried_in_shares_as_many_as_there_is_room_for(plan):
    cluster = OneProcess()
    names = [job.name for job in untried(plan)]
    assert len(names) > SLOTS
    lines = ClusterWork(cluster).require_methods(plan)
    assert sorted(lines) == sorted(f"{name}: tried" for name in names)
    assert len(cluster.of("require_methods")) == SLOTS


def test_a_driver_that_comes_back_submits_only_what_is_missing(plan):
    for job in plan.finetune[:-1]:
        make(job.artifact)
    cluster = OneProcess()
    stages.finetune(plan, ClusterWork(cluster))
    (request,) = cluster.of("train")
    assert request.digests == (plan.finetune[-1].artifact.digest,)


def test_an_interpreter_leaves_out_what_an_earlier_attempt_has_published(plan):
    systems = [system.name for system in plan.systems]
    made = artifacts("answer", plan)
    for name in systems[:2]:
        make(made[name])
    request = Request("answer", written(plan.manifest), tuple(a.digest for a in made.values()))
    assert Child().reply(request.encoded()) == {"done": 1000}, "make refuses to make one twice"
    assert all(artifact.done for artifact in made.values())
    assert Child().reply(request.encoded()) == {"done": None}


def test_a_node_that_computes_other_digests_is_an_error_that_says_what_may_differ(plan):
    with pytest.raises(EnvironmentFault, match="other digests") as caught:
        names_of("train", plan, ["0" * 64])
    assert "0" * 16 in str(caught.value)
    request = Request("train", written(plan.manifest), ("0" * 64,), "finetune, job x")
    reply = Child().reply(request.encoded())
    assert str(error_of(reply["error"])) == str(caught.value)


def test_a_manifest_arrives_with_all_its_values(plan):
    assert read(written(plan.manifest)) == plan.manifest
    there = make_plan(read(written(plan.manifest)))
    assert [job.artifact for job in there.jobs()] == [job.artifact for job in plan.jobs()]
    assert there.systems == plan.systems


def test_an_error_arrives_with_its_class_code_id_and_remedy():
    error = kit_error(MemoryError("none left"), "job x")
    error.traceback = "Traceback ..."
    assert error.id == "PE-0302"
    there = error_of(json.loads(json.dumps(fields_of(error))))
    assert (type(there), there.message) == (type(error), error.message)
    assert (there.exit_code, there.traceback) == (error.exit_code, error.traceback)


def test_the_dry_run_counts_what_a_run_submits(plan):
    said = "\n".join(submitted(plan, SLOTS))
    assert f"finetune: {len(plan.finetune)} interpreters, one adapter each" in said
    assert f"evaluate: {len(plan.systems)} groups of up to 1 systems" in said
    for job in plan.jobs():
        make(job.artifact)
    assert "finetune" not in "\n".join(submitted(plan, SLOTS))


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("kit", "2", "code of the kit"),
        ("python", "3.12", "version of Python"),
        ("packages", {"torch": "3"}, "packages"),
        ("shared", "/cache/note: No such file", "cache folder"),
    ],
)
def test_a_node_that_differs_from_the_driver_is_named_with_what_differs(key, value, word):
    with pytest.raises(EnvironmentFault, match=f"node b has another {word}") as caught:
        require_equal(FACTS, {"a": FACTS, "b": {**FACTS, key: value}}, *CACHE)
    assert ("torch 2" if key == "packages" else str(FACTS[key])) in str(caught.value)


def test_a_node_that_does_not_answer_is_named_and_hardware_of_two_kinds_is_said():
    with pytest.raises(EnvironmentFault, match="node b does not answer"):
        require_equal(FACTS, {"a": FACTS, "b": None}, *CACHE)
    lines = require_equal(FACTS, {"a": FACTS, "b": {**FACTS, "processor": "y"}}, *CACHE)
    assert lines[:2] == ["a: x", "b: y"]
    assert lines[2].startswith("2 kinds of hardware")
    assert len(require_equal(FACTS, {"a": FACTS, "b": FACTS}, *CACHE)) == 2


def test_systems_that_one_engine_serves_are_answered_in_the_groups_of_one_machine(plan):
    served = make_plan(manifest(evaluation={"serving": "adapters"}))
    section = served.manifest.evaluation
    cluster = OneProcess()
    names = [system.name for system in served.systems]
    ClusterWork(cluster).answer(served, [names[::2], names[1::2]])
    digests = [system.answers.digest for system in served.systems]
    size = section.max_adapters
    groups = [tuple(digests[at : at + size]) for at in range(0, len(digests), size)]
    assert [request.digests for request in cluster.of("answer")] == groups
