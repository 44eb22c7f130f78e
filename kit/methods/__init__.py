"""Unlearning methods, one file each: hyper-parameters, what the method needs, and its loss.

Notation (one for all files): theta_0 is the vanilla model that unlearning starts from and the
reference; D_f and D_r are forget and retain records; S = -sum_t log pi(y_t) over the answer tokens
and the end token, M = S / T. A method's loss sees one `Step` and returns a scalar to descend.
"""

import difflib
import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from kit.errors import ManifestError
from kit.model.batches import Batch
from kit.model.likelihood import answer_distribution, mean_nll, sequence_logprob


@dataclass(frozen=True)
class Needs:
    """What the loop prepares for a method; the report prints it as cost."""

    forget: bool = True
    retain: bool = False
    refusals: bool = False
    reference_scalars: bool = False
    """log pi_0(y) of forget answers (and refusals), computed once before training."""
    reference_distribution: bool = False
    """pi_0(. | x) at every step: one more forward pass without gradient."""
    concept_balance: bool = False
    """as many person as event records in every step."""
    single_image: bool = False
    """one image for each forgotten concept instead of all of them."""
    training: bool = True


@dataclass
class Step:
    """What one optimisation step offers to a loss; a field is None unless the method needs it."""

    policy: Callable[[Batch], Tensor]
    """Batch -> log pi(. | x), [B, T, V], with gradient."""
    reference: Callable[[Batch], Tensor]
    """Batch -> log pi_0(. | x), [B, T, V], without."""
    forget: Batch | None = None
    retain: Batch | None = None
    refusal: Batch | None = None
    forget_reference: Tensor | None = None
    """log pi_0(y) of the forget answers, [B]."""
    refusal_reference: Tensor | None = None
    """log pi_0(refusal), [B]."""
    forget_is_person: Tensor | None = None
    """1.0 where the forget record asks for a person and 0.0 where for an event, [B]."""
    concept_tokens: Tensor | None = None
    """True for the tokens of the forgotten names and keywords, [V]."""
    uniform: float | None = None
    """log V, the loss of a uniform guess in nats per token."""
    log: dict[str, float] = field(default_factory=dict)
    """Means of this step for the loss log."""
    forgotten: dict[str, float] = field(default_factory=dict)
    """Record id -> forget loss as a share of a uniform guess's, at most 1, for the stop rule."""

    def forget_nll(self) -> Tensor:
        """M of the forget answers, [B]."""
        values = mean_nll(self.policy(_there(self.forget)), _there(self.forget))
        self._note_forgotten(values)
        return values

    def _note_forgotten(self, nll: Tensor) -> None:
        """Note how far each record's loss is from nothing (0) to that of a uniform guess (1).

        A record counts at most as a uniform guess: one that is pushed far beyond it must not hide
        another that is still known.
        """
        self.log["forget_nll"] = float(nll.detach().mean())
        if self.uniform is not None:
            shares = (nll.detach() / self.uniform).clamp(max=1)
            self.forgotten = dict(zip(_there(self.forget).record_ids, shares.tolist(), strict=True))
            self.log["forgotten"] = float(shares.mean())

    def forget_logprob(self) -> Tensor:
        """log pi(y) of the forget answers, summed over tokens, [B]."""
        batch = _there(self.forget)
        values = sequence_logprob(self.policy(batch), batch)
        tokens = batch.answer_mask.sum(dim=1)
        self._note_forgotten(-values / tokens)
        return values

    def retain_nll(self) -> Tensor:
        """M of the retain answers, [B]."""
        values = mean_nll(self.policy(_there(self.retain)), _there(self.retain))
        self.log["retain_nll"] = float(values.detach().mean())
        return values

    def refusal_logprob(self) -> Tensor:
        """log pi(refusal | forget question), summed over tokens, [B]."""
        batch = _there(self.refusal)
        return sequence_logprob(self.policy(batch), batch)

    def refusal_nll(self) -> Tensor:
        """M of the refusals, [B]."""
        batch = _there(self.refusal)
        return mean_nll(self.policy(batch), batch)


def _there(batch: Batch | None) -> Batch:
    if batch is None:
        raise ValueError("the method uses a batch that its `needs` does not declare")
    return batch


class Method(Protocol):
    """A frozen dataclass of hyper-parameters with `needs` and `loss`."""

    needs: Needs

    def loss(self, step: Step) -> Tensor:
        """Return the scalar to descend."""
        ...


def live(model: Any) -> Callable[[Batch], Tensor]:
    """Return the policy of a model as a function of a batch."""
    return lambda batch: answer_distribution(model, batch)


def names() -> list[str]:
    """Return the methods there are: the files of this folder."""
    return sorted(p.stem for p in Path(__file__).parent.glob("*.py") if p.stem != "__init__")


def sources(name: str) -> list[str]:
    """Return the method and those whose files it imports from: together they are its code."""
    text = (Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8")
    return sorted({name, *re.findall(r"^from kit\.methods\.(\w+) import", text, re.MULTILINE)})


def build(name: str, options: dict[str, Any], origin: str = "manifest") -> Method:
    """Return the method `name` with its options.

    Raises:
        ManifestError: no such method, no such option, or an option of the wrong type.
    """
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        raise ManifestError(
            f"{origin}: no method '{name}'",
            expected=f"one of {', '.join(names())}",
            remedy=f"did you mean '{near[0]}'?" if near else "add kit/methods/<name>.py",
        )
    module = importlib.import_module(f"kit.methods.{name}")
    kind = module.METHOD
    known = {option.name: option for option in fields(kind)}
    for option, value in options.items():
        if option not in known:
            near = difflib.get_close_matches(option, known, n=1)
            raise ManifestError(
                f"{origin}: method '{name}' has no option '{option}'",
                remedy=f"did you mean '{near[0]}'?" if near else f"options: {', '.join(known)}",
            )
        wanted = type(known[option].default)
        if not isinstance(value, wanted) and not (wanted is float and type(value) is int):
            raise ManifestError(
                f"{origin}: option '{option}' of method '{name}' is not valid",
                expected=wanted.__name__,
                found=repr(value),
            )
    method: Method = kind(**options)
    return method
