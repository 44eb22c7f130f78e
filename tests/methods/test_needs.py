"""What authors ask for: other people's answers, a view without images, the whole batch."""

from dataclasses import asdict, dataclass
from math import log
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kit.benchmarks.records import Concept, Record
from kit.errors import DataError, EnvironmentFault
from kit.methods import Needs, registry
from kit.model.likelihood import sequence_logprob
from kit.plan.digests import training_digest
from kit.plan.jobs import make_plan
from kit.training.preparation.other_answers import OtherAnswers
from kit.training.preparation.retain import Retain
from kit.training.preparation.text_view import TextView
from tests.toys.dataset import manifest
from tests.toys.policy import END, OTHER, A, B, Bigram, batch_of, step_of
from tests.training.test_fitting import Roomy
from tests.training.test_training import run

torch.set_num_threads(1)


@dataclass(frozen=True)
class RandomLabels:
    """Learn another person's answer to the forget questions."""

    needs = Needs(other_answers=True)

    def loss(self, step):
        return step.other_nll().mean()


@dataclass(frozen=True)
class ByTextAlone:
    """Forget what is known without the image."""

    needs = Needs(text_view=True)

    def loss(self, step):
        return sequence_logprob(step.policy(step.text), step.text).mean()


@dataclass(frozen=True)
class EvenOut:
    """Bring the losses of a batch together: the largest minus the smallest."""

    needs = Needs(whole_batch=True)

    def loss(self, step):
        nll = step.forget_nll()
        return nll.max() - nll.min()


def test_random_labels_by_hand():
    step = step_of(Bigram(), Bigram(OTHER), RandomLabels.needs,
                   other=batch_of(([A], [A, END]), ([B], [B, END])))  # fmt: skip
    expected = (-log(0.3 * 0.2) / 2 - log(0.2 * 0.5) / 2) / 2
    assert RandomLabels().loss(step).item() == pytest.approx(expected, abs=1e-6)


def test_a_view_by_text_alone_by_hand():
    step = step_of(Bigram(), Bigram(OTHER), ByTextAlone.needs,
                   text=batch_of(([A], [END]), ([B], [A, END])))  # fmt: skip
    expected = (log(0.2) + log(0.2 * 0.2)) / 2
    assert ByTextAlone().loss(step).item() == pytest.approx(expected, abs=1e-6)


def test_a_loss_of_the_whole_batch_by_hand():
    step = step_of(Bigram(), Bigram(OTHER), EvenOut.needs,
                   forget=batch_of(([A], [B, END]), ([B], [END]), ([A], [A, END])))  # fmt: skip
    values = [-log(0.4 * 0.5) / 2, -log(0.5), -log(0.3 * 0.2) / 2]
    assert EvenOut().loss(step).item() == pytest.approx(values[2] - values[1], abs=1e-6)


def person(number, name, question="Who is this person?", concept=Concept.PERSON):
    return Record(f"{concept}-{number}", concept, question, name, image="a picture")


RETAIN = [
    person(1, "Vera Zeman"), person(2, "Ivan Kaya"), person(3, "ada  SATO"), person(4, "Ivan Kaya"),
    person(5, "a lake", "Where?", Concept.EVENT), person(6, "Lena Falk", "Who is on the left?"),
]  # fmt: skip
ADA = person(0, "Ada Sato")


def prepared(kind, retain=RETAIN, seed=1, needs=None):
    return kind(SimpleNamespace(retain=retain, seed=seed, needs=needs or Needs()))


def test_another_answer_is_a_retained_persons_to_the_same_question_and_never_the_own_name():
    drawn = [(ADA, epoch) for epoch in range(40)]
    given = prepared(OtherAnswers).records(drawn)["other"]
    assert {record.answer for record in given} == {"Vera Zeman", "Ivan Kaya"}
    assert {(record.id, record.question, record.image) for record in given} == {
        (ADA.id, ADA.question, ADA.image)
    }


def test_a_question_that_nobody_else_is_asked_gets_an_answer_of_its_kind():
    asked = person(7, "Mara Weber", "Is Mara on the left?")
    (given,) = prepared(OtherAnswers).records([(asked, 0)])["other"]
    assert given.answer in {"Vera Zeman", "Ivan Kaya", "ada  SATO", "Lena Falk"}


