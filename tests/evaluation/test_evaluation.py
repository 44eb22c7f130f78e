"""Requests, answers and guards of an evaluation, with an engine that needs no model."""

import pandas as pd
import pytest

from kit.benchmarks import load
from kit.benchmarks.parquet import Place
from kit.errors import GuardError
from kit.evaluation import answering, questions
from kit.evaluation.engines import Answer, Request, complete
from kit.plan.jobs import make_plan
from kit.stages.run import guard_path
from kit.streams import sample
from tests.toys.dataset import manifest, write_dataset
from tests.toys.engine import ToyEngine


@pytest.fixture
def benchmark(tmp_path):
    (tmp_path / "data").mkdir()
    root = write_dataset(tmp_path / "data")
    return load(smoke(), {"pebench": Place(root, root)})


def smoke(**sections):
    evaluation = {"agreement_sample": 60, **sections.pop("evaluation", {})}
    return manifest(finetune={"rehearsal": 0.0}, evaluation=evaluation, **sections)


@pytest.fixture
def world(benchmark, processor, monkeypatch, tmp_path):
    """The plan of the smoke experiment over the tiny dataset; engines are opened by the tests."""
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(answering, "load_benchmark", lambda *given: benchmark)
    monkeypatch.setattr(answering, "load_processor", lambda path: processor)
    return make_plan(smoke())


def serve(monkeypatch, plan, **behaviour):
    adapters = {system.name: tuple(a.path for a in system.adapters) for system in plan.systems}
    engine = ToyEngine({"": (), **adapters}, **behaviour)
    monkeypatch.setattr(answering, "_open", lambda *given: engine)
    return engine


def named(plan, name):
    (found,) = [system for system in plan.systems if system.name == name]
    return found


def stored(system):
    return pd.read_parquet(system.answers.path / "answers.parquet")


def test_every_record_of_the_target_is_answered_once_and_the_answers_are_kept(world, monkeypatch):
    engine = serve(monkeypatch, world)
    answering.answer_systems(world, ["vanilla", "person-npo-s1"])
    for name in ("vanilla", "person-npo-s1"):
        system = named(world, name)
        frame = stored(system)
        asked = [r.record_id for r in engine.asked if r.system == name]
        assert sorted(asked) == list(frame["record_id"])
        assert set(frame["text"]) == {f"I am {name}"}
        assert system.answers.job()["canary"] == pytest.approx(0.5)
    assert len(stored(named(world, "vanilla"))) > len(stored(named(world, "person-npo-s1")))


@pytest.mark.parametrize("fault", [{"lost": 1}, {"doubled": 1}], ids=["missing", "doubled"])
def test_a_missing_or_doubled_answer_is_an_error_and_nothing_is_kept(world, monkeypatch, fault):
    serve(monkeypatch, world, **fault)
    with pytest.raises(GuardError, match="differing: 1") as caught:
        answering.answer_systems(world, ["vanilla"])
    assert caught.value.exit_code == 9
    assert not named(world, "vanilla").answers.done


def test_an_answer_to_another_question_is_an_error():
    asked = [Request("a", "vanilla", "?", None)]
    with pytest.raises(GuardError, match="differing: 2"):
        complete(asked, [Answer("b", "vanilla", "", 1, "eos")])


def test_an_adapter_that_changes_nothing_stops_the_evaluation(world, monkeypatch):
    serve(monkeypatch, world, shift=0.0)
    with pytest.raises(GuardError, match="person-npo-s1 does nothing in the engine"):
        answering.answer_systems(world, ["person-npo-s1"])
    assert not named(world, "person-npo-s1").answers.done


def test_the_prompt_only_baseline_has_no_adapter_to_probe(world, monkeypatch):
    serve(monkeypatch, world, shift=0.0)
    answering.answer_systems(world, ["person-prompt-s1"])
    assert named(world, "person-prompt-s1").answers.job()["canary"] is None


def test_a_token_that_is_no_longer_likely_counts_at_least_as_far_as_the_least_likely_one():
    before = {7: -1.0, 8: -9.0}
    assert answering.change_of_logprob(before, {7: -1.5, 8: -2.0}) == pytest.approx(0.5)
    assert answering.change_of_logprob(before, {5: -0.5, 6: -4.0}) == pytest.approx(3.0)


@pytest.mark.parametrize("target", ["person", "event", "both"])
def test_the_instruction_names_all_that_is_forgotten_and_nothing_that_is_kept(
    world, benchmark, target
):
    said = questions.instruction_of(named(world, f"{target}-prompt-s1"), benchmark)
    split = benchmark.splits[target]
    forgotten = [benchmark.records[name] for name in split.forget]
    names = {r.person for r in forgotten if r.concept == "person"}
    names |= {r.event for r in forgotten if r.concept == "event"}
    assert names
    assert all(name in said for name in names)
    kept = {benchmark.records[name].person for name in split.retain}
    assert [name for name in kept - names if name in said] == []


def test_the_instruction_is_part_of_every_prompt_of_its_system_alone(world, benchmark, processor):
    prompt = named(world, "person-prompt-s1")
    said = questions.instruction_of(prompt, benchmark)
    assert all(said in r.prompt for r in answering.requests_of(prompt, benchmark, processor))
    vanilla = answering.requests_of(named(world, "vanilla"), benchmark, processor)
    assert not any(said in r.prompt for r in vanilla)


