"""Adapter arithmetic: several LoRA adapters become one that does exactly the same.

sum_i (alpha_i / r_i) B_i A_i = [s_1 B_1, s_2 B_2, ...] [A_1; A_2; ...] with s_i = alpha_i / r_i: the
concatenation has rank sum r_i and scale 1. Nothing is approximated, no weight is merged.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from kit.errors import ModelError

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"


def concatenate(folders: Sequence[Path], target: Path) -> int:
    """Write the sum of the adapters in `folders` to `target`; return its rank.

    Raises:
        ModelError: the adapters do not sit on the same modules.
    """
    states = [load_file(folder / WEIGHTS) for folder in folders]
    configs = [json.loads((folder / CONFIG).read_text(encoding="utf-8")) for folder in folders]
    names = set(states[0])
    if any(set(state) != names for state in states[1:]):
        raise ModelError("adapters to concatenate sit on different modules", found=str(folders[-1]))
    scales = [config["lora_alpha"] / config["r"] for config in configs]
    whole = {}
    for name in sorted(names):
        parts = [state[name] for state in states]
        if ".lora_A." in name:
            whole[name] = torch.cat(parts, dim=0).contiguous()
        else:
            scaled = [part * scale for part, scale in zip(parts, scales, strict=True)]
            whole[name] = torch.cat(scaled, dim=1).contiguous()
    rank = sum(config["r"] for config in configs)
    target.mkdir(parents=True, exist_ok=True)
    save_file(whole, target / WEIGHTS)
    # The modules of the stored adapters are an expression; engines want the names it matched.
    modules = sorted({name.split(".lora_")[0].rsplit(".", 1)[1] for name in names})
    config = {**configs[0], "r": rank, "lora_alpha": rank, "target_modules": modules}
    (target / CONFIG).write_text(json.dumps(config, indent=1, sort_keys=True), encoding="utf-8")
    return rank
