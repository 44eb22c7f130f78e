"""Where a training run was when it was killed, so that it goes on from there to the same bits."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from kit.weights import save_weights


class Checkpoint:
    """Adapter, optimiser state and loss log, so that a killed job goes on from its last step."""

    def __init__(
        self, folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer
    ) -> None:
        self._path = folder / "checkpoint"
        self._parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self._optimizer = optimizer

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write beside the old checkpoint and swap: one whole checkpoint exists at any time."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {n: p.detach().cpu().contiguous() for n, p in self._parameters.items()}
        for index, moments in self._optimizer.state_dict()["state"].items():
            for key, value in moments.items():
                tensors[f"optimizer/{index}/{key}"] = torch.as_tensor(value).cpu().contiguous()
        metadata = {"step": str(step), "state": json.dumps(state)}
        save_weights(tensors, self._path, metadata)

    def resume(self) -> tuple[int, dict[str, Any]]:
        """Load the last checkpoint, if there is one; return (steps done, what was saved beside)."""
        if not self._path.is_file():
            return 0, {"log": [], "forgotten": {}, "seconds": 0.0}
        with safe_open(self._path, "pt") as stream:
            metadata = stream.metadata()
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in load_file(self._path).items():
            if key.startswith("optimizer/"):
                _, index, field = key.split("/")
                moments.setdefault(int(index), {})[field] = value
            else:
                self._parameters[key].data.copy_(value)
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": moments, "param_groups": groups})
        return int(metadata["step"]), json.loads(metadata["state"])

    def remove(self) -> None:
        """Forget the checkpoint of a finished job."""
        self._path.unlink(missing_ok=True)
