"""The second look: rounding passes whatever the policy, and other weights are always found."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from kit.benchmarks.records import Benchmark, Column, Concept, Record, Split
from kit.errors import GuardError
from kit.evaluation.answering import answer_group
from kit.evaluation.guards.agreement import (
    NEAR_TIE_NATS,
    Distance,
    Given,
    distances,
    gaps_of,
    limit_nats,
    require_known,
    require_near,
    sampled_answers,
)
from kit.evaluation.guards.sampling import sample_records
from kit.model.base import load_base
from kit.model.batches import Batcher
from kit.model.likelihood import answer_distribution
from kit.model.lora import add_adapter
from tests.evaluation.test_engines import SOURCE
from tests.toys.engine import named, serve, smoke

torch.set_num_threads(1)
TOKENS, VOCABULARY = 12, 2000  # of an answer
# A logit's error in bfloat16, which has 8 significant bits: half a unit in the last place, and as
# much again for what the layers before have rounded (`./run.sh bench agreement`: 0.06 nats).
NOISE = 2.0**-8


def in_bfloat16(logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the logits as another implementation in bfloat16 computes them."""
    noisy = logits * (1 + rng.normal(0, NOISE, logits.shape)) + rng.normal(0, 0.05, logits.shape)
    rounded: np.ndarray = torch.tensor(noisy).to(torch.bfloat16).double().numpy()
    return rounded


def policy(kind: str, rng: np.random.Generator, answers: int) -> np.ndarray:
    """Return logits [answers, T, V]: of a model that knows, or of one stopped at uniform."""
    shape = (answers, TOKENS, VOCABULARY)
    if kind == "near uniform":
        return rng.normal(0, 0.02, shape)
    logits = rng.normal(0, 2.0, shape)
    likeliest = rng.integers(VOCABULARY, size=shape[:2])
    np.put_along_axis(logits, likeliest[..., None], 20.0, axis=-1)
    if kind == "two equal":  # near ties at every token
        second = rng.integers(VOCABULARY, size=shape[:2])
        np.put_along_axis(logits, second[..., None], 20.0, axis=-1)
    return logits


def alarms(served: np.ndarray, own: np.ndarray) -> int:
    """Return how many answers of the served policy are beyond the limit for the own one."""
    ids = torch.tensor(served.argmax(-1))
    own_logprobs = torch.log_softmax(torch.tensor(own), -1)
    gaps = gaps_of(own_logprobs, ids, torch.ones(ids.shape))
    return int((gaps.max(dim=1).values > NEAR_TIE_NATS["bfloat16"]).sum())


