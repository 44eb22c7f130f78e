"""Likelihoods from the plan to the result: who is scored, where it is kept, and when again."""

import json
import math
import shutil
import zlib
from dataclasses import replace

import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from kit import benchmarks
from kit.benchmarks import pebench
from kit.benchmarks.protocol import Protocol
from kit.benchmarks.records import Benchmark, Column, Concept, Record, Split, by_id
from kit.cli.plan_text import render
from kit.code import code_of
from kit.errors import GuardError, ManifestError, MissingStageError
from kit.evaluation import scoring
from kit.evaluation.peers import Peers
from kit.evaluation.questions import asked_records, records_of
from kit.evaluation.scored_answers import Distances, ScoredAnswer, TokenRow
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import load_manifest
from kit.model.base import load_base, load_processor
from kit.model.batches import Batcher
from kit.model.likelihood import answer_distribution
from kit.model.lora import add_adapter, load_adapter, save_adapter
from kit.plan.digests import loader_modules
from kit.plan.jobs import make_plan
from kit.result.layout import DISTANCES, LIKELIHOODS, TOKENS
from kit.result.table_reading import read_table
from kit.result.tables import SCHEMAS
from kit.stages import collect, result_tables
from kit.stages import run as stages
from kit.stages.costs import read_costs
from tests.toys.dataset import TOY
from tests.toys.work import ToyWork, make

torch.set_num_threads(1)


def settings(**sections):
    document = load_manifest(TOY).resolved()
    for method in document["methods"]:
        method["options"] = {}  # the prompt has its default instruction, which names the people
    for section, values in sections.items():
        document[section] = document[section] | values if isinstance(values, dict) else values
    return Manifest.model_validate(document)


def measures(monkeypatch, likelihood):
    protocol: Protocol = replace(pebench.PROTOCOL, likelihood=likelihood)
    monkeypatch.setattr(pebench, "PROTOCOL", protocol)


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """The small experiment, of a benchmark that measures likelihoods."""
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PEBENCH_RESULTS", str(tmp_path / "results"))
    measures(monkeypatch, True)
    return make_plan(settings())


def named(plan, name):
    (found,) = [system for system in plan.systems if system.name == name]
    return found


def digests(manifest, kind):
    return {s.name: getattr(s, kind).digest for s in make_plan(manifest).systems}


