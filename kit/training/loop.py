"""One loop for fine-tuning and unlearning: accumulate, clip, schedule, stop, log, checkpoint."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from kit.console import say
from kit.experiment.manifest import TrainingSection
from kit.failures import at
from kit.methods import Method, Step
from kit.model.determinism import with_fallback
from kit.model.memory import GpuMeter
from kit.model.sharding import agreed
from kit.result.layout import LOSSES
from kit.sums import add_up
from kit.training.checkpoint import Checkpoint
from kit.training.costs import Journal, Passes
from kit.training.fitting import MicroBatchSizer
from kit.training.gradients import Computed, Gradients
from kit.training.guards import non_finite_gradient
from kit.training.masters import MasterWeights
from kit.training.schedule import schedule

REPORT_SECONDS = 20.0
FORGOTTEN_SHARE = 0.95  # of log V, in the mean over records; each counts at most as 1

StepsOf = Callable[[int, int], Iterator[Step]]
"""(step number from 0, size) -> its micro-batches of that size, in order; together one batch."""


@dataclass(frozen=True)
class TrainingRecord:
    """The cost and the end of a training run; steps that a kill made void are not included."""

    steps: int
    seconds: float
    """Of all attempts, each up to the checkpoint from which the next one resumed."""
    stopped: str | None
    """Why the run ended before its last step, if it did."""
    peak_memory_bytes: int | None
    """Of the GPU; None on a CPU, where a process's peak belongs to all jobs that it ran."""
    micro_batch_size: int
    gradient_checkpointing: bool


def train(
    model: torch.nn.Module,
    method: Method,
    settings: TrainingSection,
    steps_of: StepsOf,
    folder: Path,
    *,
    name: str,
    stop_after: int | None = None,
    passes: Passes | None = None,
    longest: Callable[[int], Step] | None = None,
    measured: Callable[[], Iterable[Step]] = tuple,
) -> TrainingRecord:
    """Optimise the trainable adapter in place.

    Args:
        folder: receives losses.jsonl, the journal of steps (which stays until the adapter is
            published) and, if the settings ask for it, a checkpoint.
        name: of the job, for messages.
        stop_after: number of forget records. Once all of them have been seen and their mean loss
            is `FORGOTTEN_SHARE` of a uniform guess's, training stops: more steps would damage the
            model instead of making it forget. None: never.
        passes: counts the records of each step; restored from a checkpoint.
        longest: gives a micro-batch of the job's longest records; its memory is measured.
        measured: gives the steps of single records that a method measures before the first step.

    Raises:
        TrainingError: the loss is not a finite scalar with a gradient, or a gradient is not finite.
            The weights before that step are kept as a checkpoint.
        EnvironmentFault: not even one record fits into memory.
    """
    run = _Run(model, method, settings, steps_of, folder, name, passes or Passes())
    model.train()
    run.measure(longest)
    stopped = run.train(stop_after, measured)
    model.eval()
    return run.finish(stopped)


