"""What a plan takes on more cards, as text: time, where it stops scaling, and what would be next.

Finished work is counted as if it were to do: the cost is that of the whole experiment.
"""

from collections.abc import Iterator

from kit.console import duration
from kit.errors import EnvironmentFault
from kit.experiment.own_settings import largest_rank, trains_full
from kit.names import show
from kit.plan.arithmetic import SHARES
from kit.plan.jobs import Plan
from kit.plan.memory import RecordSize
from kit.plan.rates import Rates
from kit.plan.scale import CARD, Scale, counted, longest, longest_adapter, measured, span
from kit.plan.simulation import longest_way, phases, staged, unstaged, work
from kit.plan.sizes import BaseSizes
from kit.plan.without_packages import is_standing_in
from kit.preflight.known import known_sizes

CARDS = (1, 8, 64, 512)
MEASURED = 1 / 3600, 1 / 3600  # hours of a second
BYTES = 2, 4  # of a weight: of the served base in bfloat16, of a stored adapter in float32


def require_environment() -> None:
    """Check that methods can be asked for their passes.

    Raises:
        EnvironmentFault: the large packages are not installed.
    """
    if is_standing_in():
        raise EnvironmentFault(
            "--scale counts the passes of methods, which needs the whole environment",
            expected="the packages of docker/requirements.cpu.lock",
            found="an environment without them",
            remedy="run `./run.sh doctor`, which builds it",
        )


def render_scale(plan: Plan, rates: Rates | None, price: float | None = None) -> list[str]:
    """Return the text.

    Args:
        rates: what a probe of this manifest measured on one card. Without it, times are in units of
            the longest adapter's training, by counted passes; hours are an estimate, and are given
            for a base whose sizes are known.
        price: of one card for an hour, in any currency.

    Raises:
        ManifestError: the rates are of another manifest.
    """
    scale = measured(plan, rates) if rates else counted(plan, _sizes(plan))
    lines = [show(plan.manifest.title), *(_by_rates(rates) if rates else _by_units(scale)), ""]
    lines += _table(scale, price if rates or scale.hours else None)
    lines += ["", *_phases(scale), "", "where it stops scaling:"]
    lines += [f"  {line}" for line in _limits(plan, scale)]
    lines += ["", "what would be next:"]
    return lines + [f"  {line}" for line in _next(scale)]


def _sizes(plan: Plan) -> tuple[BaseSizes, RecordSize] | None:
    """Return what estimates of a GPU's time need; None where none is used, or nothing is known."""
    on_gpu = plan.manifest.model.compute_dtype == "bfloat16"
    known = known_sizes(plan.manifest) if on_gpu else None
    return (known.sizes, known.record) if known else None


def _by_rates(rates: Rates) -> Iterator[str]:
    yield f"times simulated from the plan and from what a probe measured on {rates.device}"


def _by_units(scale: Scale) -> Iterator[str]:
    name = longest_adapter(scale.tasks).name
    yield f"No time of a card is known: 1.00 is the training of the longest adapter, {name}."
    yield (
        "Lengths are counted passes of records through the model; a question is one pass, without "
        "its answer's tokens."
    )
    if scale.hours:
        shares = " to ".join(f"{share:.0%}" for share in SHARES)
        yield (
            f"Hours are an estimate and were not measured: 1.00 takes {span(1.0, scale.hours)} "
            f"hours on one {CARD}, by its operations at an assumed {shares} of the card's peak."
        )
    yield (
        "For hours of your card, measure on one (`./run.sh plan MANIFEST --probe`), and give its "
        "file with --rates: .cache/artifacts/probe-*.json."
    )


def _table(scale: Scale, price: float | None) -> Iterator[str]:
    whole, one = work(scale.tasks), scale.time(1)
    head = "cards  time        times as fast  busy   card time "
    head += "  hours             card hours        " if scale.hours else ""
    yield (head + ("  money" if price else "")).rstrip()
    for cards in CARDS:
        time = scale.time(cards)
        line = (
            f"{cards:<5}  {scale.write(time):<10}  {one / time:<13.1f}  "
            f"{whole / (cards * time):<5.0%}  {scale.write(cards * time):<10}"
        )
        if scale.hours:
            line += f"  {span(time, scale.hours):<16}  {span(cards * time, scale.hours):<16}"
        money = f"  {span(price * cards * time, scale.hours or MEASURED)}" if price else ""
        yield f"{line}{money}".rstrip()
    yield (
        "busy: share of the cards' time in which they work, if all are held from the first to the "
        "last task."
    )


