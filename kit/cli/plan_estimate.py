"""Time and money of the remaining work, and the memory that it takes, as text."""

from collections.abc import Iterator, Mapping

from kit.console import duration
from kit.experiment.grid import is_tuning
from kit.plan.arithmetic import SHARES, attack_share, hours
from kit.plan.attacks import attack_jobs
from kit.plan.cards import describe
from kit.plan.estimate import estimate
from kit.plan.full_updates import CHECKPOINT_BYTES, full_updates, update_bytes
from kit.plan.jobs import Plan
from kit.plan.memory import ADAPTER_BYTES
from kit.plan.rates import Rates, read_rates
from kit.plan.several_cards import fitting
from kit.plan.without_packages import is_standing_in
from kit.preflight.known import Known, known_base, known_sizes
from kit.result.tree import MAX_TREE_BYTES
from kit.stages.expected import Forecast, forecast

KINDS = {  # of work, as sentences name them
    "train": "training", "read": "reading of answers", "judged": "reading by the judge",
    "heads": "heads on hidden states",
}  # fmt: skip


def render_estimates(plan: Plan, price: float | None = None) -> list[str]:
    """Return memory and time of the work that is left.

    Args:
        price: of one GPU, or of the machine without one, for an hour, in any currency.
    """
    if is_standing_in():  # passes of methods are counted with torch
        return [
            "",
            "memory and time: not estimated before `./run.sh doctor` has built the environment",
        ]
    needs_gpu = plan.manifest.model.compute_dtype == "bfloat16"
    known = known_sizes(plan.manifest) if needs_gpu else None
    lines = list(_full_updates(plan))
    # The attempts of tuning need what the methods need that they are attempts of.
    lines += list(_memory(plan, known)) if needs_gpu and not is_tuning(plan.manifest) else []
    if _is_done(plan):
        return lines
    rates = read_rates(plan.manifest)
    if rates is not None:
        return [*lines, *_measured(plan, rates, price)]
    earlier = forecast(plan)
    if earlier.seconds:
        return [*lines, *_as_before(plan, earlier, price)]
    fault = [f"  {earlier.fault}."] if earlier.fault else []
    return [*lines, *_unmeasured(plan, known, price), *fault]


def _is_done(plan: Plan) -> bool:
    trained = all(job.artifact.done for job in plan.jobs())
    return trained and all(system.evaluated for system in plan.systems) and not _attacked(plan)


def _attacked(plan: Plan) -> bool:
    """Return whether attacks are to be run."""
    return any(not job.answers.done for job in attack_jobs(plan))


def _memory(plan: Plan, known: Known | None) -> Iterator[str]:
    yield ""
    if known is None:
        yield "memory: no estimate before the base is fetched and passes `./run.sh doctor`"
        return
    shards, cards = plan.manifest.compute.shards, plan.manifest.evaluation.tensor_parallel_size
    each = f"each of {shards} GPUs that share the base" if shards > 1 else "one GPU"
    each += f", and of {cards} that share the engine" if cards > 1 else ""
    yield f"memory on {each}, an estimate ({known.source}):"
    about = plan.manifest, known.sizes, known.record
    for line in (*describe(*about), *fitting(*about)):
        yield f"  {line}"


def _full_updates(plan: Plan) -> Iterator[str]:
    """Yield what full updates take on disk and in memory; nothing where there are none."""
    found = full_updates(plan)
    if not found.trained:
        return
    yield ""
    sizes = known_base(plan.manifest)
    if sizes is None:
        yield f"full updates: {found.trained}; their size is unknown until the base is fetched"
        return
    each, weights = update_bytes(sizes), sizes.lora_weights
    yield (
        f"full updates: {found.trained} of {_size(each)} each in the cache; the result keeps "
        f'copies of {found.kept} (report.adapters = "{plan.manifest.report.adapters}")'
    )
    yield (
        f"  training one takes {_size(ADAPTER_BYTES * weights)} of memory for change, gradient and "
        f"AdamW's two moments, and {_size(CHECKPOINT_BYTES * weights)} on disk for a checkpoint"
    )
    if found.kept * each > MAX_TREE_BYTES:
        yield (
            f"  a result of more than {_size(MAX_TREE_BYTES)} is neither signed nor verified: set "
            'report.adapters = "claimed" or "none"'
        )


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _measured(plan: Plan, rates: Rates, price: float | None) -> Iterator[str]:
    seconds = estimate(plan, rates)
    yield ""
    yield f"time of the remaining work, estimated from a probe on {rates.device}:"
    yield from _stages(plan, seconds, price)
    if rates.attack is None and _attacked(plan):
        yield "  (without attacks, which the probe did not measure: run plan --probe again)"


def _as_before(plan: Plan, earlier: Forecast, price: float | None) -> Iterator[str]:
    yield ""
    jobs = "1 earlier job" if earlier.jobs == 1 else f"{earlier.jobs} earlier jobs"
    yield f"time of the remaining work, estimated from {jobs} on {earlier.device}:"
    yield from _stages(plan, earlier.seconds, price)
    yield "  (without fetching and the report)"
    if earlier.unknown:
        what = dict.fromkeys(
            f"{KINDS.get(kind, kind)} ({stage})" for stage, kind in earlier.unknown
        )
        yield f"  not counted, because no earlier job did this: {', '.join(what)}."
        yield "  `./run.sh plan MANIFEST --probe` measures it."
    if earlier.fault:
        yield f"  {earlier.fault}."


def _stages(plan: Plan, seconds: Mapping[str, float], price: float | None) -> Iterator[str]:
    for stage, each in {**seconds, "total": sum(seconds.values())}.items():
        yield f"  {stage:<9} {duration(each)}{_money(each / 3600, price, stage)}"
    if any(job.governed and not job.artifact.done for job in plan.jobs()):
        yield "  (methods with a stop rule may end earlier)"


def _unmeasured(plan: Plan, known: Known | None, price: float | None) -> Iterator[str]:
    yield ""
    yield (
        "time: not measured on this machine yet, and there is no earlier job to estimate it from. "
        "`./run.sh plan MANIFEST --probe` measures it."
    )
    if known is None:
        return
    shares = " to ".join(f"{share:.0%}" for share in SHARES)
    yield f"  estimated from the number of operations, at an assumed {shares} of a card's peak:"
    for name, least, most in hours(plan, known.sizes, known.record):
        cost = f", cost {price * least:.0f} to {price * most:.0f}" if price else ""
        yield f"  {name}: {least:.1f} to {most:.1f} hours{cost}"
    if _attacked(plan):
        yield f"  attacks are {attack_share(plan, known.sizes, known.record):.0%} of that"


def _money(wanted: float, price: float | None, stage: str) -> str:
    return f", cost {wanted * price:.2f}" if price and stage == "total" else ""
