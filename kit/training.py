"""One loop for fine-tuning and unlearning: accumulate, clip, schedule, stop, log, checkpoint."""

import json
import math
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import load_file

from kit.errors import TrainingError
from kit.manifest import TrainingSection
from kit.methods import Method, Step
from kit.weights import save_weights

REPORT_SECONDS = 20.0
FORGOTTEN = 0.95  # share of log V; each record counts at most as a uniform guess


@dataclass(frozen=True)
class Outcome:
    """What a training run cost and how it ended."""

    steps: int
    seconds: float
    stopped: str | None
    peak_memory_bytes: int | None
    """Of the GPU; None on a CPU, where a process's peak belongs to all jobs that it ran."""


def train(
    model: PeftModel,
    method: Method,
    settings: TrainingSection,
    steps_of: Callable[[int], Iterator[Step]],
    folder: Path,
    *,
    name: str,
    stop_after: int | None = None,
) -> Outcome:
    """Optimise the trainable adapter in place.

    Args:
        steps_of: step number -> its micro-batches, in order; together they are one batch.
        folder: receives losses.jsonl and, when asked for, a checkpoint to resume from.
        stop_after: number of forget records. Once all of them have been seen and their mean loss
            is `FORGOTTEN` of a uniform guess's, training stops: going on would damage the model
            rather than make it forget. None: never.

    Raises:
        TrainingError: the loss is not finite.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    checkpoint = Checkpoint(folder, model, optimizer)
    first, state = checkpoint.resume()
    log, forgotten, spent = state["log"], state["forgotten"], state["seconds"]
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    started = last_report = time.monotonic()
    if first:
        print(f"  {name}: goes on from step {first}", file=sys.stderr, flush=True)
    stopped = None
    model.train()
    for step in range(first, settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * schedule(step, settings)
        micro = list(steps_of(step))
        values = _descend(model, method, micro, name)
        norm = torch.nn.utils.clip_grad_norm_(parameters, settings.gradient_clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        log.append({"step": step + 1, "gradient_norm": round(float(norm), 6), **values})
        for part in micro:
            forgotten |= part.forgotten
        if stop_after and len(forgotten) >= stop_after:
            share = sum(forgotten.values()) / len(forgotten)
            if share > FORGOTTEN:
                stopped = f"mean forget loss reached {share:.0%} of a uniform guess's"
                break
        if settings.checkpoint_every and (step + 1) % settings.checkpoint_every == 0:
            seconds = spent + time.monotonic() - started
            checkpoint.save(step + 1, {"log": log, "forgotten": forgotten, "seconds": seconds})
        if time.monotonic() - last_report > REPORT_SECONDS:
            last_report = time.monotonic()
            _report(name, step + 1, settings.steps, values["loss"], started, first)
    model.eval()
    checkpoint.remove()
    lines = "".join(json.dumps(entry, sort_keys=True) + "\n" for entry in log)
    (folder / "losses.jsonl").write_text(lines, encoding="utf-8")
    seconds = spent + time.monotonic() - started
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
    return Outcome(len(log), round(seconds, 3), stopped, peak)


def schedule(step: int, settings: TrainingSection) -> float:
    """Return the factor on the learning rate: linear warm-up, then cosine to zero."""
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    rest = max(1, settings.steps - settings.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * (step - settings.warmup_steps) / rest))


def _descend(model: PeftModel, method: Method, micro: list[Step], name: str) -> dict[str, float]:
    """Accumulate the gradients of one batch; every micro-batch weighs the same."""
    totals: dict[str, float] = {}
    for part in micro:
        loss = method.loss(part)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"{name}: the loss is {float(loss.detach())}",
                remedy="lower learning_rate, or stop earlier (stop = 'uniform')",
            )
        (loss / len(micro)).backward()
        for key, value in {"loss": float(loss.detach()), **part.log}.items():
            totals[key] = totals.get(key, 0.0) + value / len(micro)
    return {key: round(value, 6) for key, value in totals.items()}


def _report(name: str, step: int, steps: int, loss: float, started: float, first: int) -> None:
    rate = (step - first) / (time.monotonic() - started)
    left = (steps - step) / rate
    print(
        f"  {name}: step {step}/{steps}, loss {loss:.3f}, {rate:.1f} steps/s, {left:.0f} s left",
        file=sys.stderr,
        flush=True,
    )


class Checkpoint:
    """Adapter, optimiser state and loss log, so that a killed job goes on from its last step."""

    def __init__(self, folder: Path, model: PeftModel, optimizer: torch.optim.Optimizer) -> None:
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


def peak_memory() -> int:
    """Return the peak of this process in bytes: GPU memory where there is one, else resident."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