@pytest.mark.parametrize("systems", [180, pytest.param(1020, marks=pytest.mark.extended)])
@pytest.mark.parametrize("kind", ["sharp", "near uniform", "two equal"])
def test_rounding_gives_no_alarm(kind, systems):
    """Sixteen answers of each system; a round draws those of fifteen systems."""
    rng = np.random.default_rng(1)
    for _ in range(systems // 15):
        logits = policy(kind, rng, 240)
        served, own = in_bfloat16(logits, rng), in_bfloat16(logits, rng)
        assert alarms(served, own) == 0
    if kind == "two equal":
        assert (served.argmax(-1) != own.argmax(-1)).mean() > 0.2, "the texts do differ"


def test_near_ties_at_every_token_would_fail_a_comparison_of_texts():
    """What the guard compared before: at near ties, hardly an answer is equal."""
    rng = np.random.default_rng(2)
    logits = policy("near uniform", rng, 100)
    served, own = in_bfloat16(logits, rng), in_bfloat16(logits, rng)
    assert (served.argmax(-1) == own.argmax(-1)).all(axis=1).mean() < 0.1
    assert alarms(served, own) == 0


@pytest.mark.parametrize("own", ["sharp", "two equal"])
@pytest.mark.parametrize("served", ["sharp", "near uniform", "two equal"])
def test_the_answers_of_other_weights_are_always_found(served, own):
    rng = np.random.default_rng(3)
    found = alarms(policy(served, rng, 1000), policy(own, rng, 1000))
    assert found == 1000


def test_a_distance_is_between_the_chosen_token_and_the_likeliest_one():
    """By hand: 0.5, 0.25, 0.25 of probability; the second is chosen, then the first."""
    row = torch.tensor([0.5, 0.25, 0.25]).log()
    distribution = row.expand(1, 3, 3)
    gaps = gaps_of(distribution, torch.tensor([[2, 1, 0]]), torch.tensor([[0.0, 1.0, 1.0]]))
    assert gaps.tolist() == [[0.0, pytest.approx(math.log(2)), 0.0]], "padding counts nothing"


def far(nats):
    return Distance("r1", nats, 7, 2)


def test_one_token_beyond_the_limit_ends_the_evaluation_and_is_named():
    require_near("vanilla", [far(0.9)], 1.0)
    with pytest.raises(GuardError, match="answers of vanilla are not those of the model") as caught:
        require_near("vanilla", [far(0.9), far(3.25)], 1.0)
    assert "3.25 nats at token 2 (7) of the answer to r1" in caught.value.found
    assert "1 of 2" in caught.value.found
    assert "agreement_nats" in caught.value.remedy


def test_a_distance_that_is_no_number_is_beyond_every_limit():
    with pytest.raises(GuardError):
        require_near("vanilla", [far(float("nan"))], 1.0)


def test_the_limit_is_that_of_the_type_unless_the_manifest_names_one():
    section = smoke().evaluation
    assert limit_nats(section, "float32") < limit_nats(section, "bfloat16")
    assert limit_nats(smoke(evaluation={"agreement_nats": 0.3}).evaluation, "bfloat16") == 0.3


def test_half_of_a_sample_are_forget_records_and_it_is_always_the_same(served, benchmark):
    system = named(served, "event-npo-s1")
    forget = set(benchmark.splits["event"].forget)
    chosen = sample_records(system, benchmark, 4)
    assert (len(chosen), len(chosen & forget)) == (4, 2)
    assert sample_records(system, benchmark, 4) == chosen
    assert sample_records(named(served, "event-ga-s1"), benchmark, 4) != chosen


def test_where_other_questions_are_asked_than_trained_on_half_are_of_efficacy():
    """As in MLLMU-Bench and UMU-Bench: pairs are trained on, and other questions are asked."""
    records = {n: Record(n, Concept.FACT, "Who?", "Ada") for n in [*map(str, range(90)), "pair"]}
    sets = {("fact", Column.EFFICACY): tuple(map(str, range(10))),
            ("fact", Column.RETAIN): tuple(map(str, range(10, 90)))}  # fmt: skip
    toy = Benchmark("toy", records, ("pair",), {"text": Split("text", ("pair",), (), sets)})
    system = SimpleNamespace(name="text-npo-s1", target="text")
    chosen = sample_records(system, toy, 12)
    assert (len(chosen), len(chosen & set(sets["fact", Column.EFFICACY]))) == (12, 6)


def test_the_stored_tokens_are_read_with_the_question_as_the_system_was_asked(
    served, questions, benchmark
):
    system = named(served, "person-prompt-s1")
    answer_group([system], serve(served), questions)
    given = sampled_answers(system, benchmark, 6)
    assert len(given) == 6
    assert {each.ids for each in given} == {(7, 8, 2)}
    plain = {record_id: record.question for record_id, record in benchmark.records.items()}
    assert all(each.record.question.endswith(plain[each.record.id]) for each in given)
    assert all(each.record.question != plain[each.record.id] for each in given)


def lose_the_tokens(folder):
    (folder / "tokens.parquet").unlink()


def cut_the_tokens(folder):
    path = folder / "tokens.parquet"
    path.write_bytes(path.read_bytes()[:-20])


def drop_an_answer(folder):
    path = folder / "tokens.parquet"
    pq.write_table(pq.read_table(path)[1:], path)


def shorten_an_answer(folder):
    path = folder / "tokens.parquet"
    rows = pq.read_table(path).to_pylist()
    rows[0]["ids"] = rows[0]["ids"][:-1]
    pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(path)), path)


