"""The files in which a result keeps what a method leaves, beside its card."""

from kit.experiment.systems import REMOVE_NEURONS, TRAINING_FREE
from kit.result.layout import ADAPTER_CONFIG, LOSSES, NEURONS, WEIGHTS

LORA = (WEIGHTS, ADAPTER_CONFIG, LOSSES)


def files_of(method: str | None) -> tuple[str, ...]:
    """Return the names of the files that the method of this name leaves; None: fine-tuning.

    Most leave a LoRA adapter. Some leave the neurons that they remove, alone or beside one.
    """
    if method in TRAINING_FREE:
        return (NEURONS,)
    return (*LORA, NEURONS) if method in REMOVE_NEURONS else LORA
