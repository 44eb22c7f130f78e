"""Estimate the time on a GPU that was not measured: operations are counted, the result is a range.

A pass over T tokens takes 2 x weights x T operations forwards and as many backwards, because the
frozen weights get no gradient; recomputation adds one more forward pass. A full update takes as
many again, and one for its gradient. Only the language model's
weights count. Starting an engine, vision tower, decoding and scoring given answers are left out. A
step of an attack on pixels is a pass in both directions, and a question under attack is a pass
forwards.
"""

from collections.abc import Iterator
from functools import lru_cache

from kit import benchmarks
from kit.attacks.pixels import PixelAttack
from kit.benchmarks.probes import with_columns
from kit.benchmarks.protocol import Protocol
from kit.benchmarks.records import Column
from kit.experiment.updates import FULL
from kit.methods.passes import count_passes
from kit.methods.update import MEASURED
from kit.plan.attacks import AttackJob, attack_jobs
from kit.plan.cards import Fit, kinds
from kit.plan.jobs import Job, Plan
from kit.plan.memory import RecordSize
from kit.plan.sizes import BaseSizes
from kit.plan.systems import System

# Dense operations a second in bfloat16, as their maker's data sheets state them; memory in bytes.
PEAKS = {"A100 80 GB": (312e12, 80 * 10**9), "H100 80 GB": (989e12, 80 * 10**9)}
# Of the peak, assumed: training a 7B model in 4 bits with LoRA at a handful of records at a time.
SHARES = (0.2, 0.4)


def hours(plan: Plan, sizes: BaseSizes, record: RecordSize) -> Iterator[tuple[str, float, float]]:
    """Yield (GPU, least and most hours) of the remaining work on one GPU."""
    for name, (_, memory) in PEAKS.items():
        wanted = operations(plan, sizes, record, memory)
        yield name, *hours_of(wanted, name)


def hours_of(wanted: float, card: str) -> tuple[float, float]:
    """Return least and most hours of so many operations on a card of `PEAKS`."""
    least, most = sorted(wanted / PEAKS[card][0] / share / 3600 for share in SHARES)
    return least, most


def forward_operations(sizes: BaseSizes, record: RecordSize) -> float:
    """Return the operations of one pass of a record forwards."""
    return 2.0 * sizes.quantized * record.tokens


def operations(plan: Plan, sizes: BaseSizes, record: RecordSize, card: int) -> float:
    """Return the floating-point operations of the remaining work on a GPU of so many bytes."""
    forward = forward_operations(sizes, record)
    fits = {kind.name: kind.fit(card) for kind in kinds(plan.manifest, sizes, record)}
    plain = next(iter(fits.values()))
    passes = sum(
        passes_of(job, fits[job.entry.name] if job.entry else plain)
        for job in plan.jobs()
        if not job.artifact.done
    )
    passes += sum(asked_at_most(plan, system) for system in plan.systems if not system.answers.done)
    return (passes + _attacked(plan, plain)) * forward


def attack_share(plan: Plan, sizes: BaseSizes, record: RecordSize) -> float:
    """Return the share of attacks in the operations of the remaining work, on the last card."""
    _, card = list(PEAKS.values())[-1]
    plain = next(kinds(plan.manifest, sizes, record)).fit(card)
    forward = forward_operations(sizes, record)
    return _attacked(plan, plain) * forward / operations(plan, sizes, record, card)


def passes_of(job: Job, fit: Fit) -> float:
    """Return the passes of a training job, in passes forwards."""
    passes = count_passes(job.method)
    both = directions(fit)
    if job.settings.update == FULL:
        # Each time, the change D is multiplied with as the base's weight is. D has a gradient.
        both = 2 * both + 1
    each = passes.all_with_gradient * both + passes.other
    return job.steps * job.settings.batch_size * each + MEASURED * passes.measured * both


def directions(fit: Fit) -> int:
    """Return what a pass with gradient takes: forwards, and as many backwards."""
    return 3 if fit.recomputed else 2


def _attacked(plan: Plan, fit: Fit) -> float:
    """Return the passes of all attacks that are left, in passes forwards."""
    left = [job for job in attack_jobs(plan) if not job.answers.done]
    found = 0.0
    for job in left:
        asked = asked_under_attack(plan, job)
        relearn = (each for each in job.relearned.values() if not each.artifact.done)
        steps = job.attack.steps if isinstance(job.attack, PixelAttack) else 0
        found += asked * (1 + steps * directions(fit)) + sum(
            passes_of(each, fit) for each in relearn
        )
    return found


def asked_under_attack(plan: Plan, job: AttackJob) -> int:
    """Return how many questions an attack asks at all levels at most."""
    section = plan.manifest.attack
    assert section is not None, "there is an attack"
    columns = _protocol_of(plan.manifest.benchmark.loader).targets[job.target].columns
    each = min(section.max_records, plan.manifest.split.max_per_column)
    return len(job.entry.levels) * each * sum(column is Column.EFFICACY for _, column in columns)


def asked_at_most(plan: Plan, system: System) -> int:
    """Return how many questions a system is asked at most: before data is read, it is not known."""
    protocol = with_columns(_protocol_of(plan.manifest.benchmark.loader), plan.manifest.probes)
    targets = [system.target] if system.target else plan.manifest.targets
    columns = {column for target in targets for column in protocol.targets[target].columns}
    return len(columns) * plan.manifest.split.max_per_column


@lru_cache(maxsize=16)
def _protocol_of(loader: str) -> Protocol:
    """Look for the benchmark's file once, and not for each of thousands of jobs."""
    return benchmarks.protocol(loader)
