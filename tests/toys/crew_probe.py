"""Hidden states of systems: a function of a module, so that a new process finds it."""

from pathlib import Path

import torch

from kit.evaluation.probing import states
from kit.model.lora import add_adapter
from tests.toys.crew_job import records_of, toy_worker
from tests.toys.crew_trial import digest

MODULES = r".*\.language_model\.layers\.\d+\..*_proj"


def states_of_two_systems(base: Path, pictures: list[Path]) -> list[str]:
    """Return digests of the first layer's states with one adapter, and with another one."""
    worker = toy_worker(base, pictures, "nf4")
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        model = add_adapter(worker.base, "adapter0", modules=MODULES, rank=4, alpha=4)
        for name, weight in model.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(weight)
        found.append(digest([states(records_of(pictures), model, worker.batcher, 0)]))
        worker.base = model.unload()
    return found
