"""The gradient of one optimiser step: of one scalar loss, or made of several terms by a rule."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from kit.errors import MethodError, TrainingError
from kit.methods import Gradient, Measured, Method, State, Step, Update
from kit.methods.loss import correct, losses_of, measures_of, origin_of, return_of, rule_of
from kit.methods.merging import turns
from kit.methods.update import GradientRule, Measuring, Perturbing
from kit.model.determinism import backward
from kit.sums import add_up
from kit.training.masters import MasterWeights
from kit.training.whole_batch import survey

LossesOf = Callable[[Method, Step], dict[str, Tensor]]


@dataclass(frozen=True)
class Computed:
    """What the passes over one batch gave."""

    parts: Sequence[Step]
    """The micro-batches."""
    passes: int
    """How many records went through the model, those of a second pass included."""
    losses: dict[str, float]
    """Term -> its mean over the batch; a loss that is one scalar is the term `loss`."""
    values: dict[str, float]
    """The loss, and what it has noted: means over the batch, not rounded."""
    gradients: dict[str, Gradient] = field(default_factory=dict)
    """Of each term; empty without a rule, where backward has added them to the weights."""
    perturbed: dict[str, Gradient] = field(default_factory=dict)


class Gradients:
    """Computes gradients of a method's loss and applies its rule, if it has one.

    Args:
        losses: computes the terms of a micro-batch's loss; the trial watches them.
    """

    def __init__(
        self, method: Method, weights: MasterWeights, losses: LossesOf = losses_of
    ) -> None:
        self._method, self._weights, self._losses = method, weights, losses
        self._update: Update | None = None
        self.state = State()

    def measure(self, steps: Callable[[], Iterable[Step]]) -> int:
        """Let the method begin with the statistics of single records; return the passes.

        Args:
            steps: gives steps of one record each. It is repeatable, and not called where the method
                measures nothing.

        Raises:
            MethodError, TrainingError: a loss of `measure` is not usable.
        """
        method = self._method
        if not (method.needs.measure and isinstance(method, Measuring)):
            return 0
        records, passes, origin = 0, 0, ""
        sums: dict[str, Measured] = {}
        for step in steps():
            self._weights.clear_gradients()
            found = measures_of(method, step)
            for name, gradient in self._each(found):
                one = Measured(float(found[name].detach()), gradient, gradient * gradient)
                sums[name] = _sum(sums[name], one) if name in sums else one
            records, passes, origin = records + 1, passes + step.passes, step.origin
        assert records, "a method that measures is given records"
        share = 1 / records
        means = {n: Measured(m.loss * share, m.mean * share, m.square * share)
                 for n, m in sums.items()}  # fmt: skip
        self.state = rule_of(method, "begin", origin, lambda: method.begin(means))
        return passes

    def compute(self, parts: Sequence[Step]) -> Computed:
        """Compute the gradient of one batch; every micro-batch weighs the same. It is repeatable.

        Raises:
            MethodError, TrainingError: the loss is not usable.
        """
        self._weights.clear_gradients()
        method = self._method
        if method.needs.concept_balance and method.needs.reference_scalars:
            survey(parts)
        first = self._pass(parts)
        if not (method.needs.perturbation and isinstance(method, Perturbing)):
            return first
        by = rule_of(method, "perturb", parts[0].origin, lambda: method.perturb(first.gradients))
        self._require_form(by, parts[0].origin, "perturb")
        with self._weights.moved(by):
            again = [replace(part, perturbed=True, log={}, passes=0) for part in parts]
            second = self._pass(again)
        passes = first.passes + second.passes
        return replace(first, passes=passes, perturbed=second.gradients)

    def combine(self, computed: Computed) -> dict[str, float]:
        """Let the rule make the gradient that the optimiser reads; return what it has noted.

        Raises:
            MethodError: the rule fails, or gives no tensor for each weight.
            TrainingError: the mask of the rule leaves nothing to train.
        """
        method = self._method
        if not (method.needs.gradient_rule and isinstance(method, GradientRule)):
            return {}
        update = Update(computed.gradients, computed.losses, self.state.copy(), computed.perturbed)
        origin = computed.parts[0].origin
        gradient = rule_of(method, "combine", origin, lambda: method.combine(update))
        self._require_form(gradient, origin, "combine")
        if update.mask is not None:
            self._require_form(update.mask, origin, "combine", scalars=True)
            if not any(bool(value.any()) for value in gradient.values()):
                raise TrainingError(
                    f"{origin}: the mask leaves nothing to train",
                    expected="a gradient that is not zero where the mask is True",
                    found=", ".join(f"{n} {v:.4g}" for n, v in computed.values.items()),
                    remedy=f"set options that free more weights; see {origin_of(method)}",
                )
        self._weights.give_gradients(gradient)
        self._update = update
        return update.log

    @property
    def next_state(self) -> State:
        """Return what is kept once the step that was combined is made."""
        return self._update.state if self._update else self.state

    def apply(self, optimizer: torch.optim.Optimizer) -> None:
        """Make the optimiser's step; weights outside of the mask do not move."""
        with self._weights.held(self._update.mask if self._update else None):
            optimizer.step()
        self.state, self._update = self.next_state, None
        self._weights.clear_gradients()
        self._weights.update_model()

    def once(self, part: Step) -> None:
        """Go forward and backward through one micro-batch, to see how much memory it takes."""
        self._weights.clear_gradients()
        for turn in turns(self._method, part):
            with turn.alone(turn.adapter):
                for _ in self._each(self._losses(self._method, turn)):
                    pass

    def _pass(self, parts: Sequence[Step]) -> Computed:
        """Go forward and backward through all micro-batches of a batch."""
        losses: dict[str, float] = {}
        values: dict[str, float] = {}
        gradients: dict[str, Gradient] = {}
        for part in parts:
            own: dict[str, float] = {}
            for turn in turns(self._method, part):
                with turn.alone(turn.adapter):
                    found = self._losses(self._method, turn)
                    for name, gradient in self._backward(found, len(parts)):
                        known = gradients.get(name)
                        gradients[name] = gradient if known is None else known + gradient
                for name, loss in found.items():
                    value = float(loss.detach())
                    own[name] = own.get(name, 0.0) + value
                    turn.log |= {name: value} if turn.adapter else {}
            total = own if "loss" in own else {"loss": add_up(own.values()), **own}
            for key, value in own.items():
                losses[key] = losses.get(key, 0.0) + value / len(parts)
            for key, value in {**total, **part.log}.items():
                values[key] = values.get(key, 0.0) + value / len(parts)
        passes = sum(part.passes for part in parts)
        return Computed(parts, passes, losses, values, gradients)

    def _backward(self, losses: dict[str, Tensor], count: int) -> Iterable[tuple[str, Gradient]]:
        """Return the gradient of each term for a rule; without one, add it to the weights'.

        Args:
            count: of the micro-batches; each weighs the same.
        """
        if self._method.needs.gradient_rule:
            return self._each({name: loss / count for name, loss in losses.items()})
        backward(losses["loss"] / count)
        self._weights.collect_gradients()
        return ()

    def _each(self, losses: dict[str, Tensor]) -> Iterable[tuple[str, Gradient]]:
        """Yield the gradient of each loss; they may share a graph."""
        left = len(losses)
        for name, loss in losses.items():
            left -= 1
            if loss.requires_grad:
                backward(loss, again=left > 0)
            yield name, self._weights.take_gradients()

    def _require_form(
        self, gradient: object, origin: str, function: str, *, scalars: bool = False
    ) -> None:
        """Check that a rule gave one tensor for each weight; a mask may have scalars.

        Raises:
            MethodError: it did not.
        """
        named = self._weights.named
        if isinstance(gradient, Gradient) and gradient.keys() == named.keys():
            odd = [n for n in named if gradient[n].shape != named[n].shape]
            wrong = [n for n in odd if gradient[n].dim() or not scalars]
            found = f"{wrong[0]} of shape {list(gradient[wrong[0]].shape)}" if wrong else ""
        else:
            found = f"{type(gradient).__name__}"
            if isinstance(gradient, Gradient):
                found = f"tensors for {len(gradient)} of {len(named)} weights"
        if found:
            raise MethodError(
                f"{origin}: `{function}` gives no gradient of the trained weights",
                expected="a Gradient with one tensor for each weight, of the weight's shape",
                found=f"{found}, returned by {return_of(self._method, function)}",
                remedy=correct(self._method),
            )


def _sum(one: Measured, two: Measured) -> Measured:
    return Measured(one.loss + two.loss, one.mean + two.mean, one.square + two.square)
