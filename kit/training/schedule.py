"""The learning rate over a run: linear warm-up, then a cosine (arXiv 1608.03983)."""

import math

from kit.experiment.manifest import TrainingSection


def schedule(step: int, settings: TrainingSection) -> float:
    """Return the factor on the learning rate, in [0, 1]: linear warm-up, then cosine to zero."""
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    rest = max(1, settings.steps - settings.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * (step - settings.warmup_steps) / rest))
