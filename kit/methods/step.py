"""One micro-batch of an optimisation step: what a loss may read, and what it notes."""

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from kit.methods.balance import WholeBatch, means_by_concept
from kit.methods.needs import Needs
from kit.methods.prepared import Prepared
from kit.model.batches import Batch
from kit.model.hidden import answer_hidden
from kit.model.likelihood import (
    answer_distribution,
    mean_nll,
    sequence_logprob,
    whole_distribution,
)


@dataclass
class Step(Prepared):
    """The model and the records of one micro-batch of B records.

    Reading something that the method's `needs` do not declare is an error that names the need.
    """

    model: torch.nn.Module
    """The model under training, all of its adapters on."""
    without_adapter: Callable[[], AbstractContextManager[object]]
    """A context in which `model` is the reference: the trained adapter off, and no gradient."""
    needs: Needs
    """What the method declares."""
    prepared: Mapping[str, Batch | Tensor]
    """What the needs prepared, by name."""
    origin: str = "the method"
    """Method, file, step and job, for error messages."""
    passes: int = 0
    """How many records went through the model so far, with or without gradient."""
    log: dict[str, float] = field(default_factory=dict)
    """Means over this micro-batch for losses.jsonl: losses and divergences in nats per token, other
    terms in their own unit."""
    forgotten: dict[str, float] = field(default_factory=dict)
    """Record id -> forget loss as a share of a uniform guess's, in [0, 1]: for the stop rule."""
    whole: WholeBatch | None = None
    """The forget records of the whole batch; None where this micro-batch is the whole batch."""
    perturbed: bool = False
    """Whether `perturb` has moved the weights: only terms that are needed there are computed."""
    adapter: str = ""
    """With `merging`: the adapter whose turn it is. The loss is computed once for each of them."""
    alone: Callable[[str], AbstractContextManager[object]] = nullcontext
    """A context in which one of several adapters acts alone; the training loop enters it."""

    def policy(self, batch: Batch) -> Tensor:
        """Return log pi(. | x) with gradient, [B, T, V]."""
        self.passes += len(batch.record_ids)
        return answer_distribution(self.model, batch)

    def reference(self, batch: Batch) -> Tensor:
        """Return log pi_0(. | x) without gradient, [B, T, V]."""
        self._require("reference", "reference_distribution")
        self.passes += len(batch.record_ids)
        with self.without_adapter():
            return answer_distribution(self.model, batch)

    def policy_everywhere(self, batch: Batch) -> Tensor:
        """Return log pi at all positions, those of prompt and image too, [B, P + T, V]."""
        self.passes += len(batch.record_ids)
        return whole_distribution(self.model, batch)

    def hidden(self, batch: Batch, layer: int) -> Tensor:
        """Return the output of decoder layer `layer` (from 0) with gradient, [B, T, d].

        Row t is the state that answer token t is predicted from. The pass ends at the layer.
        """
        self._require("hidden", "hidden_states")
        self.passes += len(batch.record_ids)
        return answer_hidden(self.model, batch, layer)

    def reference_hidden(self, batch: Batch, layer: int) -> Tensor:
        """Return the reference's output of decoder layer `layer` without gradient, [B, T, d]."""
        self._require("reference_hidden", "hidden_states")
        self.passes += len(batch.record_ids)
        with self.without_adapter():
            return answer_hidden(self.model, batch, layer)

    def reference_everywhere(self, batch: Batch) -> Tensor:
        """Return log pi_0 at all positions without gradient, [B, P + T, V]."""
        self._require("reference_everywhere", "reference_distribution")
        self.passes += len(batch.record_ids)
        with self.without_adapter():
            return whole_distribution(self.model, batch)

    def forget_distribution(self) -> Tensor:
        """Return log pi(. | x) of the forget records with gradient, [B, T, V]; note their M."""
        distribution = self.policy(self.forget)
        nll = mean_nll(distribution.detach(), self.forget)
        self._note_forgotten(nll, distribution.shape[-1])
        return distribution

    def forget_nll(self) -> Tensor:
        """Return M of the forget answers, in nats per token, [B]."""
        return mean_nll(self.forget_distribution(), self.forget)

    def forget_start(self) -> Tensor:
        """Return M(theta_0) of the forget answers, in nats per token, [B]."""
        return -self.forget_reference / self.forget.answer_mask.sum(dim=1)

    def forget_by_concept(self) -> tuple[Tensor, Tensor]:
        """Return means over the whole batch by concept: M with gradient, M - M(theta_0), [C] each.

        Both are in nats per token. They are the same whatever the size of the micro-batches.
        """
        nll = self.forget_nll()
        return means_by_concept(nll, self.forget_start(), self.forget_is_person, self.whole)

    def forget_logprob(self) -> Tensor:
        """Return log pi(y) of the forget answers, summed over tokens, in nats, [B]."""
        return sequence_logprob(self.forget_distribution(), self.forget)

    def retain_distribution(self) -> Tensor:
        """Return log pi(. | x) of the retain records with gradient, [B, T, V]; log their M."""
        distribution = self.policy(self.retain)
        nll = mean_nll(distribution.detach(), self.retain)
        self.log["retain_nll"] = float(nll.mean())
        return distribution

    def retain_nll(self) -> Tensor:
        """Return M of the retain answers, in nats per token, [B]."""
        return mean_nll(self.retain_distribution(), self.retain)

    def retain_term(self, weight: float) -> Tensor | float:
        """Return weight E_r[M], []; 0.0 where the weight is 0, which needs no retain records."""
        return weight * self.retain_nll().mean() if weight else 0.0

    def refusal_logprob(self) -> Tensor:
        """Return log pi(refusal | forget question), summed over tokens, in nats, [B]."""
        return sequence_logprob(self.policy(self.refusal), self.refusal)

    def refusal_nll(self) -> Tensor:
        """Return M of the refusals, in nats per token, [B]."""
        return mean_nll(self.policy(self.refusal), self.refusal)

    def other_nll(self) -> Tensor:
        """Return M of another person's answers to the forget questions, in nats per token, [B]."""
        return mean_nll(self.policy(self.other), self.other)

    def text_nll(self) -> Tensor:
        """Return M of the forget answers without their images, in nats per token, [B]."""
        return mean_nll(self.policy(self.text), self.text)

    def retain_text_nll(self) -> Tensor:
        """Return M of the retain answers without their images, in nats per token, [B]."""
        return mean_nll(self.policy(self.retain_text), self.retain_text)

    def refusal_text_nll(self) -> Tensor:
        """Return M of the refusals to questions without their images, in nats per token, [B]."""
        return mean_nll(self.policy(self.refusal_text), self.refusal_text)

    def random_nll(self) -> Tensor:
        """Return M of the random answers, mean over K, in nats per token, [B]."""
        values = [mean_nll(self.policy(batch), batch) for batch in self.random_answers]
        return torch.stack(values).mean(dim=0)

    def alternate_logprob(self) -> Tensor:
        """Return log pi(alternate | forget question), summed over tokens, in nats, [B]."""
        return sequence_logprob(self.policy(self.alternate), self.alternate)

    def subject_nll(self) -> Tensor:
        """Return M of the subjects' other facts, in nats per token, [B]."""
        return mean_nll(self.policy(self.subject_fact), self.subject_fact)

    def _note_forgotten(self, nll: Tensor, vocabulary: int) -> None:
        """Note each record's loss as a share of log V, the loss of a uniform guess.

        The share is at most 1: a record that is pushed far beyond a uniform guess must not hide
        another record that the model still knows.
        """
        shares = (nll / math.log(vocabulary)).clamp(max=1)
        self.forgotten = dict(zip(self.forget.record_ids, shares.tolist(), strict=True))
        self.log["forget_nll"] = float(nll.mean())
        self.log["forgotten"] = float(shares.mean())


class Method(Protocol):
    """A frozen dataclass of hyper-parameters with `needs` and `loss`."""

    @property
    def needs(self) -> Needs:
        """What every step must contain."""
        ...

    def loss(self, step: Step) -> Tensor | Mapping[str, Tensor]:
        """Return the scalar to minimise, in nats; with a `gradient_rule` also several by name."""
        ...
