"""How many records a training pass holds at once: as many as fit, never another batch.

A batch is the sum of its micro-batches, so their size changes what a step costs and its last bits,
not what it optimises. Where a pass does not fit, the micro-batch is halved; where one record does
not fit, activations are computed again in the backward pass instead of kept (gradient
checkpointing: the same values, about a third more computation).
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from kit.console import say
from kit.errors import EnvironmentFault
from kit.experiment.manifest import TrainingSection
from kit.model.memory import out_of_memory, release

T = TypeVar("T")
USABLE = 0.85  # of the free memory: records differ in length, and allocators leave gaps


class Meter(Protocol):
    """Measures memory in bytes."""

    def free(self) -> int: ...

    def taken(self, work: Callable[[], object]) -> int: ...


class Fitting:
    """The micro-batch of one training run, and whether activations are computed again.

    Args:
        whole: the loss is not a mean over records, so its micro-batches stay as they are declared.
        resumed: what an interrupted run had settled on.
    """

    def __init__(
        self,
        model: Any,
        settings: TrainingSection,
        name: str,
        *,
        whole: bool = False,
        resumed: dict[str, Any] | None = None,
    ) -> None:
        self._model, self._settings, self._name, self._whole = model, settings, name, whole
        self._most = settings.micro_batch_size or settings.batch_size
        self.size = int(resumed["micro_batch_size"]) if resumed else self._most
        self._settled = resumed is not None or whole or settings.micro_batch_size is not None
        self.checkpointing = False
        if settings.gradient_checkpointing == "always" or (
            resumed and resumed["gradient_checkpointing"]
        ):
            self._recompute(on=True)

    def state(self) -> dict[str, Any]:
        """Return what a resumed run must go on with to end in the same bits."""
        return {"micro_batch_size": self.size, "gradient_checkpointing": self.checkpointing}

    def measure(self, meter: Meter, once: Callable[[int], object]) -> None:
        """Choose the micro-batch by what one and two records take; `once(n)` runs n of them.

        Does nothing where the manifest or an interrupted run has said how many.
        """
        if self._settled:
            return

        def taken(size: int) -> int:
            self._drop_gradients()
            return meter.taken(lambda: once(size))

        self.size = 1
        self.run(taken)  # not counted: it pays for what stays, such as the libraries' workspaces
        one = self.run(taken)
        self.size = min(2, self._most)
        two = self.run(taken)
        self._drop_gradients()
        free = meter.free()
        if self.size > 1:
            each = max(two - one, 1)
            self.size = self._divisor(1 + int((USABLE * free - one) / each))
        self._settled = True
        self._say(
            f"{free / 1e9:.1f} GB are free, a record takes {max(two - one, one // 2) / 1e9:.2f}: "
            f"micro-batches of {self.size}"
        )

    def run(self, attempt: Callable[[int], T]) -> T:
        """Return `attempt(size)`, with smaller sizes where it does not fit.

        Raises:
            EnvironmentFault: not even the smallest fits.
        """
        while True:
            try:
                return attempt(self.size)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                found = str(error)[:200]
            self._shrink(found)

    def close(self) -> None:
        """Leave the model as it was: the next job decides for itself."""
        if self.checkpointing:
            self._recompute(on=False)

    def _shrink(self, found: str) -> None:
        self._drop_gradients()  # of the micro-batches that did fit: the step begins anew
        release()
        tried, batch = self.size, self._settings.batch_size
        if self.size > 1 and not self._whole:
            self.size = self._divisor(self.size // 2)
            self._say(
                f"out of memory with micro-batches of {tried}: going on with {self.size}, "
                f"the batch stays {batch}"
            )
        elif not self.checkpointing and self._settings.gradient_checkpointing == "auto":
            self._recompute(on=True)
            self._say(
                f"out of memory with micro-batches of {tried}: going on with gradient "
                f"checkpointing, the batch stays {batch}"
            )
        else:
            raise EnvironmentFault(
                f"{self._name}: memory does not suffice for a micro-batch of {tried}",
                found=found,
                remedy="use a GPU with more memory, or leave it to this process alone"
                if not self._whole
                else "lower micro_batch_size: this method's loss is over whole micro-batches",
            )

    def _drop_gradients(self) -> None:
        for parameter in self._model.parameters():
            parameter.grad = None

    def _divisor(self, most: int) -> int:
        """Return the largest size up to `most` that divides the batch: all weigh the same."""
        batch = self._settings.batch_size
        return next(n for n in range(max(1, min(most, self._most)), 0, -1) if batch % n == 0)

    def _recompute(self, *, on: bool) -> None:
        if on:
            # Not the reentrant kind: it gives no gradient where inputs need none, as here.
            self._model.gradient_checkpointing_enable({"use_reentrant": False})
            # transformers makes all inputs ask for gradients, for the kind that needs it: they
            # would run through the frozen vision tower, and the hooks would outlive this job.
            self._model.get_base_model().disable_input_require_grads()
        else:
            self._model.gradient_checkpointing_disable()
        self.checkpointing = on

    def _say(self, text: str) -> None:
        say(f"  {self._name}: {text}")