@pytest.mark.parametrize(
    "damage", [lose_the_tokens, cut_the_tokens, drop_an_answer, shorten_an_answer]
)
def test_stored_answers_that_cannot_be_checked_are_named_with_what_to_do(
    served, questions, benchmark, damage
):
    system = named(served, "vanilla")
    answer_group([system], serve(served), questions)
    damage(system.answers.path)
    with pytest.raises(GuardError, match="stored answers of vanilla are damaged") as caught:
        sampled_answers(system, benchmark, 6)
    assert str(system.answers.path) in caught.value.expected
    assert "remove this folder" in caught.value.remedy


def test_the_result_s_answers_have_the_length_that_was_generated(served, questions):
    system = named(served, "vanilla")
    answer_group([system], serve(served), questions)
    frame = pd.read_parquet(system.answers.path / "answers.parquet")
    assert set(frame["tokens"]) == {3}


@pytest.fixture(scope="module")
def adapted(processor):
    """The small base with two random adapters that change what it says, and a batcher."""
    section = smoke().model
    model = load_base(SOURCE, section)
    for number in (1, 2):
        torch.manual_seed(number)
        model = add_adapter(model, f"a{number}", modules=section.lora_modules, rank=8, alpha=16)
        for name, parameter in model.named_parameters():
            if f"lora_B.a{number}" in name:
                torch.nn.init.normal_(parameter, std=0.05)
    return model, Batcher(processor, torch.device("cpu"))


def greedy_answers(model, batcher, records, tokens=6):
    """Return greedy answers, one token at a time and without a cache: an independent decoding."""
    given = [Given(record, ()) for record in records]
    for _ in range(tokens):
        longer = []
        for each in given:
            batch = batcher.given([each.record], [[*each.ids, 0]])
            with torch.no_grad():
                row = answer_distribution(model, batch)[0, -1]
            longer.append(Given(each.record, (*each.ids, int(row.argmax()))))
        given = longer
    return given


def test_a_model_s_own_answers_are_at_no_distance_and_another_adapter_s_are_found(adapted, records):
    model, batcher = adapted
    model.base_model.set_adapter(["a1"])
    own = greedy_answers(model, batcher, records)
    limit = NEAR_TIE_NATS["float32"]
    assert all(found.nats < limit for found in distances(model, batcher, own))
    model.base_model.set_adapter(["a2"])
    others = greedy_answers(model, batcher, records)
    assert [each.ids for each in own] != [each.ids for each in others]
    found = distances(model, batcher, own)
    with pytest.raises(GuardError, match="not those of the model"):
        require_near("a2", found, NEAR_TIE_NATS["bfloat16"])
    changed = [one.ids != two.ids for one, two in zip(own, others, strict=True)]
    assert [each.nats > limit for each in found] == changed


def test_an_answer_is_read_up_to_the_token_that_stands_for_an_image(adapted, records, processor):
    """A broken model says it, and reading on would need a second image (transformers raises)."""
    model, batcher = adapted
    model.base_model.set_adapter(["a1"])
    (image,) = batcher.media_ids
    assert image == processor.tokenizer.convert_tokens_to_ids("<image>")
    own = greedy_answers(model, batcher, records[:3], tokens=3)
    broken = [
        Given(own[0].record, (*own[0].ids[:2], image, 5, image)),
        Given(own[1].record, (image, 5)),
        own[2],
    ]
    first, second, third = distances(model, batcher, broken)
    assert (first.token, first.place) == (image, 2)
    assert (second.token, second.place) == (image, 0)
    with torch.no_grad():
        row = answer_distribution(model, batcher.given([own[1].record], [[0]]))[0, -1]
    assert second.nats == pytest.approx(float(row.max() - row[image]), abs=1e-4)
    assert third.nats < NEAR_TIE_NATS["float32"]


@pytest.mark.parametrize("token", [-1, 8, 2**31])
def test_a_stored_token_that_the_base_does_not_have_is_told_with_system_and_record(token):
    system, record = SimpleNamespace(name="npo"), SimpleNamespace(id="r7")
    system.answers = SimpleNamespace(path="answers-of-npo")
    require_known(system, [Given(record, (0, 7))], 8)
    with pytest.raises(GuardError, match="answer of npo has a token") as caught:
        require_known(system, [Given(record, (0, token, 7))], 8)
    assert caught.value.found == f"{token} in the answer to r7"
    assert "answers-of-npo" in caught.value.remedy
