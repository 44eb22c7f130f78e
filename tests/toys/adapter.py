"""A tiny LoRA adapter on disk, in the form that the kit writes: weights, settings and losses."""

import json
import struct
from pathlib import Path

import numpy as np

MODULES = r".*\.(k|v)_proj"
RANK, INPUTS, OUTPUTS = 2, 4, 3
NAMES = [
    f"base_model.model.model.language_model.layers.{layer}.self_attn.{kind}_proj.lora_{side}.weight"
    for layer in range(2)
    for kind in "kv"
    for side in "AB"
]


def weights_of(seed: int, *, rank: int = RANK) -> dict[str, np.ndarray]:
    """Return {name: float32 matrix} of an adapter; each seed has its own numbers."""
    random = np.random.default_rng(seed)
    shapes = {"A": (rank, INPUTS), "B": (OUTPUTS, rank)}
    return {name: random.normal(size=shapes[name[-8]]).astype("<f4") for name in NAMES}


def safetensors(weights: dict[str, np.ndarray], **header: object) -> bytes:
    """Return the file; `header` replaces or adds entries of the header."""
    told, place = {}, 0
    for name, values in weights.items():
        size = values.nbytes
        told[name] = {
            "dtype": "F32",
            "shape": list(values.shape),
            "data_offsets": [place, place + size],
        }
        place += size
    text = json.dumps(told | header).encode()
    numbers = b"".join(values.tobytes() for values in weights.values())
    return struct.pack("<Q", len(text)) + text + numbers


def settings(*, rank: int = RANK, alpha: float = 4.0, **others: object) -> dict[str, object]:
    """Return adapter_config.json as PEFT writes it, as far as anything reads it."""
    return {
        "peft_type": "LORA", "r": rank, "lora_alpha": alpha, "lora_dropout": 0.0, "bias": "none",
        "target_modules": MODULES, "base_model_name_or_path": None, "modules_to_save": None,
        "rank_pattern": {}, "alpha_pattern": {}, "use_dora": False, "use_rslora": False,
        "fan_in_fan_out": False, "inference_mode": True, "peft_version": "0.21.2", **others,
    }  # fmt: skip


def losses(steps: int, seed: int = 9) -> str:
    """Return losses.jsonl of a job of so many steps."""
    lines = (
        {"step": step, "loss": seed + 1 / step, "gradient_norm": 0.5}
        for step in range(1, steps + 1)
    )
    return "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines)


def write_adapter(
    folder: Path,
    *,
    seed: int,
    steps: int,
    alpha: float = 4.0,
    rank: int = RANK,
    modules: str = MODULES,
) -> None:
    """Write weights, settings and losses of an adapter into a new folder."""
    folder.mkdir(parents=True)
    weights = safetensors(weights_of(seed, rank=rank))
    said = settings(rank=rank, alpha=alpha, target_modules=modules)
    (folder / "adapter_model.safetensors").write_bytes(weights)
    (folder / "adapter_config.json").write_text(json.dumps(said), encoding="utf-8")
    (folder / "losses.jsonl").write_text(losses(steps, seed), encoding="utf-8")
