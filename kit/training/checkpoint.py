"""Checkpoints of a training run: a killed job resumes and ends in the same bits."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from kit.console import say
from kit.methods import Gradient, State
from kit.model.weights import save_weights

FORMAT = "2"  # 2: with the number of forward passes and the reference scalars
NOT_WEIGHTS = ("optimizer/", "method/")


class Checkpoint:
    """Adapter weights, optimiser state and log of a run, in one file of the job's folder.

    Args:
        parameters: what the optimiser updates, by name.
    """

    def __init__(
        self,
        folder: Path,
        parameters: Mapping[str, torch.nn.Parameter],
        optimizer: torch.optim.Optimizer,
    ) -> None:
        self._path, self._parameters = folder / "checkpoint", parameters
        self._optimizer = optimizer

    def save(self, step: int, state: Mapping[str, object], kept: State | None = None) -> None:
        """Write the checkpoint and swap it with the old one: a whole one exists at any time.

        Args:
            step: the number of steps done.
            state: what else a resumed run needs, as JSON.
            kept: what the method keeps between steps.
        """
        kept = kept or State()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {n: p.detach().cpu().contiguous() for n, p in self._parameters.items()}
        for index, moments in self._optimizer.state_dict()["state"].items():
            for key, value in moments.items():
                tensors[f"optimizer/{index}/{key}"] = torch.as_tensor(value).cpu().contiguous()
        for entry, weights in kept.weights.items():
            for name, value in weights.items():
                tensors[f"method/{entry}/{name}"] = value.detach().cpu().contiguous()
        metadata = {
            "format": FORMAT,
            "step": str(step),
            "state": json.dumps(state),
            "method": json.dumps(kept.numbers),
        }
        save_weights(tensors, self._path, metadata)

    def resume(self) -> tuple[int, dict[str, Any], State]:
        """Load the last checkpoint; return the steps done, the state, and what the method keeps.

        Without a checkpoint these are 0 and empty. A damaged or foreign one is reported and
        ignored; the job starts over.
        """
        if not self._path.is_file():
            return 0, {}, State()
        try:
            step, state, kept, tensors = self._read()
        except (SafetensorError, ValueError, KeyError) as error:
            say(
                f"  {self._path.parent.name}: its checkpoint is damaged or of another version "
                f"({str(error)[:100]}): starting over"
            )
            return 0, {}, State()
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer/"):
                _, index, field = key.split("/")
                moments.setdefault(int(index), {})[field] = value
            elif key.startswith("method/"):
                _, entry, name = key.split("/", 2)
                device = self._parameters[name].device
                kept.weights.setdefault(entry, Gradient())[name] = value.to(device)
            else:
                self._parameters[key].data.copy_(value)
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": moments, "param_groups": groups})
        return step, state, kept

    def _read(self) -> tuple[int, dict[str, Any], State, dict[str, torch.Tensor]]:
        """Return steps, state, the method's numbers and all tensors without changing the model.

        Raises:
            SafetensorError, ValueError, KeyError: not a checkpoint of these weights in this format.
        """
        with safe_open(self._path, "pt") as stream:
            metadata = stream.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"format {metadata.get('format')}, not {FORMAT}")
            tensors = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118
        found = {k: v.shape for k, v in tensors.items() if not k.startswith(NOT_WEIGHTS)}
        if found != {name: value.shape for name, value in self._parameters.items()}:
            raise ValueError("of another adapter")
        numbers, state = json.loads(metadata.get("method", "{}")), json.loads(metadata["state"])
        if not (isinstance(numbers, dict) and isinstance(state, dict)):
            raise ValueError("its state is no object")
        return int(metadata["step"]), state, State(numbers), tensors

    def remove(self) -> None:
        """Remove the checkpoint of a finished job."""
        self._path.unlink(missing_ok=True)
