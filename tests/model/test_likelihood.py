"""Log-probabilities of answers: against a plain forward pass, and alone against in company."""

import pytest
import torch

from kit.model.batches import Batcher
from kit.model.likelihood import (
    answer_distribution,
    answer_logprobs,
    mean_kl,
    mean_nll,
    sequence_logprob,
)
from tests.toys.policy import END, A, B, Bigram, batch_of

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


def losses(model, batch):
    with torch.no_grad():
        return mean_nll(answer_distribution(model, batch), batch)


def test_the_loss_of_a_sample_is_that_of_transformers_with_labels(model, batcher, records):
    for record in records:
        batch = batcher([record])
        length = batch.answer_ids.shape[1]
        labels = batch.inputs["input_ids"].clone()
        labels[:, :-length] = -100
        with torch.no_grad():
            expected = model(**batch.inputs, labels=labels).loss
        assert losses(model, batch).item() == pytest.approx(expected.item(), abs=1e-5)


def test_the_loss_of_a_sample_does_not_depend_on_its_company(model, batcher, records):
    alone = torch.cat([losses(model, batcher([record])) for record in records])
    together = losses(model, batcher(records))
    backwards = losses(model, batcher(records[::-1])).flip(0)
    assert torch.allclose(alone, together, atol=1e-5)
    assert torch.allclose(alone, backwards, atol=1e-5)
    assert alone.std() > 0.01, "samples that are all alike show nothing"


def test_the_divergence_of_a_sample_does_not_depend_on_its_company(model, batcher, records):
    def divergence(chosen):
        batch = batcher(chosen)
        with torch.no_grad():
            policy = answer_distribution(model, batch)
        blunt = (0.5 * policy).log_softmax(-1)
        return mean_kl(policy, blunt, batch.answer_mask)

    alone = torch.cat([divergence([record]) for record in records])
    assert torch.allclose(alone, divergence(records), atol=1e-5)
    assert (alone > 1e-3).all()


def test_changing_the_image_changes_the_loss(model, batcher, records):
    before = losses(model, batcher(records[:1]))
    batch = batcher(records[:1])
    batch.inputs["pixel_values"].mul_(-1)
    assert (losses(model, batch) - before).abs().item() > 1e-4


def test_sums_and_means_by_hand():
    batch = batch_of(([A], [B, END]), ([B], [END]), padding=2)
    distribution = answer_distribution(Bigram(), batch)
    assert distribution.shape == (2, 4, 4)
    assert distribution.dtype == torch.float32
    scores = answer_logprobs(distribution, batch)
    assert scores.exp()[:, -2:].tolist() == [
        pytest.approx([0.4, 0.5]),
        pytest.approx([1.0, 0.5]),
    ]
    assert (scores[:, :2] == 0).all()
    assert sequence_logprob(distribution, batch).exp().tolist() == pytest.approx([0.2, 0.5])
    assert mean_nll(distribution, batch).neg().exp().tolist() == pytest.approx([0.2**0.5, 0.5])


def test_log_probabilities_are_float32_when_the_model_computes_in_bfloat16():
    policy = Bigram().to(torch.bfloat16)
    distribution = answer_distribution(policy, batch_of(([A], [B, END])))
    assert distribution.dtype == torch.float32
    assert torch.allclose(distribution.exp().sum(-1), torch.ones(1, 2), atol=1e-6)
