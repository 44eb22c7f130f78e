"""Which kinds of jobs of a manifest fit which GPU: micro-batch and recomputation of each."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kit.experiment.manifest import Manifest, TrainingSection
from kit.experiment.own_settings import largest_rank, served_with, settings_of
from kit.experiment.systems import UNTRAINED
from kit.experiment.updates import FULL, LORA
from kit.methods import registry
from kit.methods.passes import Passes, count_passes
from kit.plan.memory import RecordSize, TrainingMemory, serving_bytes, weight_bytes
from kit.plan.sizes import BaseSizes

GIGABYTES = (24, 40, 80)  # the sizes of GPUs that are compared, of 10^9 bytes
FINETUNING = "fine-tuning"
STARRED = "* not recomputed with lora_dtype = 'bfloat16'"


@dataclass(frozen=True)
class Kind:
    """Jobs that differ in target and seed alone."""

    name: str
    """Name of the method's entry, or `fine-tuning`."""
    settings: TrainingSection
    memory: TrainingMemory
    whole: bool = False
    """Whether the micro-batch is the whole batch, because the loss compares its records."""

    @property
    def least(self) -> int:
        """Return the bytes of the smallest card for this kind."""
        recomputed = self.settings.gradient_checkpointing != "never"
        records = self.settings.batch_size if self.whole else 1
        return self.memory.held + records * self.memory.drawn(recomputed=recomputed)

    def fit(self, card: int) -> "Fit":
        """Return how these jobs are trained on a card of so many bytes."""
        mode, batch = self.settings.gradient_checkpointing, self.settings.batch_size
        fits = self.least <= card
        if self.whole:
            needed = self.memory.held + batch * self.memory.drawn()
            return Fit(self.name, batch, recomputed=mode == "always" or needed > card, fits=fits)
        most = self.settings.micro_batch_size or batch
        size = 0 if mode == "always" else self.memory.micro_batch(card, most)
        return Fit(self.name, size or 1, recomputed=not size, fits=fits)


@dataclass(frozen=True)
class Fit:
    """How one kind of job is trained on one card."""

    name: str
    micro_batch: int
    recomputed: bool
    """Whether activations are computed twice to save memory."""
    fits: bool

    @property
    def how(self) -> str:
        """Return the micro-batch, in words."""
        if not self.fits:
            return "does not fit"
        return f"{self.micro_batch}, recomputed" if self.recomputed else str(self.micro_batch)


def kinds(manifest: Manifest, sizes: BaseSizes, record: RecordSize) -> Iterator[Kind]:
    """Yield fine-tuning and every trained method of a manifest."""
    finetune = manifest.finetune

    def memory(
        passes: Passes, settings: TrainingSection, below: TrainingSection | None
    ) -> TrainingMemory:
        held, dtype = max(passes.gradient, passes.again), settings.lora_dtype
        rank = passes.turns * settings.rank
        frozen = 0 if below is None else below.rank
        return TrainingMemory(
            sizes, record, held, rank, frozen, dtype, passes.bytes, *weight_bytes(manifest.model),
            shards=manifest.compute.shards, full=settings.update == FULL,
            frozen_full=below is not None and below.update == FULL,
        )  # fmt: skip

    yield Kind(FINETUNING, finetune, memory(Passes(1, 0), finetune, None))
    for entry in manifest.methods:
        if entry.method not in UNTRAINED:
            method = registry.build(entry.method, dict(entry.options))
            own = settings_of(manifest.unlearn, entry)
            if method.needs.training_free:  # its adapter is a switch alone
                own = own.model_copy(update={"update": LORA})
            needed = memory(count_passes(method), own, finetune)
            yield Kind(entry.name, own, needed, method.needs.whole_batch)


def answering(manifest: Manifest, sizes: BaseSizes) -> int:
    """Return the bytes of the smallest card on which an engine serves a manifest's systems."""
    evaluation = manifest.evaluation
    merged = evaluation.serving == "merged"
    stacked = served_with(manifest)
    return serving_bytes(
        sizes,
        adapters=0 if merged or stacked else evaluation.max_adapters,
        stacked=0 if merged else stacked,
        rank=manifest.finetune.rank + largest_rank(manifest),
        context=evaluation.max_model_len,
        cards=evaluation.tensor_parallel_size,
    )


