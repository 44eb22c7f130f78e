"""The files in which a result keeps what a method leaves, beside its card."""

from pathlib import Path

from kit.experiment.systems import MERGE_ADAPTERS, REMOVE_NEURONS, TRAINING_FREE
from kit.experiment.updates import FULL
from kit.result.layout import ADAPTER_CONFIG, FULL_UPDATE, LOSSES, MERGING, NEURONS, WEIGHTS

LORA = (WEIGHTS, ADAPTER_CONFIG, LOSSES)


def files_of(method: str | None, update: str) -> tuple[str, ...]:
    """Return the names of the files that the method of this name leaves; None: fine-tuning.

    Most leave a LoRA adapter or a full update. Some leave the neurons that they remove, alone or
    beside one. Some leave several adapters and how they are merged.

    Args:
        update: what is trained, as `kit.experiment.own_settings.update_of` returns it.
    """
    if method in TRAINING_FREE:
        return (NEURONS,)
    trained = (FULL_UPDATE, LOSSES) if update == FULL else LORA
    removed = (NEURONS,) if method in REMOVE_NEURONS else ()
    return (*trained, *removed, *((MERGING,) if method in MERGE_ADAPTERS else ()))


def weights_file(folder: Path) -> Path:
    """Return the file with the weights of the artifact in `folder`: LoRA's or a full update's."""
    full = folder / FULL_UPDATE
    return full if full.is_file() else folder / WEIGHTS
