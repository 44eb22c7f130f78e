"""Remove neurons before the first step, for methods that need it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from peft import PeftModel

from kit.methods import Step
from kit.methods.neurons import removed_by
from kit.model.determinism import with_fallback
from kit.model.neurons import gate, save_neurons
from kit.plan.jobs import Job
from kit.training.loop import TrainingRecord
from kit.training.steps import TRAINED, StepSource

ALONE = 1  # records at a time where the manifest does not say: this many fit on any card


@dataclass(frozen=True)
class Visits:
    """Each iteration visits every forget record once; batches are made when they are asked for."""

    source: StepSource
    size: int

    def __iter__(self) -> Iterator[Step]:
        return self.source.once(self.size)


def remove_neurons(job: Job, source: StepSource, model: PeftModel) -> TrainingRecord:
    """Choose neurons by visits of the forget set, store them, and switch them off in the model.

    The choice depends on the vanilla model alone, so a resumed job makes it again. Its passes and
    seconds are those of the record that is returned, which has no steps.

    Raises:
        MethodError: the method's code fails, or chooses no neurons of the model.
    """
    started, size = time.monotonic(), job.settings.micro_batch_size or ALONE
    model.eval()
    removed = with_fallback(partial(removed_by, job.method, Visits(source, size), model))
    save_neurons(removed, job.artifact.partial)
    gate(model, removed, TRAINED)
    seconds = round(time.monotonic() - started, 3)
    return TrainingRecord(0, seconds, None, None, size, gradient_checkpointing=False)