def least_bytes(manifest: Manifest, sizes: BaseSizes, record: RecordSize) -> dict[str, int]:
    """Return the smallest card, in bytes, for answering and for the largest training job."""
    largest = max(kinds(manifest, sizes, record), key=lambda kind: kind.least)
    return {"answering": answering(manifest, sizes), f"training {largest.name}": largest.least}


def card_rows(
    manifest: Manifest, sizes: BaseSizes, record: RecordSize
) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield (what holds on each size of GPU, names of the kinds it holds for); answers come last.

    A star marks what would not be recomputed with `lora_dtype = "bfloat16"`.
    """
    found: dict[tuple[str, ...], list[str]] = {}
    smaller = {kind.name: kind for kind in kinds(_halved(manifest), sizes, record)}
    for kind in kinds(manifest, sizes, record):
        cells = []
        for gigabytes in GIGABYTES:
            fit = kind.fit(gigabytes * 10**9)
            spared = fit.recomputed and not smaller[kind.name].fit(gigabytes * 10**9).recomputed
            cells.append(f"{fit.how}*" if spared else fit.how)
        found.setdefault(tuple(cells), []).append(kind.name)
    yield from found.items()
    served = answering(manifest, sizes)
    fit_in = (served <= gigabytes * 10**9 for gigabytes in GIGABYTES)
    yield tuple("fit" if fits else f"need {served / 1e9:.0f} GB" for fits in fit_in), ["answers"]


def describe(manifest: Manifest, sizes: BaseSizes, record: RecordSize) -> Iterator[str]:
    """Yield a table of three sizes of GPU, the names at the end of each line."""
    rows = list(card_rows(manifest, sizes, record))
    lines = [(tuple(f"{size} GB" for size in GIGABYTES), ["records at the same time"]), *rows]
    widths = [max(len(cells[place]) for cells, _ in lines) for place in range(len(GIGABYTES))]
    for cells, names in lines:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield f"{'  '.join(padded)}  {', '.join(names)}"
    if any(cell.endswith("*") for cells, _ in rows for cell in cells):
        yield STARRED


def on_card(manifest: Manifest, sizes: BaseSizes, record: RecordSize, card: int) -> str:
    """Return how a manifest is trained and answered on a GPU of so many bytes."""
    fits = [kind.fit(card) for kind in kinds(manifest, sizes, record)]
    trained = "; ".join(f"{how}: {', '.join(names)}" for how, names in grouped(fits))
    served = answering(manifest, sizes)
    answers = "answers fit" if served <= card else f"answers need {served / 1e9:.0f} GB"
    spared = _spared(manifest, sizes, record, card, fits)
    return f"micro-batch {trained}{spared}; {answers}"


def grouped(fits: Iterable[Fit]) -> list[tuple[str, list[str]]]:
    """Return (how, names of the kinds that are trained so), the roomiest first."""
    found: dict[str, list[str]] = {}
    for fit in sorted(fits, key=lambda fit: (not fit.fits, fit.recomputed, -fit.micro_batch)):
        found.setdefault(fit.how, []).append(fit.name)
    return list(found.items())


def _spared(
    manifest: Manifest, sizes: BaseSizes, record: RecordSize, card: int, fits: Sequence[Fit]
) -> str:
    """Say which kinds need no recomputation if LoRA computes in bfloat16."""
    other = {kind.name: kind.fit(card) for kind in kinds(_halved(manifest), sizes, record)}
    names = [fit.name for fit in fits if fit.recomputed and not other[fit.name].recomputed]
    return f" (not with lora_dtype = 'bfloat16': {', '.join(names)})" if names else ""


def _halved(manifest: Manifest) -> Manifest:
    """Return a manifest whose LoRA computes in bfloat16."""
    halved: dict[str, object] = {"lora_dtype": "bfloat16"}
    return manifest.model_copy(
        update={
            "finetune": manifest.finetune.model_copy(update=halved),
            "unlearn": manifest.unlearn.model_copy(update=halved),
        }
    )
