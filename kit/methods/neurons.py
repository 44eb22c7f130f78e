"""What a method may know about neurons, and the check of those that it removes.

For methods that declare the need `neurons`. Neurons are the inputs of the last linear layer of each
MLP of the language model, named by the path of that layer.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from kit.errors import KitError, MethodError
from kit.methods.loss import correct, line_of, origin_of
from kit.methods.step import Method, Step
from kit.model.batches import Batch
from kit.model.likelihood import mean_nll
from kit.model.neurons import answer_activations, neuron_layers

ACTIVE = 0.1  # above this, an activation counts as on


def activations(step: Step, batch: Batch) -> dict[str, Tensor]:
    """Return each neuron's activation where answer tokens are predicted, {path: [B, T, neurons]}.

    Without gradient, in float32. `batch.answer_mask` [B, T] says which positions are answers.
    """
    step.passes += len(batch.record_ids)
    with torch.no_grad():
        _, seen = answer_activations(step.model, batch)
    return {path: _at_answers(state, batch) for path, state in seen.items()}


def attributions(step: Step, batch: Batch) -> dict[str, Tensor]:
    """Return a dM/da of each neuron where answer tokens are predicted, {path: [B, T, neurons]}.

    a is its activation and M the record's loss in nats per token: how much of the loss goes with
    the neuron, to first order. In float32.
    """
    step.passes += len(batch.record_ids)
    with torch.enable_grad():
        distribution, seen = answer_activations(step.model, batch)
        total = mean_nll(distribution, batch).sum()  # each record's gradient is its own
        slopes = torch.autograd.grad(total, list(seen.values()))
    pairs = zip(seen.items(), slopes, strict=True)
    return {path: _at_answers(state.detach() * slope, batch) for (path, state), slope in pairs}


def importances(steps: Iterable[Step], name: str) -> dict[str, Tensor]:
    """Return four statistics of each neuron's activation on a batch of all steps, [4, neurons].

    They are the mean absolute value, the share above 0.1, the standard deviation and the root mean
    square, over answer positions with equal weight for each record (MANU, arXiv 2502.15910).

    Args:
        name: of the batch, for example "retain": `step.retain`.
    """
    sums: dict[str, Tensor] = {}
    records = 0
    for step in steps:
        batch: Batch = getattr(step, name)
        records += len(batch.record_ids)
        for path, values in activations(step, batch).items():
            size = values.abs()
            kinds = [size, (size > ACTIVE).to(values.dtype), values, values.square()]
            found = torch.stack([record_mean(kind, batch).sum(dim=0) for kind in kinds])
            sums[path] = sums[path] + found if path in sums else found
    means = {path: total / records for path, total in sums.items()}
    return {path: torch.stack([a, f, (s - m**2).clamp(min=0).sqrt(), s.sqrt()])
            for path, (a, f, m, s) in means.items()}  # fmt: skip


def highest(scores: Mapping[str, Tensor], count: int) -> dict[str, list[int]]:
    """Return the `count` neurons with the highest scores of all given layers."""
    order = torch.cat(list(scores.values())).argsort(descending=True, stable=True)
    chosen = order[:count].sort().values
    found, start = {}, 0
    for path, values in scores.items():
        own = chosen[(chosen >= start) & (chosen < start + len(values))] - start
        found[path] = [int(number) for number in own]
        start += len(values)
    return found


def record_mean(values: Tensor, batch: Batch) -> Tensor:
    """Return the mean over each record's answer positions, [B, T, n] -> [B, n]."""
    mask = batch.answer_mask.unsqueeze(-1)
    return (values * mask).sum(dim=1) / mask.sum(dim=1)


def removed_by(
    method: Method, steps: Iterable[Step], model: torch.nn.Module
) -> dict[str, list[int]]:
    """Return the neurons that a method removes: `method.neurons` of visits of the forget set.

    Args:
        steps: each iteration yields micro-batches that hold every forget record once.

    Raises:
        MethodError: the method's code fails, or chooses no neurons of the model.
    """
    asked: Any = method  # the protocol declares what every method has
    try:
        found: Mapping[str, Iterable[int]] = asked.neurons(steps)
        chosen = {path: sorted({int(n) for n in numbers}) for path, numbers in found.items()}
    except KitError:
        raise
    except Exception as error:
        if (line := line_of(error)) is None:
            raise
        raise MethodError(
            f"{origin_of(method)}: {type(error).__name__}: {str(error)[:200]}",
            expected="a method that ends without an error",
            found=line,
            remedy=correct(method),
        ) from error
    chosen = {path: numbers for path, numbers in chosen.items() if numbers}
    widths = {path: int(m.in_features) for path, m in neuron_layers(model).items()}
    faults = [
        f"{path}: {numbers[0]} to {numbers[-1]}"
        for path, numbers in chosen.items()
        if not 0 <= numbers[0] <= numbers[-1] < widths.get(path, 0)
    ]
    if faults or not chosen:
        raise MethodError(
            f"{origin_of(method)}: it removes no neurons of the model",
            expected="{path of a layer: numbers of its inputs}, as in `activations(step, batch)`",
            found=faults[0] if faults else "no neuron",
            remedy=correct(method),
        )
    return chosen


def _at_answers(states: Tensor, batch: Batch) -> Tensor:
    part = states[:, -batch.answer_ids.shape[1] - 1 : -1]
    return part.to(torch.promote_types(part.dtype, torch.float32))
