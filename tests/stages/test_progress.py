"""Progress: jobs are counted by what exists, and the time left follows from this run alone."""

import json
import time

import pytest

from kit import console
from kit.artifacts import Artifact
from kit.experiment.manifest import Manifest
from kit.plan.jobs import make_plan
from kit.stages import pace as pace_module
from kit.stages import progress as module
from kit.stages import run as stages
from kit.stages.attack import attack
from kit.stages.pace import Pace, Piece, jobs_of
from kit.stages.progress import progress
from tests.toys.dataset import manifest
from tests.toys.work import ToyWork, make

ATTACK = {
    "entries": [
        {"name": "small", "label": "Small", "attack": "round_int", "levels": [4.0]},
        {"name": "relearn", "label": "Relearn", "attack": "relearn_forget", "levels": [0.5]},
    ]
}


def attacked():
    """Return the plan of one target, two methods and two attacks, one of which trains."""
    document = manifest().model_dump(mode="json")
    kept = [each for each in document["methods"] if each["name"] in ("po", "npo")]
    document |= {"methods": [{**each, "targets": ["person"]} for each in kept]}
    document |= {"targets": ["person"], "attack": ATTACK, "claims": []}
    return make_plan(Manifest.model_validate(document))


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(console.MODE, raising=False)


def test_an_attack_that_asks_nothing_has_work_that_a_pace_can_be_told_from(monkeypatch):
    """A benchmark without a column of efficacy has nothing to attack: 0 seconds for 0 questions."""
    monkeypatch.setattr(pace_module, "asked_under_attack", lambda plan, attack: 0)
    attacks = [each for each in jobs_of(attacked()) if each.kind == "attacks"]
    assert attacks
    pace = Pace(attacks)
    pace.begin(0.0)
    make(attacks[0].made[0])
    pace.look(attacks[0].stage, 2.0)
    assert pace.left(2.0) == (2.0 * (len(attacks) - 1), [])


def piece(name, work, stage="unlearn", kind="train"):
    return Piece(stage, kind, name, work, (Artifact(stage, name, name * 64),))


def test_the_time_left_is_work_at_the_pace_of_finished_jobs():
    ready, a, b, c = piece("r", 1000.0), piece("a", 10.0), piece("b", 5.0), piece("c", 25.0)
    answers = piece("d", 1.0, "evaluate", "answers")
    make(ready.made[0])
    pace = Pace([ready, a, b, c, answers])
    pace.begin(100.0)
    assert pace.left(110.0) == (0.0, ["unlearn", "evaluate"]), "nothing is guessed"
    make(a.made[0])
    assert pace.look("unlearn", 120.0) == [a]
    # 20 s for 10 units; 30 units are left: 60 s, of which 6 are over.
    assert pace.left(126.0) == (54.0, ["evaluate"])
    make(b.made[0])
    pace.look("unlearn", 150.0)
    # 50 s for 15 units, 25 units left.
    assert pace.left(150.0) == (pytest.approx(25 * 50 / 15), ["evaluate"])
    assert pace.left(900.0) == (0.0, ["evaluate"]), "a job that takes long is not overdue by itself"
    assert pace.counts("unlearn") == (2, 3), "a job that was there before is not counted"


def test_kinds_that_end_in_one_look_share_its_time():
    one, two = piece("a", 1.0, "evaluate", "answers"), piece("b", 1.0, "evaluate", "read")
    more = piece("c", 2.0, "evaluate", "read")
    pace = Pace([one, two, more])
    pace.begin(0.0)
    for each in (one, two):
        make(each.made[0])
    pace.look("evaluate", 30.0)
    assert pace.left(30.0) == (30.0, [])


def test_every_artifact_of_a_plan_is_the_job_of_one_stage():
    plan = attacked()
    pieces = list(jobs_of(plan))
    names = [(each.stage, artifact.name) for each in pieces for artifact in each.made]
    assert len(names) == len(set(names))
    made = {name for _, name in names}
    assert {job.name for job in plan.jobs()} <= made
    for system in plan.systems:
        assert {system.name, f"agreement-{system.name}"} <= made
    assert {each.stage for each in pieces} == {"finetune", "unlearn", "evaluate", "attack"}
    assert all(each.work > 0 for each in pieces)


