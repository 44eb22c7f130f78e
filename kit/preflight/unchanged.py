"""What a loss must leave as it is: its batches, and the settings of the process.

Both outlive the call. A changed batch trains other answers than the records have, and a changed
setting acts on every later job of the worker, so that the order of jobs would decide results.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor

from kit.errors import MethodError
from kit.methods import Method, Step
from kit.methods.loss import return_of
from kit.model.batches import Batch


@dataclass(frozen=True)
class Settings:
    """Settings of the process that a loss can change."""

    default_dtype: torch.dtype = field(default_factory=torch.get_default_dtype)
    gradient_mode: bool = field(default_factory=torch.is_grad_enabled)
    number_of_threads: int = field(default_factory=torch.get_num_threads)
    working_folder: str = field(default_factory=os.getcwd)

    def restore(self) -> None:
        """Set all of them."""
        torch.set_default_dtype(self.default_dtype)
        torch.set_grad_enabled(self.gradient_mode)
        torch.set_num_threads(self.number_of_threads)
        os.chdir(self.working_folder)


@contextmanager
def left_alone(method: Method, step: Step) -> Iterator[None]:
    """Check after a block that calls a loss that it has changed neither batches nor settings.

    Raises:
        MethodError: it has. The settings are as they were.
    """
    tensors = {name: value.clone() for name, value in _tensors(step)}
    before = Settings()
    try:
        yield
        after, now = Settings(), dict(_tensors(step))
    finally:
        before.restore()
    same = [n for n, v in tensors.items() if n in now and torch.equal(v, now[n])]
    if other := sorted((tensors.keys() | now.keys()) - set(same)):
        raise MethodError(
            f"{step.origin}: the loss changes its batch in place",
            expected="batches as they were prepared, after the loss as before",
            found=f"another {other[0]}, by {return_of(method)}",
            remedy="work on a copy: `.clone()`, `torch.where(...)`, or a function whose name does "
            "not end in `_`",
        )
    old, new = asdict(before), asdict(after)
    if changed := [name for name in old if old[name] != new[name]]:
        what = changed[0].replace("_", " ")
        raise MethodError(
            f"{step.origin}: the loss changes the {what} for everything that follows",
            expected=old[changed[0]],
            found=f"{new[changed[0]]}, by {return_of(method)}",
            remedy="convert single tensors, as in `.double()`, or use `with`, which restores it",
        )


def _tensors(step: Step) -> Iterator[tuple[str, Tensor]]:
    for name, value in step.prepared.items():
        if isinstance(value, Tensor):
            yield name, value
        elif isinstance(value, Batch):
            yield f"{name}.answer_ids", value.answer_ids
            yield f"{name}.answer_mask", value.answer_mask
            for key, tensor in value.inputs.items():
                yield f"{name}.inputs[{key!r}]", tensor
