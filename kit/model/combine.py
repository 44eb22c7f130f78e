"""Adapter arithmetic: combine several LoRA adapters into one that computes exactly the same.

sum_i (alpha_i / r_i) B_i A_i = [s_1 B_1, s_2 B_2, ...] [A_1; A_2; ...] with s_i = alpha_i / r_i:
the concatenation has rank sum r_i and scale 1, and nothing is approximated. Merging adds the same
sum to the base's weights instead.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from kit.errors import ModelError
from kit.model.families import OUTSIDE_NAMES
from kit.model.weights import save_weights
from kit.result.layout import ADAPTER_CONFIG, WEIGHTS


def rank_of(folders: Sequence[Path]) -> int:
    """Return the rank of the adapters' concatenation."""
    return sum(int(_config(folder)["r"]) for folder in folders)


def concatenate(folders: Sequence[Path], target: Path) -> int:
    """Write the sum of the adapters in `folders` to `target` and return its rank.

    Raises:
        ModelError: the adapters belong to different modules.
    """
    states = [load_file(folder / WEIGHTS) for folder in folders]
    configs = [_config(folder) for folder in folders]
    names = set(states[0])
    if any(set(state) != names for state in states[1:]):
        raise ModelError(
            "the adapters to concatenate belong to different modules",
            found=str(folders[-1]),
            remedy="train them with the same model.lora_modules",
        )
    scales = [config["lora_alpha"] / config["r"] for config in configs]
    whole = {}
    for name in sorted(names):
        parts = [state[name] for state in states]
        if ".lora_A." in name:
            whole[name] = torch.cat(parts, dim=0).contiguous()
        else:
            scaled = [part * scale for part, scale in zip(parts, scales, strict=True)]
            whole[name] = torch.cat(scaled, dim=1).contiguous()
    rank = rank_of(folders)
    target.mkdir(parents=True, exist_ok=True)
    save_weights(whole, target / WEIGHTS)
    # Stored adapters name their modules by an expression; engines need the names themselves.
    modules = sorted({name.split(".lora_")[0].rsplit(".", 1)[1] for name in names})
    config = {**configs[0], "r": rank, "lora_alpha": rank, "target_modules": modules}
    (target / ADAPTER_CONFIG).write_text(
        json.dumps(config, indent=1, sort_keys=True), encoding="utf-8"
    )
    return rank


def merge(folders: Sequence[Path], weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights of the base that the adapters change, with sum_i s_i B_i A_i added.

    Args:
        weights: of the base, by the names of its checkpoint. They are matched with the adapters'
            names by the path below the language model.

    Raises:
        ModelError: an adapted module is not among the weights.
    """
    by_tail = {_tail(name): name for name in weights if OUTSIDE_NAMES.isdisjoint(name.split("."))}
    merged: dict[str, torch.Tensor] = {}
    for folder in folders:
        state = load_file(folder / WEIGHTS)
        config = _config(folder)
        scale = config["lora_alpha"] / config["r"]
        for name in sorted(name for name in state if ".lora_A." in name):
            key = by_tail.get(_tail(name.replace(".lora_A.", ".")))
            if key is None:
                raise ModelError(
                    f"the base has no weight for {name}",
                    found=str(folder),
                    remedy="serve it with the base that it was trained on",
                )
            delta = scale * (state[name.replace(".lora_A.", ".lora_B.")] @ state[name])
            start = merged.get(key, weights[key])
            merged[key] = start + delta.to(start.dtype)
    return merged


def _config(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8")))


def _tail(name: str) -> str:
    return name[name.index("layers.") :] if "layers." in name else name
