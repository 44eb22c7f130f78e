"""How trained adapters are merged: checked and written by training, read wherever they act."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import Tensor

from kit.errors import MethodError
from kit.methods import registry
from kit.methods.loss import correct, origin_of
from kit.methods.merging import adapters_of, merge_of
from kit.methods.step import Method
from kit.model.merged import Merge, read_merger
from kit.model.weights import as_storage_errors
from kit.result.layout import MERGING
from kit.result.merging import Merger, merger_json


def require_merge(method: Method, updates: Iterable[Tensor]) -> int:
    """Check what a method's rule makes of its trained adapters; return for how many weights.

    Args:
        updates: of `kit.model.side_by_side.merged_updates`, with the rule of `merge_of(method)`.

    Raises:
        MethodError: its code fails, or all of its updates are zero.
    """
    moved = [bool(update.any()) for update in updates]
    if not any(moved):
        raise MethodError(
            f"{origin_of(method)}: `merge` leaves every weight as it was",
            expected="an update that is not zero, of one weight at least",
            found=f"zeros for {len(moved)} weights",
            remedy=correct(method),
        )
    return len(moved)


def save_merger(method: Method, folder: Path) -> None:
    """Write how the adapters of an artifact are merged: the method and all of its options."""
    asked: Any = method
    module = type(method).__module__.rpartition(".")[2]
    content = merger_json(Merger(adapters_of(method), module, dataclasses.asdict(asked)))
    with as_storage_errors(folder):
        (folder / MERGING).write_text(content, encoding="utf-8")


def merge_in(folder: Path) -> Merge | None:
    """Return the rule of a stored artifact; None where it is one adapter, as most.

    Raises:
        ModelError: the file that names it is damaged.
        ManifestError, MethodError: there is no such method any more.
    """
    merger = read_merger(folder)
    if merger is None:
        return None
    return merge_of(registry.build(merger.method, merger.options, str(folder)))
