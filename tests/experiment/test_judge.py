"""The section `[judge]`: its prompt, its replies, and what changes with it."""

import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import ManifestError
from kit.experiment.judge import filled
from kit.experiment.manifest_file import load_manifest
from kit.plan.jobs import make_plan
from kit.plan.preview import preview
from kit.stages import run as stages
from tests.toys.dataset import TOY
from tests.toys.work import ToyWork

PROMPT = "Q: {question} R: {reference} A: {answer} Same?"
JUDGE = f"""
[judge]
compute_dtype = "float32"
prompt = "{PROMPT}"
replies = {{ Yes = 1.0, No = 0.0 }}

[judge.source]
name = "judge"
folder = "kit/smoke/base"
checksums = "checksums/smoke-base.sha256"
"""
ASKED = '\n[evaluation]\nmetrics = ["judge"]\n'


@pytest.fixture
def written(tmp_path):
    """Give a function that writes a manifest with a judge, with a part replaced."""
    shutil.copy(TOY, tmp_path)

    def write(old="", new="", text=ASKED + JUDGE):
        path = tmp_path / "judged.toml"
        whole = f'extends = "experiment.toml"\nname = "judged"\nclaims = []\n{text}'
        assert old in whole
        path.write_text(whole.replace(old, new, 1) if old else whole, encoding="utf-8")
        return path

    return write


@given(st.text(), st.text(), st.text())
def test_texts_take_the_places_and_their_braces_mean_nothing(question, reference, answer):
    found = filled("1{question}2{reference}3{answer}4", question, reference, answer)
    assert found == f"1{question}2{reference}3{answer}4"


def test_an_answer_that_names_a_place_is_not_filled_again():
    assert filled(PROMPT, "{answer}", "r", "{reference}") == (
        "Q: {answer} R: r A: {reference} Same?"
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{reference}", "", "judge.prompt names {reference} 0 times"),
        ("{answer}", "{answer}{answer}", "judge.prompt names {answer} 2 times"),
        ("Yes = 1.0", "Yes = 1.5", "'Yes' = 1.5 is not valid"),
        ("Yes = 1.0", "Yes = nan", "'judge.replies.Yes' is not valid"),
        ("Yes = 1.0", '" Yes" = 1.0', "' Yes' = 1 is not valid"),
        ("Yes = 1.0", "Yes = 0.0", "all judge.replies have the same value"),
        ("Yes = 1.0, ", "", "'judge.replies' is not valid"),
        ('["judge"]', "[]", "there is [judge], but no 'judge' in evaluation.metrics"),
        ('name = "judge"', 'name = "base"', "sources.name has base twice"),
    ],
)
def test_what_is_no_judge_is_refused(written, old, new, said):
    with pytest.raises(ManifestError) as caught:
        load_manifest(written(old, new))
    assert said in str(caught.value)


def test_the_metric_without_a_judge_is_refused(written):
    with pytest.raises(ManifestError, match=r"there is 'judge' in evaluation.metrics, but no"):
        load_manifest(written(text=ASKED))


def test_a_judge_changes_no_training_and_no_answer(written, tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    with_judge, without = (
        make_plan(load_manifest(written())),
        make_plan(load_manifest(written(text=""))),
    )
    assert [j.artifact for j in with_judge.jobs()] == [j.artifact for j in without.jobs()]
    for one, other in zip(with_judge.systems, without.systems, strict=True):
        assert one.answers == other.answers
        assert set(one.scores) - set(other.scores) == {"judged"}
    assert preview(load_manifest(written()))[1] == []


@pytest.mark.parametrize(
    ("old", "new"), [("Same?", "Equal?"), ("No = 0.0", "No = 0.1"), ("float32", "bfloat16")]
)
def test_another_prompt_or_reply_is_another_judgement(written, tmp_path, monkeypatch, old, new):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    one = make_plan(load_manifest(written())).systems[0].judged
    other = make_plan(load_manifest(written(old, new))).systems[0].judged
    assert one.digest != other.digest


def test_the_stage_lets_the_judge_read_every_system_once(written, tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    plan, work = make_plan(load_manifest(written())), ToyWork()
    list(work.train(plan.manifest, list(plan.jobs())))
    stages.evaluate(plan, work)
    assert sorted(work.names("judge")) == sorted(system.name for system in plan.systems)
    work.calls.clear()
    stages.evaluate(plan, work)
    assert work.calls == []
