"""Stored LoRA adapters: read from disk and checked, before a model or an engine gets them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from kit.errors import ModelError
from kit.result.layout import ADAPTER_CONFIG, WEIGHTS

A, B = ".lora_A.", ".lora_B."  # in the names of the two matrices of a module
AGAIN = (
    "remove the folder and train the adapter again: `./run.sh finetune`, then `./run.sh unlearn`"
)


@dataclass(frozen=True)
class StoredAdapter:
    """The weights of one adapter, by PEFT's portable names, and its configuration."""

    folder: Path
    config: dict[str, Any]
    weights: dict[str, torch.Tensor]

    @property
    def scale(self) -> float:
        """What its output B A x is multiplied with: alpha / r."""
        return float(self.config["lora_alpha"] / self.config["r"])

    @property
    def sides(self) -> dict[str, int]:
        """The features that each matrix reads (A) or writes (B), by name; the base decides them."""
        return {name: t.shape[1 - _rank_axis(name)] for name, t in self.weights.items()}


def read_adapter(folder: Path) -> StoredAdapter:
    """Read an adapter, and check that its weights have the rank that its configuration says.

    Raises:
        ModelError: a file is missing or damaged, or the two files are of different adapters.
    """
    config = read_adapter_config(folder)
    try:
        weights = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise damaged(folder, str(error)) from None
    for name, tensor in weights.items():
        partner = name.replace(*((A, B) if A in name else (B, A)))
        if partner == name or partner not in weights or tensor.dim() != 2:
            raise damaged(folder, f"no pair of matrices A and B: {name}")
        found = tensor.shape[_rank_axis(name)]
        if found != config["r"]:
            raise ModelError(
                f"weights and configuration of the adapter in {folder} do not belong together",
                expected=f"rank {config['r']} ({ADAPTER_CONFIG})",
                found=f"rank {found} ({name})",
                remedy=AGAIN,
            )
    return StoredAdapter(folder, config, weights)


def _rank_axis(name: str) -> int:
    """Return which axis of a matrix is the rank: A is [r, in], B is [out, r]."""
    return 0 if A in name else 1


def read_adapter_config(folder: Path) -> dict[str, Any]:
    """Return the configuration of a stored adapter.

    Raises:
        ModelError: the file is missing or damaged.
    """
    try:
        config = dict(json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8")))
        if not (config["r"] > 0 and config["lora_alpha"] > 0):
            raise ValueError("rank and alpha are not positive")
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise damaged(folder, f"{type(error).__name__}: {error}") from None
    return config


def damaged(folder: Path, found: str) -> ModelError:
    """Return the error for an adapter whose files cannot be read."""
    return ModelError(
        f"the adapter in {folder} is damaged",
        expected=f"{WEIGHTS} and {ADAPTER_CONFIG}, as training wrote them",
        found=found.splitlines()[0][:300],
        remedy=AGAIN,
    )
