"""Gradients of all trained weights, with the arithmetic that gradient rules are written in."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from kit.sums import add_up


class Gradient(dict[str, Tensor]):
    """One tensor for each trained weight, by the weight's name; masks have the same form.

    Operators work element by element and return a new gradient. Operands have the same names.
    """

    def __add__(self, other: "Gradient") -> "Gradient":
        return self._with(other, torch.add)

    def __sub__(self, other: "Gradient") -> "Gradient":
        return self._with(other, torch.sub)

    def __mul__(self, other: "float | Gradient") -> "Gradient":
        """Return the gradient times a number, a mask, or one factor for each weight."""
        if isinstance(other, Gradient):
            return self._with(other, torch.mul)
        return Gradient({name: value * other for name, value in self.items()})

    def abs(self) -> "Gradient":
        """Return the absolute values."""
        return Gradient({name: value.abs() for name, value in self.items()})

    def dot(self, other: "Gradient") -> float:
        """Return the inner product over all weights, added up in float64."""
        return add_up(
            float((value.double() * other[name].double()).sum()) for name, value in self.items()
        )

    def norm(self) -> float:
        """Return the length over all weights."""
        return math.sqrt(self.dot(self))

    def relative_means(self) -> "Gradient":
        """Return the mean of each tensor, [], over the largest of them, which is then 1."""
        means = {name: value.mean() for name, value in self.items()}
        largest = max(means.values())
        return Gradient({name: mean / largest if largest else mean for name, mean in means.items()})

    def at_least(self, other: "Gradient") -> "Gradient":
        """Return a mask: True where this is as large as the other or larger."""
        return self._with(other, torch.ge)

    def largest(self, share: float) -> "Gradient":
        """Return a mask of the largest `share` in (0, 1] of all values, ranked over all tensors.

        Tensors that are zero everywhere are not ranked and are True: before its first step, LoRA
        has no gradient for A, because B is 0. Values that tie with the last one are True, too.
        """
        ranked = torch.cat([value.flatten() for value in self.values() if value.any()])
        count = max(1, round(share * len(ranked)))
        least = ranked.sort(descending=True).values[count - 1]
        return Gradient({n: (v >= least) | ~v.any() for n, v in self.items()})

    def _with(self, other: "Gradient", operation: Callable[..., Tensor]) -> "Gradient":
        return Gradient({name: operation(value, other[name]) for name, value in self.items()})
