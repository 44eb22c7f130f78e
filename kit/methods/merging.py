"""Several adapters that become one update of each weight, for methods that declare `merging`."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor

from kit.errors import MethodError
from kit.methods.loss import correct, line_of, origin_of
from kit.methods.step import Method, Step
from kit.model.merged import Merge

S = TypeVar("S", bound=Step)
# Needs that compute losses outside of an adapter's turn.
NOT_IN_TURNS = ("measure", "concept_balance", "training_free")


def adapters_of(method: Method) -> tuple[str, ...]:
    """Return the names of the adapters that a method trains; none where it trains one."""
    asked: Any = method  # the protocol declares what every method has
    return tuple(asked.adapters) if method.needs.merging else ()


def adapters_fault(method: Any) -> str:
    """Return what is wrong with the adapters of a method that merges several, or ""."""
    if not method.needs.merging:
        return ""
    if not callable(getattr(type(method), "merge", None)):
        return "its needs declare `merging`, but there is no `merge(self, updates)`"
    names = getattr(method, "adapters", None)
    if not isinstance(names, tuple) or not all(isinstance(n, str) and n for n in names):
        return f"`adapters` is {names!r:.80}, no tuple of names"
    if len(names) < 2 or len({*names}) < len(names):
        return f"`adapters` is {names!r:.80}: they are at least two, with names of their own"
    odd = [need for need in NOT_IN_TURNS if getattr(method.needs, need)]
    return f"`merging` does not go together with `{odd[0]}`" if odd else ""


def turns(method: Method, step: S) -> Iterator[S]:
    """Yield a step once for each adapter of a method, or once as it is.

    Use each within `turn.alone(turn.adapter)`. What it notes comes back under the adapter's name.
    """
    names = adapters_of(method)
    if not names:
        yield step
    for name in names:
        yield (turn := dataclasses.replace(step, adapter=name, log={}, passes=0))
        step.passes += turn.passes
        step.forgotten |= turn.forgotten
        step.log |= {f"{name}_{key}": value for key, value in turn.log.items()}


def merge_of(method: Method) -> Merge:
    """Return a method's rule, whose results are checked.

    It raises MethodError where the method's code fails, or gives no update of the weight.
    """
    asked: Any = method
    return Merge(adapters_of(method), lambda updates: _merged(method, asked.merge, updates))


def _merged(
    method: Method, merge: Callable[[dict[str, Tensor]], Tensor], updates: Mapping[str, Tensor]
) -> Tensor:
    try:
        found = merge(dict(updates))
    except Exception as error:
        raise MethodError(
            f"{origin_of(method)}: `merge` fails",
            expected="`merge(self, updates)`, which returns one update of a weight",
            found=f"{type(error).__name__}: {str(error)[:200]}, by {line_of(error) or 'its call'}",
            remedy=correct(method),
        ) from error
    wanted = next(iter(updates.values()))
    if not isinstance(found, Tensor) or found.shape != wanted.shape:
        told = f"shape {list(found.shape)}" if isinstance(found, Tensor) else repr(found)[:100]
    else:
        told = "" if bool(torch.isfinite(found).all()) else "a number that is not finite"
    if told:
        raise MethodError(
            f"{origin_of(method)}: `merge` gives no update of the weight",
            expected=f"a finite tensor of shape {list(wanted.shape)}",
            found=told,
            remedy=correct(method),
        )
    return found
