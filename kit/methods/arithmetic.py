"""Change the weights of a trained adapter, for methods that declare the need `arithmetic`."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from kit.errors import MethodError
from kit.methods.loss import correct, line_of, origin_of
from kit.methods.step import Method


def after_training(method: Method, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights to store: `method.after_training` of those that were trained.

    Args:
        weights: of the adapter, by PEFT's portable names; they are left as they are.

    Raises:
        MethodError: the method's code fails, or returns no adapter of the same form.
    """
    asked: Any = method  # the protocol declares what every method has
    given = {name: tensor.clone() for name, tensor in weights.items()}
    try:
        found: dict[str, Tensor] = asked.after_training(given)
        faults = [f"{name}: {told}" for name in weights if (told := _fault(name, weights, found))]
        faults += [f"{name} is no weight of the adapter" for name in found if name not in weights]
    except Exception as error:
        raise MethodError(
            f"{origin_of(method)}: its arithmetic after training fails",
            expected="`after_training(self, weights)`, which returns weights by the same names",
            found=f"{type(error).__name__}: {str(error)[:200]}, by {line_of(error) or 'its call'}",
            remedy=correct(method),
        ) from error
    if faults:
        raise MethodError(
            f"{origin_of(method)}: `after_training` returns another kind of adapter",
            expected="finite weights with the names, shapes and types of those that it was given",
            found=f"{len(faults)} differ: {faults[0]}",
            remedy=correct(method),
        )
    return {name: found[name].contiguous() for name in weights}


def _fault(name: str, weights: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str | None:
    if name not in found:
        return "it is missing"
    was, now = weights[name], found[name]
    if (was.shape, was.dtype) != (now.shape, now.dtype):
        return f"{list(now.shape)} of {now.dtype}, not {list(was.shape)} of {was.dtype}"
    return None if bool(torch.isfinite(now).all()) else "a number that is not finite"
