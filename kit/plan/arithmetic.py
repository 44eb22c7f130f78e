"""Estimate the time on a GPU that was not measured: operations are counted, the result is a range.

A pass over T tokens takes 2 x weights x T operations forwards and as many backwards, because the
frozen weights get no gradient; recomputation adds one more forward pass. Only the language model's
weights count. Starting an engine, vision tower and decoding are left out.
"""

from collections.abc import Iterator

from kit import benchmarks
from kit.methods.passes import count_passes
from kit.methods.update import MEASURED
from kit.plan.cards import kinds
from kit.plan.jobs import Plan
from kit.plan.memory import RecordSize
from kit.plan.sizes import BaseSizes
from kit.plan.systems import System

# Dense operations a second in bfloat16, as their maker's data sheets state them; memory in bytes.
PEAKS = {"A100 80 GB": (312e12, 80 * 10**9), "H100 80 GB": (989e12, 80 * 10**9)}
# Of the peak, assumed: training a 7B model in 4 bits with LoRA at a handful of records at a time.
SHARES = (0.2, 0.4)


def hours(plan: Plan, sizes: BaseSizes, record: RecordSize) -> Iterator[tuple[str, float, float]]:
    """Yield (GPU, least and most hours) of the remaining work on one GPU."""
    for name, (peak, memory) in PEAKS.items():
        wanted = operations(plan, sizes, record, memory)
        least, most = sorted(wanted / peak / share / 3600 for share in SHARES)
        yield name, least, most


def operations(plan: Plan, sizes: BaseSizes, record: RecordSize, card: int) -> float:
    """Return the floating-point operations of the remaining work on a GPU of so many bytes."""
    forward = 2.0 * sizes.quantized * record.tokens
    fits = {kind.name: kind.fit(card) for kind in kinds(plan.manifest, sizes, record)}
    total = 0.0
    for job in plan.jobs():
        if not job.artifact.done:
            passes = count_passes(job.method)
            fit = fits[job.entry.name] if job.entry else next(iter(fits.values()))
            both = 3 if fit.recomputed else 2  # forwards, and as many backwards
            each = (passes.gradient + passes.again) * both + passes.other
            drawn = job.steps * job.settings.batch_size
            total += (drawn * each + MEASURED * passes.measured * both) * forward
    asked = sum(_at_most(plan, system) for system in plan.systems if not system.answers.done)
    return total + asked * forward


def _at_most(plan: Plan, system: System) -> int:
    """Return how many questions a system is asked at most: before data is read, it is not known."""
    protocol = benchmarks.planned_protocol(plan.manifest)
    targets = [system.target] if system.target else plan.manifest.targets
    columns = {column for target in targets for column in protocol.targets[target].columns}
    return len(columns) * plan.manifest.split.max_per_column
