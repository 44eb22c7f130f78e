"""Adapter arithmetic: combine several LoRA adapters into one that computes exactly the same.

sum_i (alpha_i / r_i) B_i A_i = [s_1 B_1, s_2 B_2, ...] [A_1; A_2; ...] with s_i = alpha_i / r_i:
the concatenation has rank sum r_i and scale 1, and nothing is approximated. Merging adds the same
sum to the base's weights instead, and the changes of full updates as they are.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch

from kit.errors import ModelError
from kit.model.adapter_files import read_adapter, read_adapter_config
from kit.model.families import OUTSIDE_NAMES
from kit.model.full_update import WEIGHT, read_update
from kit.model.merged import MergeIn, no_merge, read_merger
from kit.model.neurons import read_neurons, without_columns
from kit.model.weights import save_weights
from kit.result.layout import ADAPTER_CONFIG, FULL_UPDATE, WEIGHTS


def rank_of(folders: Sequence[Path]) -> int:
    """Return the rank of the adapters' concatenation.

    Raises:
        ModelError: one of them is no LoRA alone, or is damaged.
    """
    for folder in folders:
        does = "removes neurons" if read_neurons(folder) else ""
        does = "merges several adapters" if read_merger(folder) else does
        does = "changes whole weights" if (folder / FULL_UPDATE).is_file() else does
        if does:
            raise ModelError(
                f"{folder} {does}, which no LoRA adapter does",
                expected="an adapter that a 4-bit base can be given",
                found=f"an artifact that {does}",
                remedy='set evaluation.serving = "merged"',
            )
    return sum(int(read_adapter_config(folder)["r"]) for folder in folders)


def concatenate(folders: Sequence[Path], target: Path) -> int:
    """Write the sum of the adapters in `folders` to `target` and return its rank.

    Raises:
        ModelError: an adapter is damaged, or they belong to different modules or bases.
    """
    stored = [read_adapter(folder) for folder in folders]
    names = set(stored[0].weights)
    if others := [adapter for adapter in stored if adapter.sides != stored[0].sides]:
        raise ModelError(
            "the adapters to concatenate belong to different modules",
            expected=f"the modules and sizes of {folders[0]}",
            found=f"others in {others[0].folder}",
            remedy="train them with the same model.lora_modules on the same base",
        )
    whole = {}
    for name in sorted(names):
        parts = [adapter.weights[name] for adapter in stored]
        if ".lora_A." in name:
            whole[name] = torch.cat(parts, dim=0).contiguous()
        else:
            scaled = [part * one.scale for part, one in zip(parts, stored, strict=True)]
            whole[name] = torch.cat(scaled, dim=1).contiguous()
    rank = rank_of(folders)
    target.mkdir(parents=True, exist_ok=True)
    save_weights(whole, target / WEIGHTS)
    # Stored adapters name their modules by an expression; engines need the names themselves.
    modules = sorted({name.split(".lora_")[0].rsplit(".", 1)[1] for name in names})
    config = {**stored[0].config, "r": rank, "lora_alpha": rank, "target_modules": modules}
    (target / ADAPTER_CONFIG).write_text(
        json.dumps(config, indent=1, sort_keys=True), encoding="utf-8"
    )
    return rank


def merge(
    folders: Sequence[Path],
    weights: Mapping[str, torch.Tensor],
    merge_in: MergeIn = no_merge,
) -> dict[str, torch.Tensor]:
    """Return the weights of the base that the adapters change, with sum_i s_i B_i A_i added.

    A full update adds its change, and several adapters in one file what they are merged into. The
    columns of removed neurons are
    zero in the sum.

    Args:
        weights: of the base, by the names of its checkpoint. They are matched with the adapters'
            names by the path below the language model.
        merge_in: gives the rule of an artifact of several adapters.

    Raises:
        ModelError: an adapter is damaged, or the base has no weight of that name and size.
    """
    by_tail = {_tail(name): name for name in weights if OUTSIDE_NAMES.isdisjoint(name.split("."))}
    merged: dict[str, torch.Tensor] = {}
    removed = [read_neurons(folder) for folder in folders]
    for folder in folders:
        for name, delta in _changes(folder, merge_in):
            key = by_tail.get(_tail(name))
            if key is None or weights[key].shape != delta.shape:
                raise ModelError(
                    f"the base has no weight for {name}",
                    expected=f"one of {delta.shape[0]} x {delta.shape[1]}",
                    found=f"{folder}, an adapter of another base",
                    remedy="serve it with the base that it was trained on",
                )
            start = merged.get(key, weights[key])
            merged[key] = start + delta.to(start.dtype)
    for path, numbers in [pair for neurons in removed for pair in neurons.items()]:
        key = by_tail.get(_tail(f"{path}.weight"))
        if key is None:
            raise ModelError(
                f"the base has no weight for {path}, whose neurons are removed",
                expected="a weight of that name",
                found="a base of other modules",
                remedy="serve it with the base that it was made on",
            )
        merged[key] = without_columns(merged.get(key, weights[key]), path, numbers)
    return merged


def _changes(folder: Path, merge_in: MergeIn) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield (name of a weight, what the adapter in `folder` adds to it), [out, in], by name."""
    if update := read_update(folder):
        for layer, delta in sorted(update.layers.items(), key=lambda pair: pair[0]):
            yield layer + WEIGHT, delta
    elif (folder / WEIGHTS).exists() or not read_neurons(folder):
        adapter, rule = read_adapter(folder), merge_in(folder)
        state, scale = adapter.weights, adapter.scale
        for name in sorted(name for name in state if ".lora_A." in name):
            below, above = state[name], state[name.replace(".lora_A.", ".lora_B.")]
            delta = rule.update(below, above, scale) if rule else scale * (above @ below)
            yield name.replace(".lora_A.", "."), delta


def _tail(name: str) -> str:
    return name[name.index("layers.") :] if "layers." in name else name