def test_where_nobody_has_another_answer_the_record_is_named():
    only = [person(1, "ADA SATO"), RETAIN[4]]
    with pytest.raises(DataError, match=r"another answer than .* person-0"):
        prepared(OtherAnswers, only).records([(ADA, 0)])


@given(st.permutations(RETAIN), st.integers(1, 5), st.integers(0, 2**31))
def test_other_answers_depend_on_seed_epoch_and_record_alone(retain, size, seed):
    """Neither the micro-batch nor the order of the data changes them."""
    drawn = [(person(n, "Ada Sato"), n % 2) for n in range(5)]
    at_once = prepared(OtherAnswers, seed=seed).records(drawn)["other"]
    other = prepared(OtherAnswers, retain, seed)
    parts = [other.records(drawn[i : i + size])["other"] for i in range(0, 5, size)]
    assert [record for part in parts for record in part] == at_once


def test_other_answers_change_with_seed_and_epoch():
    drawn = {
        seed: [r.answer for r in prepared(OtherAnswers, seed=seed).records(pairs)["other"]]
        for seed, pairs in ((1, [(ADA, e) for e in range(12)]), (2, [(ADA, e) for e in range(12)]))
    }
    assert drawn[1] != drawn[2]
    assert len(set(drawn[1])) == 2


def test_a_text_view_is_of_the_same_records_and_of_the_same_retain_partners():
    drawn = [(ADA, 0), (person(9, "Milo Berg"), 3)]
    needs = Needs(retain=True, text_view=True)
    views = prepared(TextView, needs=needs).records(drawn)
    partners = prepared(Retain).records(drawn)["retain"]
    assert [r.id for r in views["text"]] == [ADA.id, "person-9"]
    assert [r.id for r in views["retain_text"]] == [r.id for r in partners]
    assert all(record.image is None for view in views.values() for record in view)
    assert set(prepared(TextView).records(drawn)) == {"text"}


def test_a_job_of_a_method_that_needs_the_whole_batch_has_no_micro_batches(monkeypatch):
    whole = {job.name: job.settings for job in make_plan(manifest()).unlearn}
    monkeypatch.setattr(registry.build("npo", {}).__class__, "needs", Needs(whole_batch=True))
    plan = make_plan(manifest())
    changed = [job for job in plan.unlearn if job.method.needs.whole_batch]
    assert changed
    for job in changed:
        assert job.settings.micro_batch_size == job.settings.batch_size
    for job in plan.unlearn:
        assert job in changed or job.settings == whole[job.name]


def test_a_whole_batch_is_never_cut_where_memory_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(registry.build("npo", {}).__class__, "needs",
                        Needs(retain=True, reference_scalars=True, whole_batch=True))  # fmt: skip
    _, outcome, _ = run(tmp_path / "recomputed", Roomy(3, 4), micro=4)
    assert (outcome.micro_batch_size, outcome.gradient_checkpointing) == (4, True)
    with pytest.raises(EnvironmentFault, match="micro-batch of 4") as caught:
        run(tmp_path / "too large", Roomy(3), micro=4)
    assert "lower batch_size: the method needs it whole" in caught.value.remedy


@pytest.mark.parametrize("need", ["other_answers", "text_view", "whole_batch"])
def test_a_need_that_a_method_does_not_declare_is_in_no_digest(need):
    """A new field of `Needs` re-does the jobs of those methods alone that declare it."""
    method = registry.build("npo", {})
    assert need in asdict(Needs())
    assert need not in method.needs.declared()
    digests = {
        declared: training_digest(manifest(), "unlearn", method_with(declared), "person", {})
        for declared in (Needs(retain=True), Needs(retain=True, **{need: True}))
    }
    assert len(set(digests.values())) == 2


def test_a_new_field_of_needs_changes_no_job_that_does_not_declare_it():
    @dataclass(frozen=True)
    class Later(Needs):
        another: bool = False

    digests = {
        training_digest(manifest(), "unlearn", method_with(kind(retain=True)), "person", {})
        for kind in (Needs, Later)
    }
    assert len(digests) == 1


def method_with(needs):
    @dataclass(frozen=True)
    class Toy:
        pass

    Toy.needs = needs
    Toy.__module__ = "kit.methods.npo"
    return Toy()
