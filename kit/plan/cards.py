"""Which kinds of jobs of a manifest fit which GPU: micro-batch and recomputation of each."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kit.experiment.manifest import Manifest, TrainingSection
from kit.experiment.systems import UNTRAINED
from kit.methods import registry
from kit.methods.passes import Passes, count_passes
from kit.plan.memory import RecordSize, TrainingMemory, serving_bytes
from kit.plan.sizes import BaseSizes

GIGABYTES = (24, 40, 80)  # the sizes of GPUs that are compared, of 10^9 bytes
FINETUNING = "fine-tuning"


@dataclass(frozen=True)
class Kind:
    """Jobs that differ in target and seed alone."""

    name: str
    """Name of the method's entry, or `fine-tuning`."""
    settings: TrainingSection
    memory: TrainingMemory

    @property
    def least(self) -> int:
        """Return the bytes of the smallest card for this kind."""
        if self.settings.gradient_checkpointing == "never":
            return self.memory.least(recomputed=False)
        return self.memory.least(recomputed=True)

    def fit(self, card: int) -> "Fit":
        """Return how these jobs are trained on a card of so many bytes."""
        mode = self.settings.gradient_checkpointing
        size = 0 if mode == "always" else self.memory.micro_batch(card, self._batch)
        return Fit(self.name, size or 1, recomputed=not size, fits=self.least <= card)

    @property
    def _batch(self) -> int:
        return self.settings.micro_batch_size or self.settings.batch_size


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
    finetune, unlearn = manifest.finetune, manifest.unlearn

    def memory(passes: Passes, settings: TrainingSection, below: int) -> TrainingMemory:
        held, dtype = max(passes.gradient, passes.again), settings.lora_dtype
        return TrainingMemory(sizes, record, held, settings.rank, below, dtype, passes.bytes)

    yield Kind(FINETUNING, finetune, memory(Passes(1, 0), finetune, 0))
    for entry in manifest.methods:
        if entry.method not in UNTRAINED:
            passes = count_passes(registry.build(entry.method, dict(entry.options)))
            yield Kind(entry.name, unlearn, memory(passes, unlearn, finetune.rank))


def answering(manifest: Manifest, sizes: BaseSizes) -> int:
    """Return the bytes of the smallest card on which an engine serves a manifest's systems."""
    evaluation = manifest.evaluation
    merged = evaluation.serving == "merged"
    return serving_bytes(
        sizes,
        adapters=0 if merged else evaluation.max_adapters,
        rank=manifest.finetune.rank + manifest.unlearn.rank,
        context=evaluation.max_model_len,
    )


def least_bytes(manifest: Manifest, sizes: BaseSizes, record: RecordSize) -> dict[str, int]:
    """Return the smallest card, in bytes, for answering and for the largest training job."""
    largest = max(kinds(manifest, sizes, record), key=lambda kind: kind.least)
    return {"answering": answering(manifest, sizes), f"training {largest.name}": largest.least}


def describe(manifest: Manifest, sizes: BaseSizes, record: RecordSize) -> Iterator[str]:
    """Yield one line for each size of GPU."""
    for gigabytes in GIGABYTES:
        yield f"{gigabytes} GB  {on_card(manifest, sizes, record, gigabytes * 10**9)}"


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
    halved: dict[str, object] = {"lora_dtype": "bfloat16"}
    changed = manifest.model_copy(
        update={
            "finetune": manifest.finetune.model_copy(update=halved),
            "unlearn": manifest.unlearn.model_copy(update=halved),
        }
    )
    other = {kind.name: kind.fit(card) for kind in kinds(changed, sizes, record)}
    names = [fit.name for fit in fits if fit.recomputed and not other[fit.name].recomputed]
    return f" (not with lora_dtype = 'bfloat16': {', '.join(names)})" if names else ""