def run_all(plan):
    work = ToyWork()
    steps = {
        "finetune": stages.finetune, "unlearn": stages.unlearn, "evaluate": stages.evaluate,
        "attack": attack,
    }  # fmt: skip
    with progress(list(steps)) as shown:
        shown.expect(plan)
        for name, step in steps.items():
            shown.begin(name)
            step(plan, work)


def test_as_json_every_job_is_reported_once_and_all_are_done_at_the_end(capsys, monkeypatch):
    monkeypatch.setenv(console.MODE, console.JSON)
    plan = attacked()
    run_all(plan)
    said = capsys.readouterr()
    assert said.err == ""
    events = [json.loads(line) for line in said.out.splitlines()]
    jobs = [
        (each["stage"], each["kind"], each["name"]) for each in events if each["event"] == "job"
    ]
    assert len(jobs) == len(set(jobs)) == len(list(jobs_of(plan)))
    begun = [each for each in events if each["event"] == "stage"]
    assert [(each["number"], each["stages"]) for each in begun] == [(n, 4) for n in (1, 2, 3, 4)]
    last = {
        each["stage"]: (each["done"], each["jobs"]) for each in events if each["event"] == "job"
    }
    assert all(done == every for done, every in last.values())


def test_stages_are_numbered_and_one_stage_alone_is_not(capsys):
    plan = attacked()
    run_all(plan)
    assert "stage 2 of 4, unlearn\n" in capsys.readouterr().err
    with progress(("evaluate",)) as shown:
        shown.expect(plan)
        shown.begin("evaluate")
    assert capsys.readouterr().err == ""


@pytest.fixture
def fast(monkeypatch):
    """Let 20 s of silence be 0.05 s."""
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.05)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)


def test_without_a_terminal_a_line_breaks_every_silence(capsys, fast):
    plan = make_plan(manifest())
    with progress(("finetune", "unlearn")) as shown:
        shown.expect(plan)
        shown.begin("finetune")
        time.sleep(0.5)
        make(plan.finetune[0].artifact)
        time.sleep(0.5)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) >= 6, "1 s is 20 silences"
    count = len(plan.finetune)
    assert f"stage 1 of 2, finetune: 0 of {count} jobs, 0 s so far" in lines[1]
    assert f"finetune: 1 of {count} jobs, " in lines[-1]
    assert "a minute, about" in lines[-1]
    assert "not counted" not in lines[-1], "both stages train"


def test_a_stage_that_has_begun_takes_at_least_what_is_known_and_later_ones_are_named(monkeypatch):
    answers = [piece(name, 1.0, "evaluate", "answers") for name in "ab"]
    read, attacks = piece("c", 1.0, "evaluate", "read"), piece("d", 1.0, "attack", "attacks")
    now = 0.0
    monkeypatch.setattr(module, "jobs_of", lambda plan: [*answers, read, attacks])
    monkeypatch.setattr(module, "monotonic", lambda: now)
    shown = module.Progress(("evaluate", "attack"))
    shown.expect(None, local=False)
    shown.begin("evaluate")
    make(answers[0].made[0])
    now = 30.0
    shown.end()
    begin = "stage 1 of 2, evaluate: 1 of 3 jobs, 2.0 a minute"
    assert shown.line(now) == f"{begin}, at least 30 s left, attack not counted"
    make(read.made[0])
    now = 60.0
    shown.end()
    begin = "stage 1 of 2, evaluate: 2 of 3 jobs, 2.0 a minute"
    assert shown.line(now) == f"{begin}, about 30 s left, attack not counted"


def test_quiet_prints_nothing(capsys, fast, monkeypatch):
    monkeypatch.setenv(console.MODE, console.QUIET)
    with progress(("finetune",)) as shown:
        shown.begin("finetune")
        time.sleep(0.2)
    assert capsys.readouterr() == ("", "")
