"""One loop for fine-tuning and unlearning: accumulate, clip, schedule, stop, log, checkpoint."""

import json
import math
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from kit.errors import TrainingError
from kit.manifest import TrainingSection
from kit.methods import Method, Step

REPORT_SECONDS = 20.0
FORGOTTEN = 0.95  # of the way from certainty to a uniform guess, mean over the forget records


@dataclass(frozen=True)
class Outcome:
    """What a training run cost and how it ended."""

    steps: int
    seconds: float
    stopped: str | None
    peak_memory_bytes: int


def train(
    model: PeftModel,
    method: Method,
    settings: TrainingSection,
    steps_of: Callable[[int], Iterator[Step]],
    folder: Path,
    *,
    name: str,
    governed: bool = False,
) -> Outcome:
    """Optimise the trainable adapter in place.

    Args:
        steps_of: step number -> its micro-batches, in order; together they are one batch.
        folder: receives losses.jsonl and, when asked for, a checkpoint to resume from.
        governed: stop once the forget answers are as unlikely as a uniform guess. Going on from
            there would damage the model rather than make it forget.

    Raises:
        TrainingError: the loss is not finite.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    checkpoint = Checkpoint(folder, model, optimizer)
    first, log = checkpoint.resume()
    started = last_report = time.monotonic()
    stopped = None
    model.train()
    for step in range(first, settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * schedule(step, settings)
        values = _descend(model, method, list(steps_of(step)), name)
        norm = torch.nn.utils.clip_grad_norm_(parameters, settings.gradient_clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        log.append({"step": step + 1, "gradient_norm": round(float(norm), 6), **values})
        if governed and values.get("forgotten", 0.0) > FORGOTTEN:
            stopped = "the forget answers are no likelier than a uniform guess"
            break
        if settings.checkpoint_every and (step + 1) % settings.checkpoint_every == 0:
            checkpoint.save(step + 1, log)
        if time.monotonic() - last_report > REPORT_SECONDS:
            last_report = time.monotonic()
            _report(name, step + 1, settings.steps, values["loss"], started, first)
    model.eval()
    checkpoint.remove()
    lines = "".join(json.dumps(entry, sort_keys=True) + "\n" for entry in log)
    (folder / "losses.jsonl").write_text(lines, encoding="utf-8")
    seconds = time.monotonic() - started
    return Outcome(len(log), round(seconds, 3), stopped, peak_memory())


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

    def save(self, step: int, log: list[dict[str, float]]) -> None:
        """Write beside the old checkpoint and swap: one whole checkpoint exists at any time."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        tensors = {n: p.detach().cpu().contiguous() for n, p in self._parameters.items()}
        for index, state in self._optimizer.state_dict()["state"].items():
            for key, value in state.items():
                tensors[f"optimizer/{index}/{key}"] = torch.as_tensor(value).cpu().contiguous()
        metadata = {"step": str(step), "log": json.dumps(log)}
        save_file(tensors, temporary, metadata=metadata)
        os.replace(temporary, self._path)

    def resume(self) -> tuple[int, list[dict[str, float]]]:
        """Load the last checkpoint, if there is one; return (steps done, loss log)."""
        if not self._path.is_file():
            return 0, []
        from safetensors import safe_open

        with safe_open(self._path, "pt") as stream:
            metadata = stream.metadata()
        tensors = load_file(self._path)
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer/"):
                _, index, field = key.split("/")
                state.setdefault(int(index), {})[field] = value
            else:
                self._parameters[key].data.copy_(value)
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": state, "param_groups": groups})
        return int(metadata["step"]), json.loads(metadata["log"])

    def remove(self) -> None:
        """Forget the checkpoint of a finished job."""
        self._path.unlink(missing_ok=True)


def peak_memory() -> int:
    """Return the peak of this process in bytes: GPU memory where there is one, else resident."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
