"""Checks that end a training job before its adapter is wrong in silence."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from kit.errors import TrainingError
from kit.result.layout import LOSSES


def non_finite_gradient(
    origin: str, step: int, terms: Mapping[str, float], parameters: Mapping[str, Tensor]
) -> TrainingError:
    """Return the error for a gradient with NaN or infinity; the optimiser has not used it.

    Args:
        origin: method, file, step and job.
        step: how many steps were good; a checkpoint holds the weights after them.
        terms: the losses of the failed step.
        parameters: the trained weights with their gradients, by name.
    """
    wrong = [
        name
        for name, parameter in parameters.items()
        if parameter.grad is not None and not torch.isfinite(parameter.grad).all()
    ]
    first = f", the first is {wrong[0]}" if wrong else " (only their norm is too large)"
    losses = ", ".join(f"{name} {value:.4g}" for name, value in terms.items())
    again = "run the same command again: it " + (
        f"continues from the checkpoint after step {step}, which holds the last good adapter"
        if step
        else "starts this job over"
    )
    return TrainingError(
        f"{origin}: the gradient is not finite",
        expected="finite numbers in the gradients of all weights",
        found=f"{len(wrong)} of {len(parameters)} gradients with NaN or infinity{first}; {losses}",
        remedy=f"{again}. If the same step fails again, lower learning_rate or set "
        "micro_batch_size = 1, so that no batch is padded",
    )


def require_update(
    weights: Mapping[str, Tensor], name: str, steps: int, learning_rate: float, folder: Path
) -> None:
    """Check that an adapter changes the model: LoRA and full updates begin with zero.

    Args:
        weights: of the adapter, by PEFT's portable names.
        name: of the job, for messages.
        steps: how many were made.
        learning_rate: the largest of the schedule.
        folder: of the job, with its losses.

    Raises:
        TrainingError: its matrices B, or those of a full update, are all zero, as at the start.
    """
    if any(bool(tensor.any()) for key, tensor in weights.items() if ".lora_B." in key):
        return
    raise TrainingError(
        f"{name}: the adapter learnt nothing",
        expected="an adapter that changes the model",
        found="all weights that begin with zero (B of LoRA, or a full update) are still zero "
        f"after {steps} steps with a learning rate of {learning_rate:g}",
        remedy=f"see gradient_norm in {folder / LOSSES}. If it is 0, the loss does not depend on "
        "the adapter: correct the method's loss or model.lora_modules. Otherwise raise "
        "learning_rate",
    )
