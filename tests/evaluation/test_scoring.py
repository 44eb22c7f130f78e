"""Likelihoods of given answers: against logits read by hand, alone and in company."""

import math
from dataclasses import replace

import pytest
import torch

from kit.benchmarks.records import Concept, Record, asked_likelihoods
from kit.errors import ModelError
from kit.evaluation import scoring, scoring_tasks
from kit.model.batches import Batcher
from kit.model.chat import chat_prompt
from kit.pictures.decoding import open_image

torch.set_num_threads(1)
LETTERS = ("A", "B", "C", "D")
CAPTIONS = (
    "Mara Weber is stargazing through telescopes under magical skies",
    "a man",
    "Ada Sato waits at a bus stop in the rain",
)


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
def asked(pictures):
    """Choices and free answers, each with an image and in text alone, of several lengths."""
    choice = Record("choice", Concept.CHOICE, "Who is this person?\nA: Ada\nB: Bo\nC: Cy\nD: Di",
                    "C", pictures[0], "Cy", candidates=LETTERS)  # fmt: skip
    fact = Record("fact", Concept.FACT, "Describe the scene in detail.", "Ada Sato at a market",
                  pictures[1], "Ada Sato", candidates=CAPTIONS,
                  paraphrase="at a market, Ada Sato")  # fmt: skip
    name = Record("name", Concept.PERSON, "Repeat: Mara Weber", "Mara Weber", None, "Mara Weber",
                  candidates=("Ada Sato", "Bo"))  # fmt: skip
    short = replace(choice, id="choice-text", image=None, question="Who?", candidates=("A", "B"))
    other = replace(fact, id="fact-other", image=pictures[2], answer="no", paraphrase="")
    return [choice, fact, name, short, other]


def values(model, batcher, records):
    found = scoring.score_records(model, batcher, records)
    keys = [(one.record_id, one.role, one.text) for one in found]
    assert len(set(keys)) == len(keys), "an answer is measured twice"
    return {key: (one.logprob, one.tokens) for key, one in zip(keys, found, strict=True)}


