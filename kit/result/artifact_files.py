"""The files in which a result keeps what a method leaves, beside its card."""

from kit.experiment.systems import MERGE_ADAPTERS, REMOVE_NEURONS, TRAINING_FREE
from kit.result.layout import ADAPTER_CONFIG, LOSSES, MERGING, NEURONS, WEIGHTS

LORA = (WEIGHTS, ADAPTER_CONFIG, LOSSES)


def files_of(method: str | None) -> tuple[str, ...]:
    """Return the names of the files that the method of this name leaves; None: fine-tuning.

    Most leave a LoRA adapter. Some leave the neurons that they remove, alone or beside one. Some
    leave several adapters and how they are merged.
    """
    if method in TRAINING_FREE:
        return (NEURONS,)
    removed = (NEURONS,) if method in REMOVE_NEURONS else ()
    return (*LORA, *removed, *((MERGING,) if method in MERGE_ADAPTERS else ()))