def _phases(scale: Scale) -> Iterator[str]:
    times = {cards: staged(scale.tasks, cards, scale.starts) for cards in CARDS}
    columns = "".join(f"  {f'{cards} cards':<10}" for cards in CARDS).replace("1 cards", "1 card ")
    yield f"{'phase':<10}  tasks  work        longest     {columns.strip()}"
    for phase, own in phases(scale.tasks).items():
        most = longest(own).length
        floor = most + scale.starts.get(phase, 0.0)
        cells = []
        for cards in CARDS:
            time = times[cards][phase]
            mark = "*" if cards > 1 and time <= floor * (1 + 1e-9) else ""
            cells.append(f"{scale.write(time) + mark:<10}")
        yield (
            f"{phase:<10}  {len(own):<5}  {scale.write(work(own)):<10}  "
            f"{scale.write(most):<10}  {'  '.join(cells)}"
        ).rstrip()
    yield "* as long as its longest task: more cards do not shorten it."


def _limits(plan: Plan, scale: Scale) -> Iterator[str]:
    enough, most = scale.enough, CARDS[-1]
    yield (
        f"{_cards(enough)} come within 5 % of the shortest time that any number of cards gives, "
        f"{scale.tell(scale.time(len(scale.tasks)))}."
    )
    task = longest(scale.tasks)
    yield (
        f"longest task: {task.name} ({task.phase}), {scale.tell(task.length)}; "
        f"{task.length / work(scale.tasks):.0%} of all work."
    )
    yield _starts(scale, most)
    yield _store(plan, min(most, max(len(own) for own in phases(scale.tasks).values())))
    each = scale.time(most) / len(scale.tasks)
    if scale.hours:
        rate = f"one in {span(each * 3600, scale.hours)} seconds"
    else:
        rate = f"one in {each:.2f} seconds" if scale.starts else f"{1 / each:.0f} in 1.00"
    yield (
        f"driver: one process hands out all {len(scale.tasks)} tasks, on {most} cards {rate} on "
        "average. Fetching, the report and the signature are its own work, and not counted."
    )


def _starts(scale: Scale, cards: int) -> str:
    own = phases(scale.tasks)
    time = scale.time(cards)
    if scale.starts:
        begun = sum(scale.starts.get(phase, 0.0) for phase in own)
        return (
            f"starts of workers and engines: {scale.write(begun)} on each card, "
            f"{begun / time:.0%} of the time on {cards} cards."
        )
    said = "starts of workers and engines: not known without a probe, and not counted."
    if scale.hours is None:
        return said
    added = len(own) / 60  # hours
    least, most = sorted(added / (added + time * each) for each in scale.hours)
    return (
        f"{said} For example, a minute for each phase would be {least:.0%} to {most:.0%} of the "
        f"time on {cards} cards."
    )


def _store(plan: Plan, cards: int) -> str:
    known = known_sizes(plan.manifest)
    if known is None:
        return "shared store: the size of the base is not known before it is fetched."
    base = BYTES[0] * (known.sizes.quantized + known.sizes.other)
    rank = max(plan.manifest.finetune.rank, largest_rank(plan.manifest))
    full = trains_full(plan.manifest)
    adapter = BYTES[1] * (known.sizes.lora_weights if full else rank * known.sizes.lora_sides)
    together = cards * base
    return (
        f"shared store: the base is {base / 1e9:.1f} GB, an adapter {adapter / 1e9:.2f} GB. "
        f"{cards} cards that begin together read {together / 1e12:.2f} TB; for example, a store of "
        f"10 GB/s gives it in {duration(together / 1e10)}."
    )


def _next(scale: Scale) -> Iterator[str]:
    times = ", ".join(
        f"{scale.tell(unstaged(scale.tasks, cards, scale.starts))} on {_cards(cards)}"
        for cards in CARDS[1:]
    )
    yield f"begin a task when what it needs exists, without waiting for whole stages: {times}."
    if len(scale.apart) > len(scale.tasks):
        alone = ", ".join(
            f"{scale.tell(sum(staged(scale.apart, cards, scale.starts).values()))} on "
            f"{_cards(cards)}"
            for cards in CARDS[1:]
        )
        yield f"answer each system on its own, which needs evaluation.batch_invariant: {alone}."
    chain = scale.tell(longest_way(scale.tasks))
    yield (
        f"the longest chain of tasks that need each other takes {chain}. Only shorter tasks go "
        "below it: an adapter trained on several cards, or fewer questions in one engine."
    )


def _cards(count: int) -> str:
    return "1 card" if count == 1 else f"{count} cards"
