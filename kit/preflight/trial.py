"""One step of a method on two records with the embedded base: what is wrong shows in seconds.

The adapter's weights are random and not zero, so that the model differs from its reference: at the
start of unlearning, some losses have no gradient yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kit.artifacts import Artifact, project_path, restored
from kit.digests import read_checksums, verify_files
from kit.errors import KitError, MethodError
from kit.experiment.manifest import ModelSection, SourceSection, TrainingSection
from kit.experiment.systems import UNLEARN
from kit.methods import Method, State, Step
from kit.methods.loss import correct, line_of, losses_of, origin_of, return_of, terms_of
from kit.methods.merging import adapters_of
from kit.model import determinism
from kit.model.base import device, load_base, load_processor
from kit.model.batches import Batcher
from kit.model.families import family_in
from kit.model.lora import add_adapter
from kit.plan.jobs import Job
from kit.preflight.sample import TARGET, sample
from kit.preflight.unchanged import left_alone
from kit.training.gradients import Gradients
from kit.training.masters import MasterWeights
from kit.training.steps import TRAINED, StepSource

BASE = SourceSection(name="base", folder="kit/smoke/base", checksums="checksums/smoke-base.sha256")
DTYPE = "float32"
RANK, RECORDS = 4, 2
SPREAD = 0.02  # of the adapter's random weights


@dataclass
class Watched(Step):
    """A step that notes which needs were read."""

    used: set[str] = field(default_factory=set)

    def _require(self, name: str, *needs: str) -> None:
        super()._require(name, *needs)
        self.used |= set(needs)


@dataclass(frozen=True)
class Found:
    """What one step gave: the loss in nats, and the gradient of each weight of the adapter.

    With a gradient rule, it is the gradient that the rule has made.
    """

    loss: float
    gradient: dict[str, Tensor | None]
    kept: State
    """What the method keeps for the next step."""

    def length(self) -> float:
        """Return the length of the whole gradient."""
        return float(
            torch.stack([g.norm() for g in self.gradient.values() if g is not None]).norm()
        )

    def apart(self, other: "Found") -> tuple[float, float]:
        """Return how far the losses are apart, in nats, and the gradients, as a share of this."""
        pairs = zip(self.gradient.values(), other.gradient.values(), strict=True)
        gaps = [(_or_zero(one, two) - _or_zero(two, one)).norm() for one, two in pairs]
        return abs(self.loss - other.loss), float(torch.stack(gaps).norm()) / self.length()


class Trial:
    """The embedded base with an adapter, and the records of the trial.

    Args:
        folder: receives the pictures.
    """

    def __init__(self, folder: Path) -> None:
        base = project_path(str(BASE.folder))
        listed = read_checksums(project_path(str(BASE.checksums)))
        verify_files(base, listed, remedy=restored(base))
        determinism.enable()
        section = ModelSection(source=BASE, compute_dtype=DTYPE)
        self.benchmark = sample(folder)
        self.processor = load_processor(base, section)
        self.batcher = Batcher(self.processor, device())
        self._modules = family_in(base).lora_modules
        self._fit(load_base(base, section), 1)

    def weights(self) -> dict[str, torch.nn.Parameter]:
        """Return the trained weights by name."""
        return {name: p for name, p in self.model.named_parameters() if p.requires_grad}

    def _fit(self, base: Any, count: int) -> None:
        """Give a base without adapters `count` of them, side by side, whose weights are random."""
        self._adapters = count
        with torch.random.fork_rng():
            torch.manual_seed(1)
            rank = count * RANK
            self.model = add_adapter(base, TRAINED, modules=self._modules, rank=rank, alpha=rank)
            for weight in self.weights().values():
                weight.data.normal_(0.0, SPREAD)

    def steps(self, method: Method, size: int) -> list[Watched]:
        """Return the two records in micro-batches of `size`, with everything that is needed.

        Raises:
            MethodError: a need cannot be prepared.
        """
        settings = TrainingSection(
            steps=1, batch_size=RECORDS, micro_batch_size=size, learning_rate=1e-3, warmup_steps=0,
            rank=RANK, alpha=RANK, gradient_clip=1.0,
        )  # fmt: skip
        if (count := len(adapters_of(method)) or 1) != self._adapters:
            self._fit(self.model.unload(), count)
        artifact = Artifact(UNLEARN, "trial", "0" * 64)
        job = Job(UNLEARN, "the trial", TARGET, 1, settings, artifact, method)
        try:
            source = StepSource(
                job, self.model, self.benchmark, self.batcher, self.processor.tokenizer, device()
            )
            try:
                return [Watched(**vars(step)) for step in source.steps(0, size)]
            finally:
                source.close()
        except Exception as error:
            raise MethodError(
                f"{origin_of(method)}: what it needs cannot be prepared",
                expected=method.needs.source(),
                found=f"{type(error).__name__}: {str(error)[:300]}",
                remedy="correct `needs`, or kit/training/preparation/<need>.py",
            ) from error

    def step(self, method: Method, parts: Sequence[Watched]) -> Found:
        """Go forward and backward through the micro-batches of the first step of a run.

        Raises:
            MethodError: the loss is no finite scalar with a gradient, or the method's code fails.
        """
        try:
            return determinism.with_fallback(partial(self._step, method, parts))
        except MethodError:
            raise
        except KitError as error:
            raise MethodError(
                error.what,
                expected="a finite number at the first step of an untrained adapter",
                found=", ".join(filter(None, [terms_of(parts[-1]), f"by {return_of(method)}"])),
                remedy="look for the logarithm of 0, a division by 0, and exp of a large number",
            ) from error
        except Exception as error:
            raise MethodError(
                f"{parts[0].origin}: {type(error).__name__}: {str(error)[:300]}",
                expected="a step forward and backward without an error",
                found=line_of(error) or f"the backward pass of {return_of(method)}",
                remedy=correct(method),
            ) from error

    def _step(self, method: Method, parts: Sequence[Watched]) -> Found:
        weights = MasterWeights(self.model)
        gradients = Gradients(method, weights, _watched)
        single = self.steps(method, 1) if method.needs.measure else []
        gradients.measure(lambda: single)
        parts[0].used.update(*(step.used for step in single))
        computed = gradients.compute(parts)
        gradients.combine(computed)
        given = {name: weight.grad for name, weight in self.weights().items()}
        return Found(computed.values["loss"], given, gradients.next_state)


def _watched(method: Method, step: Step) -> dict[str, Tensor]:
    """Return the losses of a micro-batch, if they leave everything else alone."""
    with left_alone(method, step):
        return losses_of(method, step)


def _or_zero(gradient: Tensor | None, other: Tensor | None) -> Tensor:
    """Return a gradient; zeros of the other's shape where there is none."""
    if gradient is not None:
        return gradient
    return torch.zeros(1) if other is None else torch.zeros_like(other)
