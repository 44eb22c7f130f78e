"""Vanilla reads answers, and gradients are measured: alone, in company, and what is stored."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
import torch

from kit.benchmarks import pebench
from kit.benchmarks.records import Benchmark, Column, Concept, Record, Split
from kit.cli.plan_text import render
from kit.errors import GuardError
from kit.evaluation import gradients, reading, scoring
from kit.evaluation.answers_file import write_answers
from kit.evaluation.engines import Answer
from kit.evaluation.reading import Read, Said
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import load_manifest
from kit.model.batches import Batcher
from kit.plan.jobs import make_plan
from kit.result.layout import GRADIENTS, READ_BY_VANILLA
from kit.result.table_reading import read_table
from kit.stages import run as stages
from tests.toys.dataset import TOY
from tests.toys.work import ToyWork, make

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model(tiny_base):
    from transformers import LlavaForConditionalGeneration

    return LlavaForConditionalGeneration.from_pretrained(
        tiny_base, attn_implementation="eager"
    ).eval()


@pytest.fixture
def batcher(processor):
    return Batcher(processor, torch.device("cpu"))


@pytest.fixture
def records(pictures):
    return [
        Record("a", Concept.PERSON, "Who is this person?", "Mara Weber", pictures[0], "Mara Weber"),
        Record("b", Concept.FACT, "Describe the scene in detail.", "a man", pictures[1], "Bo"),
        Record("c", Concept.PRESENCE, "Is there a dog?", "yes"),
    ]


SAID = {
    "a": Said("Ada Sato waits at a bus stop", True),
    "b": Said("no no no no no", False),
    "c": Said("", True),
}


def read(model, batcher, records, said):
    found = reading.read_texts(model, batcher, records, said)
    return {name: {each.record_id: each for each in own} for name, own in found.items()}


def test_an_answer_is_as_likely_as_the_scorer_says_of_the_same_text(model, batcher, records):
    """The scorer of given answers always has an end token; here it is that of ended answers."""
    found = read(model, batcher, records, {"one": SAID})["one"]
    for record in records:
        said = SAID[record.id]
        given = replace(record, concept=Concept.FACT, answer=said.text or "x", candidates=("no",))
        if said.text and said.ended:
            scored = scoring.score_records(model, batcher, [given])
            (expected,) = (each for each in scored if each.role == "answer")
            assert found[record.id].logprob == pytest.approx(expected.logprob, abs=1e-4)
            assert found[record.id].tokens == expected.tokens
    ended = read(model, batcher, records, {"one": SAID | {"b": Said(SAID["b"].text, True)}})["one"]
    assert found["b"].tokens == ended["b"].tokens - 1, "cut off: its end was not said"
    assert found["b"].logprob > ended["b"].logprob
    assert found["c"].tokens == 1, "an empty answer is its end token"


def test_what_is_read_of_one_system_does_not_depend_on_the_others(model, batcher, records):
    long = {name: Said(40 * "bus stop ", False) for name in SAID}
    alone = read(model, batcher, records, {"one": SAID})["one"]
    together = read(model, batcher, records[::-1], {"other": long, "one": SAID})
    assert together["one"] == alone
    assert all(together["other"][name] != alone[name] for name in SAID)


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    return make_plan(asking("gradient", "fluency"))


def asking(*groups):
    document = load_manifest(TOY).resolved()
    document["evaluation"]["metrics"] = list(groups)
    return Manifest.model_validate(document)


def named(plan, name):
    (found,) = [system for system in plan.systems if system.name == name]
    return found


def test_both_tables_are_sorted_rounded_and_of_the_stored_form(plan):
    system = named(plan, "person-npo-s1")
    reading.publish_read(system, [Read("b", -1.23456789, 2), Read("a", -2.0, 3)])
    path = system.read.path / "read_by_vanilla.parquet"
    table = read_table(path.read_bytes(), READ_BY_VANILLA).to_pydict()
    assert table["record_id"] == ["a", "b"]
    assert table["logprob"] == [-2.0, -1.234568]
    named_records = [Record(name, Concept.PERSON, "Who?", "Bo") for name in ("b", "a")]
    gradients.publish_norms(system, named_records, [0.5, 1.0])
    path = system.gradients.path / "gradients.parquet"
    assert read_table(path.read_bytes(), GRADIENTS)["norm"].to_pylist() == [1.0, 0.5]
    assert pq.read_schema(path).metadata is None
    other = named(plan, "vanilla")
    gradients.publish_norms(other, [], [])
    assert read_table((other.gradients.path / path.name).read_bytes(), GRADIENTS).num_rows == 0


def test_what_is_no_number_is_an_error_and_nothing_is_kept(plan):
    system = named(plan, "person-ga-s1")
    with pytest.raises(GuardError, match="person-ga-s1 gives no numbers"):
        gradients.publish_norms(system, [Record("a", Concept.PERSON, "Who?", "Bo")], [math.nan])
    with pytest.raises(GuardError, match="Vanilla gives no numbers"):
        reading.publish_read(system, [Read("a", -math.inf, 2)])
    assert not system.gradients.done
    assert not system.read.done


def test_gradients_are_of_the_forget_set_and_the_holdout_alone(plan):
    names = ("forget", "held", "scope", "choice")
    records = {name: Record(name, Concept.PERSON, "Who?", name, None, name) for name in names}
    records["choice"] = replace(records["choice"], concept=Concept.CHOICE, answer="A")
    sets = {
        ("person", Column.EFFICACY): ("forget", "choice"),
        ("person", Column.RETAIN): ("held",),
        ("person", Column.SCOPE): ("scope",),
    }
    splits = {"person": Split("person", ("forget",), (), sets), "event": Split("event", (), (), {})}
    benchmark = Benchmark("toy", records, (), splits)
    system, vanilla = named(plan, "person-npo-s1"), named(plan, "vanilla")
    for each in (system, vanilla):
        found = gradients.compared_records(each, benchmark, pebench.PROTOCOL)
        assert [record.id for record in found] == ["forget", "held"]
    asked = gradients.compared_records(named(plan, "person-prompt-s1"), benchmark, pebench.PROTOCOL)
    assert all(record.question.endswith(" Who?") for record in asked), "as the system is asked"


def test_without_a_holdout_no_model_is_loaded_and_the_table_is_empty(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    document = load_manifest(TOY).resolved()
    document["evaluation"]["metrics"] = ["gradient"]
    document["benchmark"]["options"] = {}
    plan = make_plan(Manifest.model_validate(document))
    gradients.measure_gradients(plan, ["vanilla"])
    path = named(plan, "vanilla").gradients.path / "gradients.parquet"
    assert read_table(path.read_bytes(), GRADIENTS).num_rows == 0


def test_norms_come_in_the_order_of_the_records(model, batcher, records):
    modules = r".*\.language_model\.layers\.\d+\..*_proj"
    found = gradients.measure_records(model, batcher, records, modules)
    back = gradients.measure_records(model, batcher, records[::-1], modules)
    assert back[::-1] == found
    assert len(set(found)) == 3


def test_each_group_has_its_own_artifacts_and_renames_no_others(plan):
    without = make_plan(asking())
    for system, other in zip(plan.systems, without.systems, strict=True):
        assert set(system.scores) == {"gradients", "read"}
        assert other.scores == {}
        assert system.answers.digest == other.answers.digest, "no question is asked again"
    likely, both = make_plan(asking("likelihood")), make_plan(asking("likelihood", "fluency"))
    for system, other in zip(likely.systems, both.systems, strict=True):
        assert system.likelihoods.digest == other.likelihoods.digest, "nothing is scored again"


def test_the_stage_measures_what_is_missing_and_nothing_twice(plan):
    for job in plan.jobs():
        make(job.artifact)
    work = ToyWork()
    stages.evaluate(plan, work)
    every = sorted(system.name for system in plan.systems)
    assert sorted(work.names("differentiate")) == sorted(work.names("read")) == every
    kinds = list(dict.fromkeys(kind for kind, _ in work.calls))
    assert kinds == ["base", "answer", "differentiate", "read"]
    assert "0 systems to answer, 0 to score" in render(plan)
    (plan.systems[3].read.path / "job.json").unlink()
    assert "1 to score" in render(plan)
    work.calls.clear()
    stages.evaluate(plan, work)
    assert work.calls == [("read", [plan.systems[3].name])]


@pytest.mark.parametrize("damage", ["gone", "cut off", "another table", "empty"])
def test_answers_that_are_damaged_in_the_cache_are_named_with_what_asks_them_again(
    tmp_path, damage
):
    """Vanilla and the judge read what the second look has read before them."""
    system = SimpleNamespace(name="npo", answers=SimpleNamespace(path=tmp_path))
    path = tmp_path / "answers.parquet"
    answers = [Answer("a", "npo", "Ada", (7, 2), "eos"), Answer("b", "npo", "Bel", (8,), "length")]
    write_answers(answers, tmp_path)
    assert reading.stored_answers(system) == {"a": Said("Ada", True), "b": Said("Bel", False)}
    if damage == "gone":
        path.unlink()
    elif damage == "cut off":
        path.write_bytes(path.read_bytes()[:-9])
    elif damage == "another table":
        (tmp_path / "tokens.parquet").replace(path)
    else:
        write_answers([], tmp_path)
    with pytest.raises(GuardError, match="stored answers of npo are damaged") as caught:
        reading.stored_answers(system)
    assert caught.value.remedy.startswith("remove this folder and run `./run.sh evaluate`")
    assert str(tmp_path) in caught.value.expected
