"""One micro-batch of an optimisation step: what a loss may read, and what it notes."""

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from kit.errors import MethodError
from kit.methods.balance import WholeBatch, means_by_concept
from kit.methods.needs import Needs
from kit.model.batches import Batch
from kit.model.likelihood import answer_distribution, mean_nll, sequence_logprob


@dataclass
class Step:
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
    """Means over this micro-batch for losses.jsonl: losses and divergences in nats per token."""
    forgotten: dict[str, float] = field(default_factory=dict)
    """Record id -> forget loss as a share of a uniform guess's, in [0, 1]: for the stop rule."""
    whole: WholeBatch | None = None
    """The forget records of the whole batch; None where this micro-batch is the whole batch."""
    perturbed: bool = False
    """Whether `perturb` has moved the weights: only terms that are needed there are computed."""

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

    @property
    def forget(self) -> Batch:
        """The forget records with their answers."""
        return self.batch("forget")

    @property
    def retain(self) -> Batch:
        """Retain records with their answers."""
        return self.batch("retain")

    @property
    def refusal(self) -> Batch:
        """The forget questions, answered by a refusal."""
        return self.batch("refusal", "refusals")

    @property
    def other(self) -> Batch:
        """The forget questions, answered as for another, retained person (or event)."""
        return self.batch("other", "other_answers")

    @property
    def text(self) -> Batch:
        """The forget records without their images."""
        return self.batch("text", "text_view")

    @property
    def retain_text(self) -> Batch:
        """The retain records without their images."""
        return self.batch("retain_text", "retain", "text_view")

    @property
    def forget_reference(self) -> Tensor:
        """log pi_0(y) of the forget answers, summed over tokens, in nats, [B]."""
        return self.values("forget_reference", "reference_scalars")

    @property
    def refusal_reference(self) -> Tensor:
        """log pi_0(refusal), summed over tokens, in nats, [B]."""
        return self.values("refusal_reference", "refusals", "reference_scalars")

    @property
    def forget_is_person(self) -> Tensor:
        """1.0 where the forget record asks for a person and 0.0 where it asks for an event, [B]."""
        return self.values("forget_is_person", "concept_balance")

    @property
    def concept_tokens(self) -> Tensor:
        """True for the tokens of the forgotten names and keywords, [V]."""
        return self.values("concept_tokens", "single_image")

    def batch(self, name: str, *needs: str) -> Batch:
        """Return a prepared batch.

        Args:
            needs: what prepares it; by default the need of the same name.

        Raises:
            MethodError: the method does not declare one of the needs.
        """
        found = self._prepared(name, needs or (name,))
        assert isinstance(found, Batch), f"{name} is no batch"
        return found

    def values(self, name: str, *needs: str) -> Tensor:
        """Return a prepared tensor; arguments and errors as for `batch`."""
        found = self._prepared(name, needs or (name,))
        assert isinstance(found, Tensor), f"{name} is no tensor"
        return found

    def forget_nll(self) -> Tensor:
        """Return M of the forget answers, in nats per token, [B]."""
        distribution = self.policy(self.forget)
        values = mean_nll(distribution, self.forget)
        self._note_forgotten(values, distribution.shape[-1])
        return values

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
        distribution = self.policy(self.forget)
        values = sequence_logprob(distribution, self.forget)
        tokens = self.forget.answer_mask.sum(dim=1)
        self._note_forgotten(-values / tokens, distribution.shape[-1])
        return values

    def retain_nll(self) -> Tensor:
        """Return M of the retain answers, in nats per token, [B]."""
        values = mean_nll(self.policy(self.retain), self.retain)
        self.log["retain_nll"] = float(values.detach().mean())
        return values

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

    def _note_forgotten(self, nll: Tensor, vocabulary: int) -> None:
        """Note each record's loss as a share of log V, the loss of a uniform guess.

        The share is at most 1: a record that is pushed far beyond a uniform guess must not hide
        another record that the model still knows.
        """
        shares = (nll.detach() / math.log(vocabulary)).clamp(max=1)
        self.forgotten = dict(zip(self.forget.record_ids, shares.tolist(), strict=True))
        self.log["forget_nll"] = float(nll.detach().mean())
        self.log["forgotten"] = float(shares.mean())

    def _prepared(self, name: str, needs: tuple[str, ...]) -> Batch | Tensor:
        self._require(name, *needs)
        return self.prepared[name]

    def _require(self, name: str, *needs: str) -> None:
        missing = [need for need in needs if need not in self.needs.declared()]
        if missing:
            raise MethodError(
                f"{self.origin}: the loss uses `step.{name}`, which its needs do not declare",
                expected=f"{' and '.join(missing)} in `needs`",
                found=self.needs.source(),
                remedy=f"needs = {self.needs.source(*missing)}",
            )


class Method(Protocol):
    """A frozen dataclass of hyper-parameters with `needs` and `loss`."""

    @property
    def needs(self) -> Needs:
        """What every step must contain."""
        ...

    def loss(self, step: Step) -> Tensor | Mapping[str, Tensor]:
        """Return the scalar to minimise, in nats; with a `gradient_rule` also several by name."""
        ...
