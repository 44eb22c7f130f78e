"""Questions and answers of systems, with an engine that needs no model."""

import pandas as pd
import pytest

from kit.benchmarks.records import Concept, Record
from kit.errors import EnvironmentFault, GuardError
from kit.evaluation.answering import answer_group
from kit.evaluation.culprit import naming
from kit.evaluation.engines import Answer, Request, engine_class, require_complete
from kit.evaluation.questions import instruction_of
from kit.evaluation.worker import groups_of
from tests.toys.engine import named, serve, smoke


def stored(system):
    return pd.read_parquet(system.answers.path / "answers.parquet")


def test_every_record_of_the_target_is_answered_once_and_the_answers_are_kept(served, questions):
    engine = serve(served)
    vanilla, unlearned = named(served, "vanilla"), named(served, "person-npo-s1")
    answer_group([vanilla, unlearned], engine, questions)
    for system in (vanilla, unlearned):
        frame = stored(system)
        asked = [r.record_id for r in engine.asked if r.system == system.name]
        assert sorted(asked) == list(frame["record_id"])
        assert set(frame["text"]) == {f"I am {system.name}"}
        assert system.answers.job()["canary"] == pytest.approx(0.5)
        assert system.answers.job()["engine"] == {"engine": "toy"}
    assert len(stored(vanilla)) > len(stored(unlearned))


@pytest.mark.parametrize("fault", [{"lost": 1}, {"doubled": 1}], ids=["missing", "doubled"])
def test_a_missing_or_doubled_answer_is_an_error_and_nothing_is_kept(served, questions, fault):
    vanilla = named(served, "vanilla")
    with pytest.raises(GuardError, match="differing: 1") as caught:
        answer_group([vanilla], serve(served, **fault), questions)
    assert caught.value.exit_code == 9
    assert not vanilla.answers.done


@pytest.mark.parametrize("place", [0, 1, -1])
def test_an_engine_that_fails_at_one_question_is_an_error_that_names_it(served, questions, place):
    vanilla, unlearned = named(served, "vanilla"), named(served, "person-npo-s1")
    answer_group([vanilla], serve(served), questions)
    record = [request.record_id for request in questions.requests(unlearned)][place]
    with pytest.raises(EnvironmentFault, match=f"asks person-npo-s1 the question of {record}\n"):
        answer_group([unlearned], naming(serve(served, fails=[record])), questions)
    assert vanilla.answers.done, "what was answered before stands"
    assert not unlearned.answers.done
    answer_group([unlearned], naming(serve(served)), questions)
    assert unlearned.answers.done


def test_an_engine_that_answers_nothing_any_more_blames_no_question(served, questions):
    system = named(served, "vanilla")
    record = questions.requests(system)[0].record_id
    with pytest.raises(RuntimeError, match="out of bounds"):
        answer_group([system], naming(serve(served, fails=[record], dies=1)), questions)


def test_an_answer_to_another_question_is_an_error():
    asked = [Request(Record("a", Concept.PERSON, "?", "", None), "vanilla")]
    with pytest.raises(GuardError, match="differing: 2"):
        require_complete(asked, [Answer("b", "vanilla", "", (2,), "eos")])


def test_merged_weights_are_served_one_system_at_a_time_and_adapters_together(served):
    systems = list(served.systems)
    merged = smoke(evaluation={"serving": "merged"})
    assert [len(group) for group in groups_of(systems, merged)] == [1] * len(systems)
    together = smoke(evaluation={"serving": "adapters", "max_adapters": 4})
    sizes = [len(group) for group in groups_of(systems, together)]
    assert set(sizes[:-1]) == {4}
    assert sum(sizes) == len(systems)


def test_an_engine_is_found_by_the_name_that_a_manifest_gives_it():
    found = {name: engine_class(name) for name in ("transformers", "vllm")}
    assert {name: kind.__name__ for name, kind in found.items()} == {
        "transformers": "TransformersEngine", "vllm": "VllmEngine",
    }  # fmt: skip
    assert {name for name, kind in found.items() if kind.dequantised} == {"vllm"}


@pytest.mark.parametrize("target", ["person", "event", "both"])
def test_the_instruction_names_all_that_is_forgotten_and_nothing_that_is_kept(
    served, benchmark, target
):
    instruction = instruction_of(named(served, f"{target}-prompt-s1"), benchmark)
    split = benchmark.splits[target]
    forgotten = [benchmark.records[name] for name in split.forget]
    names = {r.person for r in forgotten if r.concept == "person"}
    names |= {r.event for r in forgotten if r.concept == "event"}
    assert names
    assert all(name in instruction for name in names)
    kept = {benchmark.records[name].person for name in split.retain}
    assert [name for name in kept - names if name in instruction] == []


def test_the_instruction_is_part_of_every_prompt_of_its_system_alone(served, questions):
    prompt = named(served, "person-prompt-s1")
    instruction = instruction_of(prompt, questions.benchmark)
    assert all(instruction in r.record.question for r in questions.requests(prompt))
    vanilla = questions.requests(named(served, "vanilla"))
    assert not any(instruction in r.record.question for r in vanilla)


def test_too_little_memory_is_no_fault_of_a_question():
    class Engine:
        calls = 0

        def answer(self, requests):
            self.calls += 1
            if self.calls == 1:
                raise RuntimeError("the engine is dead")
            if "large" in requests:
                raise MemoryError
            return []

    with pytest.raises(RuntimeError, match="the engine is dead"):
        naming(Engine()).answer(["large", "small"])
