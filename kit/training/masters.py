"""The weights that the optimiser updates, apart from those that the model computes with.

Usually they are the same tensors in float32. With `lora_dtype = "bfloat16"` the model computes with
rounded copies, whose activations take half of the memory. Gradients are added up and applied in
float32 (mixed precision training, arXiv 1710.03740), so small updates are not rounded away.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from kit.methods import Gradient
from kit.model import sharding


class MasterWeights:
    """The trainable weights of a model in float32, by the names of the model's parameters.

    Args:
        dtype: of the copies that the model computes with.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype = torch.float32) -> None:
        self._computed = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self.named: Mapping[str, nn.Parameter] = self._computed
        """What the optimiser updates and checkpoints hold."""
        self._apart = any(parameter.dtype != dtype for parameter in self._computed.values())
        if self._apart:
            self.named = {n: nn.Parameter(p.detach().clone()) for n, p in self._computed.items()}
            for parameter in self._computed.values():
                parameter.data = parameter.data.to(dtype)

    def clear_gradients(self) -> None:
        """Drop all gradients."""
        for parameter in (*self._computed.values(), *self.named.values()):
            parameter.grad = None

    def collect_gradients(self) -> None:
        """Add the gradients of a micro-batch to those of the masters, in float32."""
        if not self._apart:
            return  # backward has added them
        for name, parameter in self._computed.items():
            if parameter.grad is not None:
                master = self.named[name]
                gradient = parameter.grad.to(master.dtype)
                master.grad = gradient if master.grad is None else master.grad + gradient
                parameter.grad = None

    def take_gradients(self) -> Gradient:
        """Return the gradients of the last backward pass, in float32, and drop them.

        Weights without a gradient have zeros.
        """
        taken = Gradient()
        for name, parameter in self._computed.items():
            master, gradient = self.named[name], parameter.grad
            parameter.grad = None
            taken[name] = (
                torch.zeros_like(master) if gradient is None else gradient.to(master.dtype)
            )
        return taken

    def give_gradients(self, gradient: Gradient) -> None:
        """Put a gradient where the optimiser reads it."""
        for name, master in self.named.items():
            master.grad = gradient[name]

    def agree(self) -> None:
        """Take the first process's gradient where several train this adapter together."""
        for master in self.named.values():
            if master.grad is not None:
                sharding.agree_on(master.grad)

    @contextmanager
    def moved(self, by: Gradient) -> Iterator[None]:
        """Let the model compute with weights that are moved; afterwards they are as before."""
        before = {name: master.data for name, master in self.named.items()}
        try:
            for name, master in self.named.items():
                master.data = before[name] + by[name]
            self.update_model()
            yield
        finally:
            for name, master in self.named.items():
                master.data = before[name]
            self.update_model()

    @contextmanager
    def held(self, mask: Gradient | None) -> Iterator[None]:
        """Undo what a block does to weights where the mask is False; without a mask, nothing."""
        if mask is None:
            yield
            return
        before = {name: master.detach().clone() for name, master in self.named.items()}
        yield
        for name, master in self.named.items():
            master.data.copy_(torch.where(mask[name], master.data, before[name]))

    def update_model(self) -> None:
        """Round the masters to the copies that the model computes with."""
        if self._apart:
            for name, parameter in self._computed.items():
                parameter.data.copy_(self.named[name].data)

    def restore(self) -> None:
        """Put the masters themselves into the model: they are what is saved and evaluated."""
        if self._apart:
            for name, parameter in self._computed.items():
                parameter.grad = None
                parameter.data = self.named[name].data
