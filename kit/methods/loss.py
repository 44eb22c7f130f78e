"""Compute a method's loss; what is wrong with it is told in terms of the method's file."""

import traceback
from pathlib import Path

import torch
from torch import Tensor

from kit.errors import KitError, TrainingError
from kit.methods.step import Method, Step
from kit.model.determinism import NONDETERMINISTIC
from kit.model.memory import out_of_memory

FOLDER = Path(__file__).parent


def origin_of(method: Method) -> str:
    """Return how messages name a method: `method 'npo' (kit/methods/npo.py)`."""
    module = type(method).__module__
    return f"method '{module.rpartition('.')[2]}' ({module.replace('.', '/')}.py)"


def loss_of(method: Method, step: Step) -> Tensor:
    """Return the loss of one micro-batch: a finite scalar with a gradient.

    Raises:
        TrainingError: the loss is none, or the method's code fails. The message names the method's
            file, the step and the job.
    """
    loss = _call(method, step)
    if not isinstance(loss, Tensor) or loss.dim():
        raise TrainingError(
            f"{step.origin}: the loss is not a scalar",
            expected="a tensor of shape []",
            found=f"shape {list(loss.shape)}" if isinstance(loss, Tensor) else repr(loss)[:100],
            remedy="return a mean over records, for example `step.forget_nll().mean()`",
        )
    if not loss.requires_grad:
        raise TrainingError(
            f"{step.origin}: the loss has no gradient",
            expected="a loss that depends on the trained adapter",
            remedy="compute it from `step.policy(...)` or `step.forget_nll()`, and use no "
            "`.detach()`, `.item()` or `torch.no_grad()` on the way",
        )
    if not torch.isfinite(loss):
        terms = ", ".join(f"{name} {value:.4g}" for name, value in step.log.items())
        raise TrainingError(
            f"{step.origin}: the loss is {float(loss.detach())}",
            found=terms or None,
            remedy="lower learning_rate, or stop earlier (stop = 'uniform')",
        )
    return loss


def _call(method: Method, step: Step) -> Tensor:
    try:
        return method.loss(step)
    except Exception as error:
        # The training loop handles these: it retries with fewer records, or without strict kernels.
        expected = out_of_memory(error) or NONDETERMINISTIC.match(str(error))
        line = _line_of(error)
        if isinstance(error, KitError) or expected or line is None:
            raise
        raise TrainingError(
            f"{step.origin}: {type(error).__name__}: {str(error)[:300]}",
            found=line,
            remedy="correct the method's file",
        ) from error


def _line_of(error: Exception) -> str | None:
    """Return the line that failed where it is a method's own, else None."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    path = Path(last.filename)
    if path.parent != FOLDER or path.name in ("step.py", "loss.py", "balance.py"):
        return None
    return f"kit/methods/{path.name}:{last.lineno}: {last.line}"