class _Run:
    """The state of one training run, resumed from its checkpoint where there is one."""

    def __init__(
        self,
        model: torch.nn.Module,
        method: Method,
        settings: TrainingSection,
        steps_of: StepsOf,
        folder: Path,
        name: str,
        passes: Passes,
    ) -> None:
        self._method, self._settings, self._steps_of = method, settings, steps_of
        self._folder, self._name, self._passes = folder, name, passes
        self._weights = MasterWeights(model, getattr(torch, settings.lora_dtype))
        self._parameters = list(self._weights.named.values())
        self._optimizer = torch.optim.AdamW(
            self._parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self._gradients = Gradients(method, self._weights)
        self._checkpoint = Checkpoint(folder, self._weights.named, self._optimizer)
        self._first, state, self._gradients.state = self._checkpoint.resume()
        self._weights.update_model()
        self._log: list[dict[str, float]] = state.get("log", [])
        self._forgotten: dict[str, float] = state.get("forgotten", {})
        self._spent: float = state.get("seconds", 0.0)
        self._earlier_peak: int = state.get("peak") or 0
        if self._first:
            passes.resume(state["passes"])
            say(f"  {name}: resumes at step {self._first}")
        self._journal = Journal(folder, passes)
        whole, fitting = method.needs.whole_batch, state.get("fitting")
        self._sizer = MicroBatchSizer(model, settings, name, whole=whole, resumed=fitting)
        self._started = self._reported = time.monotonic()

    def measure(self, longest: Callable[[int], Step] | None) -> None:
        """On a GPU, choose the micro-batch by the memory that a pass takes."""
        part = longest or (lambda size: next(self._steps_of(self._first, size)))
        if torch.cuda.is_available():
            self._sizer.measure(
                GpuMeter(),
                lambda size: with_fallback(lambda: self._gradients.once(part(size))),
            )
            self._weights.clear_gradients()
            torch.cuda.reset_peak_memory_stats()

    def train(self, stop_after: int | None, measured: Callable[[], Iterable[Step]]) -> str | None:
        """Do the steps that are left; return why the run stopped early, or None."""
        self._started = self._reported = time.monotonic()
        self._journal.begin()
        if not self._first:
            measure = partial(self._gradients.measure, measured)
            self._passes.add(self._sizer.run(lambda _: with_fallback(measure)))
        for step in range(self._first, self._settings.steps):
            with at(f"step {step + 1}"):
                self._step(step)
            if stop_after and (stopped := agreed(self._stop_reason(stop_after))):
                return stopped
            every = self._settings.checkpoint_every
            if every and (step + 1) % every == 0:
                self._checkpoint.save(step + 1, self._state(), self._gradients.state)
            self._report(step + 1)
        return None

    def finish(self, stopped: str | None) -> TrainingRecord:
        """Write losses.jsonl, remove the checkpoint and return the record."""
        recomputed = self._sizer.checkpointing
        self._sizer.close()
        self._weights.restore()
        self._checkpoint.remove()
        lines = "".join(json.dumps(entry, sort_keys=True) + "\n" for entry in self._log)
        (self._folder / LOSSES).write_text(lines, encoding="utf-8")
        seconds = round(self._seconds(), 3)
        return TrainingRecord(
            len(self._log), seconds, stopped, self._peak(), self._sizer.size, recomputed
        )

    def _step(self, step: int) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = self._settings.learning_rate * schedule(step, self._settings)
        found = self._sizer.run(lambda size: with_fallback(partial(self._compute, step, size)))
        values = found.values | self._gradients.combine(found)
        self._weights.agree()
        values = {key: round(value, 6) for key, value in values.items()}
        norm = self._clip(step, found.parts[0].origin, values)
        self._gradients.apply(self._optimizer)
        self._log.append({"step": step + 1, "gradient_norm": round(float(norm), 6), **values})
        for part in found.parts:
            self._forgotten |= part.forgotten
        self._passes.add(found.passes)
        self._journal.note(step + 1)

    def _clip(self, step: int, origin: str, values: Mapping[str, float]) -> Tensor:
        """Clip the gradient and return its norm before.

        Raises:
            TrainingError: the norm is not finite; the weights before this step are kept.
        """
        norm = get_total_norm([p.grad for p in self._parameters if p.grad is not None])
        if not torch.isfinite(norm):
            if step:
                self._checkpoint.save(step, self._state(), self._gradients.state)
            raise non_finite_gradient(origin, step, values, self._weights.named)
        clip_grads_with_norm_(self._parameters, self._settings.gradient_clip, norm)
        return norm

    def _compute(self, step: int, size: int) -> Computed:
        return self._gradients.compute(list(self._steps_of(step, size)))

    def _stop_reason(self, stop_after: int) -> str | None:
        if len(self._forgotten) < stop_after:
            return None
        share = add_up(self._forgotten.values()) / len(self._forgotten)
        if share <= FORGOTTEN_SHARE:
            return None
        return f"mean forget loss reached {share:.0%} of a uniform guess's"

    def _state(self) -> dict[str, object]:
        return {
            "log": self._log,
            "forgotten": self._forgotten,
            "passes": self._passes.state(),
            "fitting": self._sizer.state(),
            "seconds": self._seconds(),
            "peak": self._peak(),
        }

    def _seconds(self) -> float:
        return self._spent + time.monotonic() - self._started

    def _peak(self) -> int | None:
        """Return the peak of GPU memory in bytes, that of earlier attempts included."""
        if not torch.cuda.is_available():
            return None
        return max(torch.cuda.max_memory_allocated(), self._earlier_peak)

    def _report(self, done: int) -> None:
        now = time.monotonic()
        if now - self._reported <= REPORT_SECONDS:
            return
        self._reported = now
        rate = (done - self._first) / (now - self._started)
        left = (self._settings.steps - done) / rate
        say(
            f"  {self._name}: step {done}/{self._settings.steps}, loss "
            f"{self._log[-1]['loss']:.3f}, {rate:.1f} steps/s, {left:.0f} s left"
        )