def by_hand(model, processor, record, following):
    """Return log p of each of the tokens that follow the prompt: no code that places answers."""
    prompt = chat_prompt(processor, record.question, with_image=record.image is not None)
    given = {"images": open_image(record.image)} if record.image else {}
    inputs = processor(text=prompt, return_tensors="pt", add_special_tokens=False, **given)
    start = inputs["input_ids"].shape[1]
    inputs["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([following])], dim=1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    with torch.no_grad():
        scores = model(**inputs).logits[0].double().log_softmax(-1)
    return [scores[start + place - 1, token].item() for place, token in enumerate(following)]


def tokens(processor, text):
    return processor.tokenizer(text, add_special_tokens=False)["input_ids"]


def test_everything_that_a_record_asks_for_is_measured_and_nothing_else(model, batcher, asked):
    measured = values(model, batcher, asked)
    expected = {(r.id, *wanted) for r in asked for wanted in asked_likelihoods(r)}
    assert set(measured) == expected
    assert ("choice", "answer", "C") not in measured
    assert ("fact", "paraphrase", "at a market, Ada Sato") in measured


def test_a_record_that_asks_for_nothing_is_not_measured(model, batcher, records):
    assert scoring.score_records(model, batcher, records) == []


def test_letters_are_read_where_the_prompt_ends(model, batcher, processor, asked):
    measured = values(model, batcher, asked)
    for record in (asked[0], asked[3]):
        for letter in record.candidates:
            first, *rest = tokens(processor, f" {letter}</s>")
            assert rest == [processor.tokenizer.eos_token_id], "a letter is one token here"
            (expected,) = by_hand(model, processor, record, [first])
            logprob, count = measured[record.id, "candidate", letter]
            assert logprob == pytest.approx(expected, abs=1e-4)
            assert count == 1
    found = [measured["choice", "candidate", letter][0] for letter in LETTERS]
    assert max(found) - min(found) > 0.01, "letters that are all alike show nothing"


def test_all_letters_of_a_record_come_from_one_row_of_one_pass(model, batcher, asked, monkeypatch):
    read = []
    forward = scoring.read_prompts

    def counted(policy, prompts):
        read.extend(prompts.record_ids)
        return forward(policy, prompts)

    monkeypatch.setattr(scoring, "read_prompts", counted)
    monkeypatch.setattr(scoring, "continuation_logprob", None)
    scoring.score_records(model, batcher, [asked[0], asked[3]])
    assert sorted(read) == ["choice", "choice-text"]


def test_a_letter_does_not_depend_on_which_one_is_right_or_first(model, batcher, asked):
    before = values(model, batcher, asked[:1])
    turned = replace(asked[0], answer="A", candidates=LETTERS[::-1])
    after = values(model, batcher, [turned])
    assert after.keys() == before.keys()
    for key, (logprob, _) in before.items():
        assert after[key][0] == pytest.approx(logprob, abs=1e-5)


def test_letters_that_begin_with_the_same_token_are_refused(model, batcher, asked):
    alike = replace(asked[0], candidates=("A", "B", "A market"))
    with pytest.raises(ModelError, match="options of choice begin with the same token"):
        scoring.score_records(model, batcher, [alike])


def test_an_answer_is_the_sum_over_its_tokens_and_the_end_token(model, batcher, processor, asked):
    measured = values(model, batcher, asked)
    end = processor.tokenizer.eos_token_id
    for record in (asked[1], asked[2], asked[4]):
        for role, text in asked_likelihoods(record):
            ids = [*tokens(processor, f" {text}"), end]
            each = by_hand(model, processor, record, ids)
            logprob, count = measured[record.id, role, text]
            assert count == len(ids)
            assert logprob == pytest.approx(sum(each), abs=1e-3)
            assert abs(logprob - sum(each[:-1])) > 0.01, "the end token would not be missed"


def test_an_answer_does_not_depend_on_its_company_or_on_the_order(model, batcher, asked):
    together = values(model, batcher, asked)
    backwards = values(model, batcher, asked[::-1])
    alone = {}
    for record in asked:
        alone |= values(model, batcher, [record])
    for key, (logprob, count) in alone.items():
        assert together[key] == backwards[key]
        assert together[key][0] == pytest.approx(logprob, abs=1e-4)
        assert together[key][1] == count
    assert len({round(logprob, 3) for logprob, _ in alone.values()}) > len(alone) / 2


def test_a_batch_that_would_take_too_much_memory_is_parted(model, batcher, asked, monkeypatch):
    whole = values(model, batcher, asked)
    sizes = []
    forward = scoring.continuation_logprob

    def watched(policy, prompted, ids, mask):
        sizes.append(tuple(ids.shape))
        return forward(policy, prompted, ids, mask)

    monkeypatch.setattr(scoring, "continuation_logprob", watched)
    many = [replace(asked[1], id=f"fact-{number}") for number in range(6)]
    length = max(count for key, (_, count) in whole.items() if key[0] == "fact")
    monkeypatch.setattr(scoring_tasks, "MAX_POSITIONS", 2 * length)
    parts = values(model, batcher, many)
    assert {rows for rows, _ in sizes} == {2}
    assert max(width for _, width in sizes) == length
    for key, (logprob, _) in parts.items():
        assert logprob == pytest.approx(whole["fact", *key[1:]][0], abs=1e-4)


def test_a_prompt_is_read_once_and_all_its_answers_are_given_to_it(
    model, batcher, asked, monkeypatch
):
    """The released code of one benchmark asks another question for each perturbed answer."""
    read, given = [], []
    reads, gives = scoring.read_prompts, scoring.continuation_logprob

    def reading(policy, prompts):
        read.extend(prompts.record_ids)
        return reads(policy, prompts)

    def giving(policy, prompted, ids, mask):
        given.append(prompted)
        before = prompted.cache.get_seq_length()
        found = gives(policy, prompted, ids, mask)
        assert prompted.cache.get_seq_length() == before == prompted.mask.shape[1]
        return found

    monkeypatch.setattr(scoring, "read_prompts", reading)
    monkeypatch.setattr(scoring, "continuation_logprob", giving)
    scoring.score_records(model, batcher, asked)
    assert sorted(read) == sorted(record.id for record in asked)
    assert len(given) == 5 + 4 + 3, "fact has five texts, its twin four, name three"


def test_an_image_counts_for_its_own_record_alone(model, batcher, asked, pictures):
    before = values(model, batcher, asked)
    asked[1] = replace(asked[1], image=pictures[2])
    after = values(model, batcher, asked)
    for key, (logprob, _) in before.items():
        moved = abs(after[key][0] - logprob)
        assert moved > 1e-3 if key[0] == "fact" else moved < 1e-4


def test_no_gradient_is_kept_and_every_value_is_a_log_probability(model, batcher, asked):
    calls = []
    handle = model.register_forward_hook(lambda *given: calls.append(torch.is_grad_enabled()))
    try:
        measured = values(model, batcher, asked)
    finally:
        handle.remove()
    assert calls
    assert not any(calls)
    assert all(math.isfinite(value) and value <= 0 for value, _ in measured.values())


def every_token(model, processor, record, following):
    """Return [tokens, V] log-probabilities after the prompt, from one pass without a cache."""
    prompt = chat_prompt(processor, record.question, with_image=record.image is not None)
    given = {"images": open_image(record.image)} if record.image else {}
    inputs = processor(text=prompt, return_tensors="pt", add_special_tokens=False, **given)
    start = inputs["input_ids"].shape[1]
    inputs["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([following])], dim=1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    with torch.no_grad():
        return model(**inputs).logits[0, start - 1 : -1].double().log_softmax(-1)


def test_each_token_is_described_and_the_sums_are_those_without(model, batcher, processor, asked):
    plain = replace(asked[1], id="plain", candidates=(), paraphrase="")
    described = scoring.score_records(model, batcher, [*asked, plain], each_token=True)
    sums = values(model, batcher, [*asked, plain])
    wanted = [one for one in described if one.wanted]
    assert {(o.record_id, o.role, o.text): o.tokens for o in wanted} == {
        key: count for key, (_, count) in sums.items()
    }
    for one in wanted:
        summed = sums[one.record_id, one.role, one.text][0]
        assert one.logprob == pytest.approx(summed, abs=1e-4)
    assert ("plain", "answer") in {(o.record_id, o.role) for o in described if not o.wanted}
    by_id = {record.id: record for record in [*asked, plain]}
    rows = [one for one in described if one.each is not None]
    assert {one.record_id for one in rows} == {"fact", "name", "fact-other", "plain"}
    for one in rows:
        ids = [*tokens(processor, f" {one.text}"), processor.tokenizer.eos_token_id]
        distribution = every_token(model, processor, by_id[one.record_id], ids)
        chosen = torch.distributions.Categorical(logits=distribution)
        assert one.each.entropy == pytest.approx(chosen.entropy().tolist(), abs=1e-3)
        own = [distribution[place, token].item() for place, token in enumerate(ids)]
        assert one.each.logprob == pytest.approx(own, abs=1e-3)
        order = distribution.argsort(-1, descending=True)
        near = [order[place].tolist().index(token) + 1 for place, token in enumerate(ids)]
        assert list(one.each.rank) == pytest.approx(near, abs=1), "near ties may change places"
