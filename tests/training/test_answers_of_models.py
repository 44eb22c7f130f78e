"""Needs that ask another model: alternates of Vanilla, and what Retain-only finds likely."""

import dataclasses
import json

import pytest
import torch

from kit.methods.registry import build
from kit.model.likelihood import answer_distribution, sequence_logprob
from kit.model.lora import adapter_state, load_adapter
from kit.training.preparation.alternates import Alternates
from kit.training.steps import TRAINED
from kit.verification.run_facts import JobFacts
from tests.training.test_jobs import SIZE, job, source_of, texts, vanilla, worker

__all__ = ["vanilla", "worker"]  # fixtures
torch.set_num_threads(1)


def batches(source, name):
    steps = [step for number in range(3) for step in source.steps(number, SIZE)]
    return [(step.forget, getattr(step, name)) for step in steps]


def test_alternates_are_asked_for_once_and_are_the_same_for_every_job(
    worker, vanilla, processor, tmp_path, monkeypatch
):
    asked = []

    def watched(self, record):
        asked.append(record.id)
        return Alternates.given(self, record)

    monkeypatch.setattr(Alternates, "given", Alternates._asked, raising=False)
    monkeypatch.setattr(Alternates, "_asked", watched)
    source = source_of(worker, job("altpo", vanilla))
    before = adapter_state(source._model, TRAINED)
    said = {}
    for forget, alternate in batches(source, "alternate"):
        assert alternate.record_ids == forget.record_ids
        for record, own, other in zip(forget.record_ids, texts(forget, processor),
                                      texts(alternate, processor), strict=True):  # fmt: skip
            assert other
            assert own.casefold() not in other.casefold()
            assert said.setdefault(record, other) == other, "the same in every epoch"
    assert sorted(asked) == sorted(worker.benchmark.splits["both"].forget)
    other = dataclasses.replace(job("altpo", vanilla, name="both-toy-s2"), seed=2)
    again = worker.source(other, source._model)
    for forget, alternate in batches(again, "alternate"):
        assert texts(alternate, processor) == [said[record] for record in forget.record_ids]
    assert len(asked) == len(said), "a second job asks nothing"
    (stored,) = (tmp_path / "cache" / "artifacts").glob("alternates-*.jsonl")
    lines = [json.loads(line) for line in stored.read_text().splitlines() if line]
    assert sorted(record for record, *_ in lines) == sorted(said)
    notes = source.notes()
    assert notes["alternates"] == said, "the job's record has them"
    assert notes.keys() <= JobFacts.model_fields.keys(), "a verifier knows them"
    own = {record: text for record, _, text in lines if said[record] == text}
    assert own.keys() == said.keys() - set(notes["alternates_of_retain_records"])
    after = adapter_state(source._model, TRAINED)
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(("said", "taken"), [
    ("Somebody Else", True), ("", False), (" ... ", False), ("It is ada SATO.", False),
])  # fmt: skip
def test_an_alternate_that_says_nothing_new_is_a_retain_records_answer(
    worker, vanilla, said, taken
):
    source = source_of(worker, job("altpo", vanilla))
    (prepared,) = [p for p in source._preparations if isinstance(p, Alternates)]
    found = prepared._alternate(worker.benchmark.records["0#person"], said)
    assert (found == said) is taken
    if not taken:
        assert found in {"Vera Zeman", "Ivan Kaya"}


def test_an_alternate_is_asked_for_by_question_and_answer_without_the_image(worker, vanilla):
    source = source_of(worker, job("altpo", vanilla))
    (prepared,) = [p for p in source._preparations if isinstance(p, Alternates)]
    seen = []
    whole = worker.batcher.prompts

    class Watching:
        answer_tokens = worker.batcher.answer_tokens

        def prompts(self, records):
            seen.extend(records)
            return whole(records)

    prepared.context = dataclasses.replace(prepared.context, batcher=Watching())
    prepared._asked(worker.benchmark.records["0#person"])
    (record,) = seen
    assert record.image is None
    assert '"Who is this person?"' in record.question
    assert '"Ada Sato"' in record.question


def test_the_retain_only_reference_is_that_of_the_retain_only_model_alone(worker, vanilla):
    kept = dataclasses.replace(
        job("retain_finetune", name="kept", checkpoint_every=0), target="both"
    )
    worker.run(kept)
    method = build("npo", {"legacy": "mllmu"})
    given = dataclasses.replace(job("npo", vanilla), method=method, oracle=kept.artifact)
    source = source_of(worker, given)
    model = source._model
    found = {}
    for number in range(2):
        for step in source.steps(number, SIZE):
            found |= dict(zip(step.forget.record_ids, step.retain_only_reference.tolist(),
                              strict=True))  # fmt: skip
    assert set(model.peft_config) == {"vanilla", TRAINED}
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained
    assert all(f".{TRAINED}." in name for name in trained)
    assert model.active_adapters == ["vanilla", TRAINED]
    worker.base = model.unload()
    alone = load_adapter(worker.base, "alone", kept.artifact.path)
    for name, value in found.items():
        batch = worker.batcher([worker.benchmark.records[name]])
        with torch.no_grad():
            expected = sequence_logprob(answer_distribution(alone, batch), batch)
        assert value == pytest.approx(expected.item(), abs=1e-4)


def test_facts_of_the_same_subject_come_beside_the_forget_records(worker, vanilla):
    """All four forget records are of Ada and Milo and their events: nothing is left of those."""
    benchmark = worker.benchmark
    split = dataclasses.replace(benchmark.splits["both"], forget=("0#person", "1#event"))
    worker.benchmark = dataclasses.replace(benchmark, splits={"both": split})
    source = source_of(worker, job("bao", vanilla))
    seen = set()
    for forget, fact in batches(source, "subject_fact"):
        seen |= set(zip(forget.record_ids, fact.record_ids, strict=True))
    assert seen == {("0#person", "0#event"), ("1#event", "1#person")}