def test_a_benchmark_without_likelihoods_has_none_to_make(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    measures(monkeypatch, False)
    plan = make_plan(settings())
    assert all(system.likelihoods is None for system in plan.systems)
    assert "to score" not in render(plan)


def test_every_system_has_likelihoods_of_its_own(plan):
    paths = {system.likelihoods.path for system in plan.systems}
    assert len(paths) == len(plan.systems)
    assert not paths & {system.answers.path for system in plan.systems}


def test_how_answers_are_generated_does_not_rename_likelihoods(plan):
    asked, served = settings(), settings(evaluation={"max_new_tokens": 7, "serving": "adapters"})
    before, after = digests(asked, "likelihoods"), digests(served, "likelihoods")
    assert after == {name: before[name] for name in after}
    before, after = digests(asked, "answers"), digests(served, "answers")
    assert not [name for name in after if after[name] == before[name]]


def test_another_adapter_renames_its_systems_likelihoods_and_no_others(plan):
    document = settings().resolved()
    next(entry for entry in document["methods"] if entry["name"] == "npo")["steps"] = 61
    before = digests(settings(), "likelihoods")
    after = digests(Manifest.model_validate(document), "likelihoods")
    assert {name for name in before if before[name] != after[name]} == {
        name for name in before if "-npo-" in name
    }


def test_the_files_beside_a_loader_decide_the_digest_with_it():
    pebench, clear = (set(code_of(loader_modules(name))) for name in ("pebench", "clear"))
    assert {
        "kit/benchmarks/pebench/__init__.py",
        "kit/benchmarks/pebench/events.json",
        "kit/benchmarks/pope.py",
    } <= pebench
    assert {"kit/benchmarks/clear/__init__.py", "kit/benchmarks/clear/records.py"} <= clear


def test_the_plan_counts_what_is_to_be_scored(plan):
    lines = render(plan, each=True).splitlines()
    assert sum("likelihoods of given answers" in line for line in lines) == len(plan.systems)
    make(plan.systems[0].likelihoods)
    assert f"{len(plan.systems) - 1} to score" in render(plan)


@pytest.mark.parametrize(("target", "hint"), [("persn", "did you mean 'person'?"), ("zz", "zz")])
def test_an_unknown_target_is_named_with_the_nearest_one(target, hint, monkeypatch):
    document = settings().resolved()
    document["targets"] = [target]
    document["methods"] = []
    with pytest.raises(ManifestError) as caught:
        make_plan(Manifest.model_validate(document))
    assert hint in str(caught.value)
    assert ", ".join(benchmarks.protocol("pebench").targets) in str(caught.value)


@pytest.fixture
def work(plan):
    """The work of other processes, done at once; all adapters are trained."""
    for job in plan.jobs():
        make(job.artifact)
    return ToyWork()


def test_scoring_follows_answering_and_both_are_counted(plan, work, capsys):
    stages.evaluate(plan, work)
    every = sorted(system.name for system in plan.systems)
    assert sorted(work.names("answer")) == sorted(work.names("score")) == every
    kinds = [kind for kind, _ in work.calls if kind in ("answer", "score")]
    assert kinds == sorted(kinds), "answers first"
    assert kinds.count("score") == plan.manifest.compute.workers
    cost = read_costs(plan)["evaluate"]
    assert (cost["jobs"], cost["peak_memory_bytes"]) == (2 * len(every), 2000)
    assert f"{len(every)} of {len(every)} systems to score" in capsys.readouterr().err


def test_only_what_is_missing_is_scored_and_answers_are_not_given_again(plan, work, capsys):
    stages.evaluate(plan, work)
    work.calls.clear()
    stages.evaluate(plan, work)
    assert work.calls == []
    assert "systems are answered and scored" in capsys.readouterr().err
    (plan.systems[3].likelihoods.path / "job.json").unlink()
    stages.evaluate(plan, work)
    assert work.calls == [("score", [plan.systems[3].name])]


class HalfWork(ToyWork):
    """Scores the first system and fails."""

    def score(self, plan, shares):
        super().score(plan, [shares[0][:1]])
        raise GuardError("broken")


def test_what_was_scored_before_an_error_is_counted(plan, work):
    with pytest.raises(GuardError, match="broken"):
        stages.evaluate(plan, HalfWork())
    assert read_costs(plan)["evaluate"]["jobs"] == len(plan.systems) + 1


def test_a_report_needs_the_likelihoods(plan, work):
    stages.evaluate(plan, work)
    (plan.systems[0].likelihoods.path / "job.json").unlink()
    with pytest.raises(MissingStageError, match="1 systems are not evaluated"):
        collect.collect(plan)


def test_a_result_has_all_systems_likelihoods_sorted_or_an_empty_table(tmp_path, plan, work):
    stages.evaluate(plan, work)
    tables = [pq.read_table(s.likelihoods.path / "likelihoods.parquet") for s in plan.systems]
    for name, parts in (("all", tables[::-1]), ("none", [])):
        (tmp_path / name / "answers").mkdir(parents=True)
        frame = result_tables.joined(parts, LIKELIHOODS)
        result_tables.write_table(frame, tmp_path / name, LIKELIHOODS)
        data = (tmp_path / name / LIKELIHOODS).read_bytes()
        read = read_table(data, LIKELIHOODS)
        assert read.num_rows == len(parts)
        assert read["system"].to_pylist() == sorted(read["system"].to_pylist())
        assert pq.read_schema(tmp_path / name / LIKELIHOODS).metadata is None


def test_a_table_of_tokens_is_written_where_the_manifest_asks_for_it_and_nowhere_else(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    asked = settings(evaluation={"metrics": ["likelihood"]})
    plan, without = make_plan(asked), make_plan(settings())
    assert all(system.token_table for system in plan.systems)
    assert all(system.likelihoods is None for system in without.systems), "PEBench has none"
    assert digests(asked, "answers") == digests(settings(), "answers"), "no question is asked again"
    row = TokenRow([-0.5, -1e-9], [1, 2], [0.25, 0.0], [0.125, 1.0])
    scored = [
        ScoredAnswer("b", "answer", "x x", -0.5, 2, row, wanted=False),
        ScoredAnswer("a", "answer", "y", -0.5, 2, row),
    ]
    system = named(plan, "vanilla")
    scoring.publish(system, scored)
    path = system.likelihoods.path / "tokens.parquet"
    first = path.read_bytes()
    table = read_table(first, TOKENS)
    assert table["record_id"].to_pylist() == ["a", "b"]
    assert table["logprob"].to_pylist() == [[-0.5, 0.0], [-0.5, 0.0]]
    assert table["rank"].to_pylist() == [[1, 2], [1, 2]]
    assert table["zlib_bytes"].to_pylist() == [len(zlib.compress(t)) for t in (b"y", b"x x")]
    assert stored(system)["record_id"].tolist() == ["a"], "sums that the benchmark compares"
    scoring.publish(system, scored[::-1])
    assert path.read_bytes() == first


def test_a_token_that_is_no_number_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    system = named(make_plan(settings(evaluation={"metrics": ["likelihood"]})), "vanilla")
    row = TokenRow([-0.5], [1], [math.nan], [0.0])
    with pytest.raises(GuardError, match="vanilla gives no probabilities"):
        scoring.publish(system, [ScoredAnswer("a", "answer", "y", -0.5, 1, row)])
    assert not system.likelihoods.done


def stored(system):
    return pd.read_parquet(system.likelihoods.path / "likelihoods.parquet")


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_a_model_that_gives_no_numbers_is_an_error_and_nothing_is_kept(plan, value):
    system = named(plan, "person-ga-s1")
    with pytest.raises(GuardError, match="person-ga-s1 gives no probabilities"):
        scoring.publish(system, [ScoredAnswer("r", "answer", "Ada", value, 2)])
    assert not system.likelihoods.done


def test_likelihoods_are_sorted_rounded_and_have_the_tables_columns(plan):
    system = named(plan, "vanilla")
    rows = [
        ScoredAnswer("b", "answer", "x", -1.23456789, 2),
        ScoredAnswer("a", "paraphrase", "x", -1e-9, 1),
        ScoredAnswer("a", "candidate", "y", -2.0, 1),
    ]
    scoring.publish(system, rows)
    path = system.likelihoods.path / "likelihoods.parquet"
    first = path.read_bytes()
    schema = pq.read_schema(path)
    assert schema == SCHEMAS[LIKELIHOODS]
    assert schema.metadata is None
    found = list(stored(system).itertuples(index=False, name=None))
    assert found == [
        ("a", "vanilla", "candidate", "y", -2.0, 1),
        ("a", "vanilla", "paraphrase", "x", 0.0, 1),
        ("b", "vanilla", "answer", "x", -1.234568, 2),
    ]
    assert str(found[1][4]) == "0.0", "without a sign, which would be other bytes"
    scoring.publish(system, rows[::-1])
    assert path.read_bytes() == first


@pytest.fixture
def scored(plan, tiny_base, pictures):
    """Score three systems with real adapters on a random base.

    Returns the plan, the benchmark, the name of the unlearned system, and the way to score more.
    """
    letters = ("A", "B", "C")
    records = by_id([
        Record("choice", Concept.CHOICE, "Who is this?", "A", pictures[0], "Ada Sato",
               candidates=letters),
        Record("name", Concept.PERSON, "Who is this person?", "Ada Sato", pictures[1], "Ada Sato",
               candidates=("Mara Weber", "Bo"), paraphrase="Sato, Ada"),
        Record("plain", Concept.PERSON, "Who is this person?", "Bo", pictures[2], "Bo"),
        Record("other", Concept.FACT, "Repeat: yes", "yes", candidates=("no",)),
    ])  # fmt: skip
    shown = {
        "person": ("choice", "name", "plain"), "event": ("other",), "both": ("name", "other"),
    }  # fmt: skip
    splits = {
        target: Split(target, ("name",), ("plain",), {("person", Column.EFFICACY): ids})
        for target, ids in shown.items()
    }
    benchmark = Benchmark("toy", records, tuple(records), splits)
    base = load_base(tiny_base, plan.manifest.model)
    for seed, job in enumerate((plan.finetune[0], *plan.unlearn[:1])):
        torch.manual_seed(seed)
        modules = plan.manifest.model.lora_modules
        model = add_adapter(base, "trained", modules=modules, rank=4, alpha=8)
        for name, weights in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weights, std=0.3)
        job.artifact.partial.mkdir(parents=True)
        save_adapter(model, "trained", job.artifact.partial)
        job.artifact.publish({})
        base = model.unload()
    trained = plan.unlearn[0].name
    batcher = Batcher(load_processor(tiny_base), torch.device("cpu"))

    def score(*names):
        scoring.score_each([named(plan, name) for name in names], base, batcher, benchmark)

    score("vanilla", trained, "person-prompt-s1")
    return plan, benchmark, trained, score


def of(system, record_id):
    frame = stored(system)
    chosen = frame[frame["record_id"] == record_id]
    return dict(
        zip(zip(chosen["role"], chosen["text"], strict=True), chosen["logprob"], strict=True)
    )


def test_a_system_is_scored_on_its_own_records_with_its_own_stacked_adapters(scored, tiny_base):
    plan, benchmark, trained, _ = scored
    system, vanilla = named(plan, trained), named(plan, "vanilla")
    assert set(stored(vanilla)["record_id"]) == {"choice", "name", "other"}
    assert set(stored(system)["record_id"]) == {"choice", "name"}
    assert set(stored(system)["system"]) == {trained}
    model = load_base(tiny_base, plan.manifest.model)
    for number, artifact in enumerate(system.adapters):
        model = load_adapter(model, f"mine{number}", artifact.path)
    batcher = Batcher(load_processor(tiny_base), torch.device("cpu"))
    for record in records_of(system, benchmark):
        expected = {
            (m.role, m.text): m.logprob for m in scoring.score_records(model, batcher, [record])
        }
        assert of(system, record.id) == pytest.approx(expected, abs=1e-4)
        before = of(vanilla, record.id)
        assert all(abs(before[key] - expected[key]) > 1e-3 for key in expected)


def test_a_system_scored_after_another_carries_none_of_its_adapters(scored):
    plan, _, trained, score = scored
    for name in ("person-prompt-s1", trained, "vanilla"):
        path = named(plan, name).likelihoods.path / "likelihoods.parquet"
        before = path.read_bytes()
        score(name)
        assert path.read_bytes() == before, name


def test_an_instruction_stands_before_the_question_that_is_scored(scored):
    plan, benchmark, _, _ = scored
    system, vanilla = named(plan, "person-prompt-s1"), named(plan, "vanilla")
    assert system.adapters == vanilla.adapters
    found = asked_records(system, benchmark)
    assert all(r.question.endswith(benchmark.records[r.id].question) for r in found)
    assert all("Ada Sato" in r.question for r in found)
    told, plain = of(system, "name"), of(vanilla, "name")
    assert told.keys() == plain.keys()
    assert all(abs(told[key] - plain[key]) > 1e-3 for key in told)


def test_what_scoring_leaves_says_how_much_it_measured(scored):
    plan, _, trained, _ = scored
    job = json.loads((named(plan, trained).likelihoods.path / "job.json").read_text())
    assert job["answers"] == len(stored(named(plan, trained))) == 3 + 4


def test_distances_are_those_of_two_models_that_are_loaded_one_by_one(scored, tiny_base, tmp_path):
    """Both models' distributions, each from a pass of its own."""
    plan, benchmark, trained, _ = scored
    gold, vanilla = named(plan, "retain_only-person"), named(plan, "vanilla")
    shutil.copytree(plan.unlearn[0].artifact.path, gold.adapters[0].path)
    held = replace(named(plan, trained), references={gold.name: (gold.target, gold.adapters)})
    batcher = Batcher(load_processor(tiny_base), torch.device("cpu"))
    base = load_base(tiny_base, plan.manifest.model)
    peers = Peers.of(base, held, benchmark)
    records = records_of(held, benchmark)
    found = {each.record_id: each for each in peers.compare(batcher, records)}
    plain = [(o.logprob, o.text) for o in scoring.score_records(peers.model, batcher, records)]
    base = peers.unloaded()
    assert set(found) == {"name", "plain"}, "a letter has no tokens to compare"
    both = []
    for adapters in (held.adapters, gold.adapters):
        alone = Peers.of(base, replace(held, adapters=adapters, references={}), benchmark)
        assert alone.compare(batcher, records) == []
        batch = batcher([benchmark.records["name"]])
        both.append(answer_distribution(alone.model, batch).exp()[0])
        mine = [(o.logprob, o.text) for o in scoring.score_records(alone.model, batcher, records)]
        assert (mine == plain) == (adapters == held.adapters), "the system's own are switched on"
        base = alone.unloaded()
    expected = (both[0] - both[1]).norm(dim=-1).tolist()
    assert found["name"].distance == pytest.approx(expected, abs=1e-4)
    assert max(expected) > 0.01
    middle = (both[0] + both[1]) / 2
    kl = [(p * (p / middle).log2()).sum(-1) for p in both]
    assert found["name"].divergence == pytest.approx(((kl[0] + kl[1]) / 2).tolist(), abs=1e-4)
    wider = replace(vanilla, references={gold.name: ("event", gold.adapters)})
    peers = Peers.of(base, wider, benchmark)
    others = peers.compare(batcher, records_of(vanilla, benchmark))
    assert {each.record_id for each in others} == {"other"}, "records of that target alone"


def test_each_system_is_held_against_the_retain_only_model_of_its_target(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    plan = make_plan(settings(evaluation={"metrics": ["distance"]}))
    assert set(named(plan, "vanilla").references) == {
        "retain_only-person", "retain_only-event", "retain_only-both",
    }  # fmt: skip
    assert set(named(plan, "person-npo-s1").references) == {"retain_only-person"}
    assert named(plan, "retain_only-person").references == {}
    assert named(make_plan(settings()), "vanilla").references is None
    system = named(plan, "person-npo-s1")
    rows = [Distances("b", "retain_only-person", [0.5, 1.0], [0.25, 1.25])]
    scoring.publish(system, [], rows)
    table = read_table((system.likelihoods.path / "distances.parquet").read_bytes(), DISTANCES)
    assert table["divergence"].to_pylist() == [[0.5, 1.0]]
    assert not (system.likelihoods.path / "tokens.parquet").exists()
