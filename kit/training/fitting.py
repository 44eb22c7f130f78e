"""The micro-batch of a training run: as many records as fit into memory.

A batch is the sum of its micro-batches, so their size changes the cost and the last bits of a step,
never its objective. Where a pass does not fit, the micro-batch is halved for this step; where it
fails a second time, for the rest of the run. One step of unusually long records therefore slows no
other step. Where one record does not fit, activations are recomputed in the backward pass (gradient
checkpointing: the same values for about a third more computation).
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from torch import nn

from kit.console import say
from kit.errors import EnvironmentFault
from kit.experiment.manifest import TrainingSection
from kit.model.memory import release, retry_smaller

T = TypeVar("T")
USABLE_SHARE = 0.85  # of free memory: records differ in length, and allocators leave gaps


class Meter(Protocol):
    """Measures memory in bytes."""

    def free(self) -> int: ...

    def taken(self, work: Callable[[], object]) -> int: ...


class MicroBatchSizer:
    """Chooses the size of a run's micro-batches, and whether activations are recomputed.

    Args:
        name: of the job, for messages.
        whole: whether a micro-batch must be the whole batch, because the loss compares its records.
        resumed: what `state` returned in the interrupted run.
    """

    def __init__(
        self,
        model: nn.Module,
        settings: TrainingSection,
        name: str,
        *,
        whole: bool = False,
        resumed: Mapping[str, Any] | None = None,
    ) -> None:
        self._settings, self._name, self._whole = settings, name, whole
        # PEFT forwards the methods of transformers by name, so no type declares them.
        self._model: Any = model
        self._largest = settings.micro_batch_size or settings.batch_size
        self.size = int(resumed["micro_batch_size"]) if resumed else self._largest
        """The size that every step begins with."""
        self._tried = self.size
        self._failed: set[int] = set(resumed["failed_sizes"]) if resumed else set()
        self._settled = resumed is not None or settings.micro_batch_size is not None
        self.checkpointing = False
        if settings.gradient_checkpointing == "always" or (
            resumed and resumed["gradient_checkpointing"]
        ):
            self._recompute(on=True)

    def state(self) -> dict[str, object]:
        """Return the state that a resumed run needs to be bit-identical."""
        return {
            "micro_batch_size": self.size,
            "failed_sizes": sorted(self._failed),
            "gradient_checkpointing": self.checkpointing,
        }

    def measure(self, meter: Meter, once: Callable[[int], object]) -> None:
        """Choose the size by the memory that one record and two records take.

        Does nothing where the manifest or an interrupted run has decided the size.

        Args:
            once: runs one forward and backward pass of so many records.
        """
        if self._settled:
            return

        def taken(size: int) -> int:
            self._drop_gradients()
            return meter.taken(lambda: once(size))

        self.size = 1
        self.run(taken)  # not counted: it includes lasting costs, such as workspaces of libraries
        one = self.run(taken)
        self.size = min(2, self._largest)
        two = self.run(taken)
        self._drop_gradients()
        self.size = self._tried
        self._failed.clear()
        free = meter.free()
        if self.size > 1:
            each = max(two - one, 1)
            self.size = self._divisor(1 + int((USABLE_SHARE * free - one) / each))
        self._settled = True
        self._say(
            f"{free / 1e9:.1f} GB are free, a record takes {max(two - one, one // 2) / 1e9:.2f}: "
            f"micro-batches of {self.size}"
        )

    def run(self, attempt: Callable[[int], T]) -> T:
        """Return `attempt(size)`; smaller sizes are tried where it does not fit.

        Raises:
            EnvironmentFault: not even the smallest fits.
        """
        self._tried = self.size
        return retry_smaller(lambda: attempt(self._tried), self._shrink)

    def close(self) -> None:
        """Switch recomputation off: the next job decides for itself."""
        if self.checkpointing:
            self._recompute(on=False)

    def _shrink(self, found: str) -> None:
        self._drop_gradients()  # of the micro-batches that did fit: the step starts over
        release()
        tried, batch = self._tried, self._settings.batch_size
        if tried > 1 and not self._whole:
            self._tried = self._divisor(tried // 2)
            again = tried in self._failed
            self._failed.add(tried)
            if again:
                self.size = self._tried
            self._say(
                f"out of memory with micro-batches of {tried}: "
                f"{'continuing' if again else 'this step continues'} with {self._tried}, "
                f"the batch stays {batch}"
            )
        elif not self.checkpointing and self._settings.gradient_checkpointing == "auto":
            self._recompute(on=True)
            self.size = tried
            self._say(
                f"out of memory with micro-batches of {tried}: continuing with gradient "
                f"checkpointing, the batch stays {batch}"
            )
        else:
            raise EnvironmentFault(
                f"{self._name}: memory does not suffice for a micro-batch of {tried}",
                expected="memory for a step forward and backward",
                found=found,
                remedy="use a GPU with more memory, or stop other programs that use it"
                + ("; or lower batch_size: the method needs it whole" if self._whole else ""),
            )

    def _drop_gradients(self) -> None:
        for parameter in self._model.parameters():
            parameter.grad = None

    def _divisor(self, largest: int) -> int:
        """Return the largest size up to `largest` that divides the batch: all weigh the same."""
        batch = self._settings.batch_size
        limit = max(1, min(largest, self._largest))
        return next(size for size in range(limit, 0, -1) if batch % size == 0)

    def _recompute(self, *, on: bool) -> None:
        if on:
            # The reentrant kind gives no gradient where inputs need none, as here.
            self._model.gradient_checkpointing_enable({"use_reentrant": False})
            # For the reentrant kind, transformers makes all inputs require gradients. They would
            # run through the frozen vision tower, and the hooks would outlive this job.
            self._model.get_base_model().disable_input_require_grads()
        else:
            self._model.gradient_checkpointing_disable()
        self.checkpointing = on

    def _say(self, text: str) -> None:
        say(f"  {self._name}: {text}")
