"""`plan --why`: each job that is left says what changed since the last one of its name."""

import pytest

from kit.artifacts import PROJECT
from kit.cli.plan_text import render
from kit.experiment.manifest_file import load_manifest
from kit.plan import digests
from kit.plan.decided import artifacts_of, keep_inputs, read_inputs
from kit.plan.jobs import make_plan
from kit.plan.reasons import NEW, UNKNOWN, differences, in_words, reasons
from tests.toys.dataset import manifest
from tests.toys.work import make


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def run(plan):
    """Do what a run does: keep the inputs, then make what is missing."""
    keep_inputs(plan)
    for artifact in artifacts_of(plan):
        if not artifact.done:
            make(artifact)
    return plan


def why(plan):
    """Return {(stage, name): reason}."""
    found = reasons(plan)
    return {(made.stage, made.name): reason for reason, each in found.items() for made in each}


def test_a_first_plan_is_new_and_a_finished_one_has_no_reason():
    plan = make_plan(manifest())
    assert set(why(plan).values()) == {NEW}
    assert len(why(plan)) == len(list(artifacts_of(plan)))
    assert reasons(run(plan)) == {}
    assert "why: nothing is left to do" in render(plan, why=True)


def test_a_setting_is_named_with_both_values_and_what_rests_on_it_follows():
    smoke = PROJECT / "manifests" / "smoke.toml"  # which has attacks as well
    run(make_plan(load_manifest(smoke)))
    changed = make_plan(load_manifest(smoke, changes=("claims=[]", "unlearn.learning_rate=0.25")))
    found = why(changed)
    assert {stage for stage, _ in found} == {"unlearn", "evaluate", "attack"}
    trained = {reason for (stage, _), reason in found.items() if stage == "unlearn"}
    assert trained == {"settings: learning_rate 0.001 -> 0.25"}
    answered = {reason for (stage, _), reason in found.items() if stage == "evaluate"}
    assert answered == {
        "rests on a job that changed: adapters",
        "rests on a job that changed: answers",
    }
    said = render(changed, why=True)
    assert "settings: learning_rate 0.001 -> 0.25" in said
    unlearned = [reason for (stage, _), reason in found.items() if stage == "unlearn"]
    assert f"and {len(unlearned) - 4} more" in said


def test_the_nearest_earlier_job_is_compared():
    run(make_plan(manifest()))
    run(make_plan(manifest(unlearn={"learning_rate": 0.25, "steps": 30})))
    found = why(make_plan(manifest(unlearn={"learning_rate": 0.25, "steps": 40})))
    assert found["unlearn", "person-npo-s1"] == "settings: steps 30 -> 40"


def test_a_package_is_named_with_both_versions(monkeypatch):
    run(make_plan(manifest()))
    real = digests._version
    monkeypatch.setattr(digests, "_version", lambda name: "9" if name == "peft" else real(name))
    reason = why(make_plan(manifest()))["finetune", "vanilla"]
    assert reason == f"packages: peft {real('peft')} -> 9"


def test_what_was_made_before_inputs_were_kept_says_so(cache):
    plan = make_plan(manifest())
    make(plan.finetune[0].artifact)
    other = make_plan(manifest(finetune={"steps": 30}))
    assert why(other)["finetune", "vanilla"] == UNKNOWN
    (cache / "artifacts" / "decided-0.json").write_text("{cut off")
    (cache / "artifacts" / "decided-1.json").write_text("[1]")
    assert read_inputs() == {}
    keep_inputs(plan)
    assert why(other)["finetune", "vanilla"] == "settings: steps " + (
        f"{plan.manifest.finetune.steps} -> 30"
    )


def test_what_is_kept_is_what_decides():
    plan = make_plan(manifest())
    keep_inputs(plan)
    kept = read_inputs()
    for artifact in artifacts_of(plan):
        inputs = kept[artifact.digest]
        assert differences(inputs, inputs) == {}
        assert digests.digest_of(inputs) == artifact.digest, "the digest follows from what is kept"


def test_differences_are_sorted_by_what_they_are():
    before = {
        "code": {"kit/a.py": "1", "kit/b.py": "2"}, "data": {"pebench": "1"}, "base": "1",
        "packages": {"torch": "1"}, "vanilla": "1", "stop": "never", "split": {"seed": 1},
    }  # fmt: skip
    now = {
        "code": {"kit/a.py": "9", "kit/c.py": "2"}, "data": {"pebench": "2"}, "base": "2",
        "packages": {"torch": "2"}, "vanilla": "2", "stop": "uniform", "split": {"seed": 2},
        "seed": 3,
    }  # fmt: skip
    assert in_words(differences(before, now)) == (
        "settings: stop never -> uniform, seed nothing -> 3; "
        "code: kit/a.py, kit/b.py, kit/c.py; data: data.pebench, base, split.seed; "
        "packages: torch 1 -> 2; rests on a job that changed: vanilla"
    )
    many = {"code": {f"kit/{number}.py": "1" for number in range(9)}}
    assert in_words(differences({}, many)).endswith("kit/5.py, and 3 more")
