"""One loop for fine-tuning and unlearning: accumulate, clip, schedule, stop, log, checkpoint."""

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from kit.console import say
from kit.errors import TrainingError
from kit.experiment.manifest import TrainingSection
from kit.methods import Method, Step
from kit.model.determinism import backward, whichever_way
from kit.model.memory import GpuMeter
from kit.result.layout import LOSSES
from kit.training.checkpoint import Checkpoint
from kit.training.costs import Journal, Passes
from kit.training.fitting import Fitting

REPORT_SECONDS = 20.0
FORGOTTEN = 0.95  # share of log V; each record counts at most as a uniform guess


@dataclass(frozen=True)
class Outcome:
    """What a training run cost and how it ended, with the attempts that a kill cut short."""

    steps: int
    seconds: float
    """Of all attempts, each up to the checkpoint that the next one went on from."""
    stopped: str | None
    peak_memory_bytes: int | None
    """Of the GPU; None on a CPU, where a process's peak belongs to all jobs that it ran."""
    micro_batch_size: int
    gradient_checkpointing: bool


def train(
    model: torch.nn.Module,
    method: Method,
    settings: TrainingSection,
    steps_of: Callable[[int, int], Iterator[Step]],
    folder: Path,
    *,
    name: str,
    stop_after: int | None = None,
    passes: Passes | None = None,
) -> Outcome:
    """Optimise the trainable adapter in place.

    Args:
        steps_of: (step number, size) -> its micro-batches of that size, in order; together they
            are one batch.
        folder: receives losses.jsonl, the journal of steps, which stays until the adapter is
            whole, and, when asked for, a checkpoint to resume from.
        stop_after: number of forget records. Once all of them have been seen and their mean loss
            is `FORGOTTEN` of a uniform guess's, training stops: going on would damage the model
            rather than make it forget. None: never.
        passes: what `steps_of` counts; goes on with a resumed run.

    Raises:
        TrainingError: the loss is not finite.
        EnvironmentFault: not even one record fits into memory.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    checkpoint = Checkpoint(folder, model, optimizer)
    passes = passes or Passes()
    first, state = checkpoint.resume()
    log, forgotten, spent = state["log"], state["forgotten"], state["seconds"]
    if first:
        passes.resume(state["passes"])
    journal = Journal(folder, passes)
    fitting = Fitting(
        model, settings, name, whole=method.needs.concept_balance, resumed=state.get("fitting")
    )
    if first:
        say(f"  {name}: goes on from step {first}")
    stopped = None
    model.train()

    def descend(step: int, size: int) -> tuple[list[Step], dict[str, float]]:
        optimizer.zero_grad(set_to_none=True)
        micro = list(steps_of(step, size))
        return micro, _descend(method, micro, name)

    def once(size: int) -> None:
        optimizer.zero_grad(set_to_none=True)
        _once(method, next(steps_of(first, size)))

    if torch.cuda.is_available():
        fitting.measure(GpuMeter(), lambda size: whichever_way(partial(once, size)))
        optimizer.zero_grad(set_to_none=True)
        torch.cuda.reset_peak_memory_stats()
    started = last_report = time.monotonic()
    journal.begin()
    for step in range(first, settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * schedule(step, settings)
        micro, values = fitting.run(
            lambda size, step=step: whichever_way(partial(descend, step, size))
        )
        norm = torch.nn.utils.clip_grad_norm_(parameters, settings.gradient_clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        log.append({"step": step + 1, "gradient_norm": round(float(norm), 6), **values})
        for part in micro:
            forgotten |= part.forgotten
        journal.note(step + 1)
        if stop_after and len(forgotten) >= stop_after:
            share = sum(forgotten.values()) / len(forgotten)
            if share > FORGOTTEN:
                stopped = f"mean forget loss reached {share:.0%} of a uniform guess's"
                break
        if settings.checkpoint_every and (step + 1) % settings.checkpoint_every == 0:
            state |= {"passes": passes.state(), "fitting": fitting.state()}
            state |= {"seconds": spent + time.monotonic() - started, "peak": _peak(state)}
            checkpoint.save(step + 1, state)
        if time.monotonic() - last_report > REPORT_SECONDS:
            last_report = time.monotonic()
            _report(name, step + 1, settings.steps, values["loss"], started, first)
    model.eval()
    settled = fitting.state()
    fitting.close()
    checkpoint.remove()
    lines = "".join(json.dumps(entry, sort_keys=True) + "\n" for entry in log)
    (folder / LOSSES).write_text(lines, encoding="utf-8")
    seconds = spent + time.monotonic() - started
    return Outcome(len(log), round(seconds, 3), stopped, _peak(state), **settled)


def schedule(step: int, settings: TrainingSection) -> float:
    """Return the factor on the learning rate: linear warm-up, then cosine to zero."""
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    rest = max(1, settings.steps - settings.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * (step - settings.warmup_steps) / rest))


def _peak(resumed: dict[str, Any]) -> int | None:
    """Return the peak of GPU memory in bytes, of the attempts before this one as well."""
    if not torch.cuda.is_available():
        return None
    return max(torch.cuda.max_memory_allocated(), resumed.get("peak") or 0)


def _once(method: Method, part: Step) -> None:
    """Forward and backward through one micro-batch, to see what it takes."""
    backward(method.loss(part))


def _descend(method: Method, micro: list[Step], name: str) -> dict[str, float]:
    """Accumulate the gradients of one batch; every micro-batch weighs the same."""
    totals: dict[str, float] = {}
    for part in micro:
        loss = method.loss(part)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"{name}: the loss is {float(loss.detach())}",
                remedy="lower learning_rate, or stop earlier (stop = 'uniform')",
            )
        backward(loss / len(micro))
        for key, value in {"loss": float(loss.detach()), **part.log}.items():
            totals[key] = totals.get(key, 0.0) + value / len(micro)
    return {key: round(value, 6) for key, value in totals.items()}


def _report(name: str, step: int, steps: int, loss: float, started: float, first: int) -> None:
    rate = (step - first) / (time.monotonic() - started)
    left = (steps - step) / rate
    say(f"  {name}: step {step}/{steps}, loss {loss:.3f}, {rate:.1f} steps/s, {left:.0f} s left")