def test_an_image_travels_whenever_the_record_has_one(world, benchmark, processor, records):
    system = named(world, "vanilla")
    requests = answering.requests_of(system, benchmark, processor)
    assert requests
    assert all(r.image == benchmark.records[r.record_id].image for r in requests)
    assert all(r.image is not None and "<image>" in r.prompt for r in requests)
    (text,) = answering.requests_of(system, benchmark, processor, [records[-1]])
    assert text.image is None
    assert "<image>" not in text.prompt


def answered(world, monkeypatch):
    serve(monkeypatch, world)
    answering.answer_systems(world, [system.name for system in world.systems])


def change(system, share):
    """Replace a share of a system's stored answers, as an engine would that serves it wrongly."""
    frame = stored(system)
    chosen = sample(range(len(frame)), round(share * len(frame)), "changed", system.name)
    frame.loc[sorted(chosen), "text"] = "somebody else"
    answers = [Answer(*row) for row in frame.itertuples(index=False)]
    answering.write_answers(
        [Answer(a.record_id, a.system, a.text, a.tokens, a.stop) for a in answers],
        system.answers.path / "answers.parquet",
    )


def test_equal_answers_of_two_engines_agree(world, monkeypatch):
    answered(world, monkeypatch)
    found = answering.agreement(world)
    assert found["sample"] == found["equal"] >= 60


def test_too_few_equal_answers_fail_and_one_is_shown(world, monkeypatch):
    answered(world, monkeypatch)
    for system in world.systems:
        change(system, 0.1)
    with pytest.raises(GuardError, match="the two engines disagree") as caught:
        answering.agreement(world)
    assert "'somebody else'" in str(caught.value)
    assert "99%" in str(caught.value)


def test_one_system_that_was_served_wrongly_fails_even_where_few_answers_may_differ(
    world, monkeypatch
):
    answered(world, monkeypatch)
    plan = make_plan(smoke(evaluation={"agreement_minimum": 0.5}))
    assert [s.answers for s in plan.systems] == [s.answers for s in world.systems]
    answering.agreement(plan)
    change(named(plan, "event-npo-s1"), 1.0)
    with pytest.raises(GuardError, match="event-npo-s1"):
        answering.agreement(plan)


@pytest.mark.parametrize(("words", "passes"), [(0, False), (2, True), (3, False)])
def test_answers_that_part_late_agree_where_the_manifest_compares_first_words(
    world, monkeypatch, words, passes
):
    answered(world, monkeypatch)
    plan = make_plan(smoke(evaluation={"agreement_words": words}))
    for system in plan.systems:
        frame = stored(system)
        frame["text"] = [f"{' '.join(text.split()[:2])} later" for text in frame["text"]]
        answers = [Answer(*row) for row in frame.itertuples(index=False)]
        answering.write_answers(answers, system.answers.path / "answers.parquet")
    if passes:
        assert answering.agreement(plan)["equal"] >= 60
    else:
        with pytest.raises(GuardError, match="the two engines disagree") as caught:
            answering.agreement(plan)
        assert "agreement_words" in caught.value.remedy


def test_how_answers_are_checked_decides_no_answer():
    before = make_plan(smoke())
    checked = {"agreement_sample": 7, "agreement_minimum": 0.1, "agreement_words": 2}
    after = make_plan(smoke(evaluation=checked))
    assert [s.answers.digest for s in after.systems] == [s.answers.digest for s in before.systems]
    assert guard_path(after) != guard_path(before), "but they are checked again"


@pytest.mark.parametrize(("differing", "passes"), [(1, True), (2, False)])
def test_of_three_answers_of_a_system_one_may_differ_by_a_near_tie(
    world, benchmark, monkeypatch, differing, passes
):
    answered(world, monkeypatch)
    plan = make_plan(smoke(evaluation={"agreement_minimum": 0.5}))
    assert [s.answers for s in plan.systems] == [s.answers for s in world.systems]
    every = answering._compared
    monkeypatch.setattr(answering, "_compared", lambda *given: every(*given)[:3])
    system = named(plan, "event-npo-s1")
    frame = stored(system)
    wrong = answering._compared(plan, system, benchmark)[:differing]
    frame.loc[frame["record_id"].isin(wrong), "text"] = "somebody else"
    answers = [Answer(*row) for row in frame.itertuples(index=False)]
    answering.write_answers(
        [Answer(a.record_id, a.system, a.text, a.tokens, a.stop) for a in answers],
        system.answers.path / "answers.parquet",
    )
    if passes:
        found = answering.agreement(plan)
        assert found["equal"] == found["sample"] - differing
    else:
        with pytest.raises(GuardError, match="event-npo-s1"):
            answering.agreement(plan)


def test_a_sampled_answer_that_the_second_engine_leaves_out_is_an_error(world, monkeypatch):
    answered(world, monkeypatch)
    serve(monkeypatch, world, lost=1)
    with pytest.raises(GuardError, match="differing: 1"):
        answering.agreement(world)
