"""One seed of a result that has several, as if it were a result of its own."""

from collections import Counter
from dataclasses import replace

from kit.metrics.rows import Measured
from kit.result.run_file import entry_of


def of_seed(measured: Measured, seed: int) -> Measured:
    """Return what was measured of one seed; what was trained once belongs to every seed."""
    times = Counter((entry_of(system), system["target"]) for system in measured.systems)
    kept = [
        system for system in measured.systems
        if system["seed"] in (None, seed) or times[entry_of(system), system["target"]] == 1
    ]  # fmt: skip
    return replace(measured, systems=kept)


def seeds_of(measured: Measured) -> list[int]:
    """Return the seeds of the systems that were trained with one, sorted."""
    return sorted({system["seed"] for system in measured.systems if system["seed"] is not None})
