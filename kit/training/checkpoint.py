"""Where a training run was when it was killed, so that it goes on from there to the same bits."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from kit.console import say
from kit.model.weights import save_weights

FORMAT = "2"  # 2: with the forward passes so far and the reference scalars among them


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
        metadata = {"format": FORMAT, "step": str(step), "state": json.dumps(state)}
        save_weights(tensors, self._path, metadata)

    def resume(self) -> tuple[int, dict[str, Any]]:
        """Load the last checkpoint, if there is one; return (steps done, what was saved beside).

        One that this code did not write, or that is damaged, is left aside and said to be: the job
        begins anew.
        """
        fresh: tuple[int, dict[str, Any]] = (0, {"log": [], "forgotten": {}, "seconds": 0.0})
        if not self._path.is_file():
            return fresh
        try:
            step, state, tensors = self._read()
        except (SafetensorError, ValueError, KeyError) as error:
            say(
                f"  {self._path.parent.name}: its checkpoint is of another version or damaged "
                f"({str(error)[:100]}): beginning anew"
            )
            return fresh
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer/"):
                _, index, field = key.split("/")
                moments.setdefault(int(index), {})[field] = value
            else:
                self._parameters[key].data.copy_(value)
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": moments, "param_groups": groups})
        return step, state

    def _read(self) -> tuple[int, dict[str, Any], dict[str, torch.Tensor]]:
        """Return steps, state and tensors, before anything of the model is changed.

        Raises:
            SafetensorError, ValueError, KeyError: it is not one of these weights in this format.
        """
        with safe_open(self._path, "pt") as stream:
            metadata = stream.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"format {metadata.get('format')}, not {FORMAT}")
            tensors = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118
        found = {k: v.shape for k, v in tensors.items() if not k.startswith("optimizer/")}
        if found != {name: value.shape for name, value in self._parameters.items()}:
            raise ValueError("of another adapter")
        return int(metadata["step"]), json.loads(metadata["state"]), tensors

    def remove(self) -> None:
        """Forget the checkpoint of a finished job."""
        self._path.unlink(missing_ok=True)
