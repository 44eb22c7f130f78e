"""GPU memory of training and serving: an estimate by arithmetic, all sizes in bytes.

No model library is needed. What a backward pass needs was counted (`./run.sh bench activations`);
everything else follows from the number of weights, or is assumed and says so. No estimate has been
compared with a GPU yet.
"""

from dataclasses import dataclass
from typing import Literal

from kit.experiment.manifest import ModelSection
from kit.plan.sizes import BaseSizes

Dtype = Literal["float32", "bfloat16"]
# Bytes for each token and layer, as factors of hidden and intermediate size, by the type of LoRA.
SAVED: dict[Dtype, tuple[float, float]] = {"float32": (40.0, 10.0), "bfloat16": (20.0, 8.0)}
# NF4 with double quantisation: 4 bits, 8 bits for each 64 weights, 32 bits for each 16,384.
SCALE_BYTES = 1 / 64 + 4 / (64 * 256)
NF4_BYTES = 0.5 + SCALE_BYTES
GATHERED = 2  # layers of a shared base that are whole at the same time: one computes, one comes
HALF = 2  # bytes of a value in bfloat16
VALUE_BYTES = 4  # of a weight of an adapter or a full update, in memory and on disk
ADAPTER_BYTES = VALUE_BYTES + 4 + 8  # of each trained weight: with gradient and AdamW's two means
# While AdamW makes its step, torch keeps one more value of each weight: `foreach` in its manual.
# Of LoRA it is small, and the activations of the pass before take more.
STEP_BYTES = 4
ANSWER_BYTES = 14  # of a logit at an answer position: bfloat16, float32, log-softmax, its gradient
# Assumed, not measured: CUDA's context, libraries, one dequantised layer, the vision tower's pass.
CONTEXT_BYTES = 1_500_000_000
USABLE_SHARE = 0.85  # as in kit.training.fitting, which needs torch
SERVABLE_SHARE = 0.9  # of a GPU's memory, as in kit.evaluation.engines.vllm_settings
ENGINE_WORK_BYTES = 2_500_000_000  # assumed: an engine's activations and graphs


@dataclass(frozen=True)
class RecordSize:
    """The longest record in training, in tokens."""

    tokens: int
    """Prompt with picture, and answer."""
    answer: int
    """The answer alone, with its end token."""


@dataclass(frozen=True)
class TrainingMemory:
    """The memory of one kind of job on one base."""

    sizes: BaseSizes
    record: RecordSize
    passes: int
    """Passes with gradient for each drawn record: a pair of records takes two."""
    rank: int
    frozen_rank: int
    """Rank of the vanilla adapter below, 0 while it is itself trained."""
    dtype: Dtype
    rule: int = 0
    """Bytes that a method's gradient rule keeps for each trained weight."""
    layer_bytes: float = NF4_BYTES
    """Bytes of each weight of the language model's linear layers."""
    other_bytes: int = HALF
    """Bytes of each other weight: in the type of the computation."""
    shards: int = 1
    """Cards that share the weights of the language model's layers, as `kit.model.sharding` does."""
    full: bool = False
    """Whether a full update is trained, so that `rank` counts for nothing."""
    frozen_full: bool = False
    """Whether the vanilla model below is a full update."""

    @property
    def trained(self) -> int:
        """Return how many weights are trained."""
        return self.sizes.lora_weights if self.full else self.rank * self.sizes.lora_sides

    @property
    def frozen(self) -> int:
        """Return how many weights the vanilla model below has."""
        if self.frozen_full:
            return self.sizes.lora_weights
        return self.frozen_rank * self.sizes.lora_sides

    @property
    def held(self) -> int:
        """Return what is on the card whatever the micro-batch: base, adapters and optimiser."""
        sizes = self.sizes
        base = sizes.quantized * self._layer_bytes_here + sizes.other * self.other_bytes
        copies = HALF if self.dtype == "bfloat16" else 0
        each = ADAPTER_BYTES + copies + self.rule + (STEP_BYTES if self.full else 0)
        adapters = self.trained * each + self.frozen * VALUE_BYTES
        return int(base + adapters) + CONTEXT_BYTES

    @property
    def _layer_bytes_here(self) -> float:
        """Return the bytes on one card for each weight of the language model's linear layers."""
        if self.shards == 1:
            return self.layer_bytes
        scales = SCALE_BYTES if self.layer_bytes == NF4_BYTES else 0.0
        gathered = min(1.0, 1 / self.shards + GATHERED / self.sizes.layers)
        return scales + (self.layer_bytes - scales) * gathered

    def drawn(self, *, recomputed: bool = False) -> int:
        """Return what one drawn record keeps until its backward pass.

        Args:
            recomputed: only the inputs of layers are kept, and one layer at a time in full.
        """
        hidden, intermediate = SAVED[self.dtype]
        layer = hidden * self.sizes.hidden + intermediate * self.sizes.intermediate
        answer = (self.record.answer + 1) * self.sizes.vocabulary * ANSWER_BYTES
        layers = self.sizes.layers * self.record.tokens
        kept = layers * self.sizes.hidden * HALF if recomputed else layers * layer
        once = self.record.tokens * layer if recomputed else 0.0
        return int(self.passes * (kept + answer) + once)

    def micro_batch(self, card: int, batch: int) -> int:
        """Return how many records are computed at once; 0 where one needs recomputation.

        Args:
            card: bytes of the GPU.
            batch: records of a step, which the micro-batch divides.
        """
        free, one = card - self.held, self.drawn()
        if one > free:
            return 0
        largest = max(1, min(batch, int(USABLE_SHARE * free / one)))
        return next(size for size in range(largest, 0, -1) if batch % size == 0)


def weight_bytes(section: ModelSection) -> tuple[float, int]:
    """Return the bytes of a weight of the language model's linear layers, and of another one."""
    whole = {"float32": 4, "bfloat16": HALF}[section.compute_dtype]
    return whole if section.quantization == "none" else NF4_BYTES, whole


def serving_bytes(
    sizes: BaseSizes,
    *,
    adapters: int,
    rank: int,
    context: int,
    cards: int = 1,
    stacked: int = 0,
) -> int:
    """Return the smallest card on which an engine answers one question at a time.

    Weights and cache are divided among several cards. Adapters are counted whole on each, which is
    too much.

    Args:
        adapters: that the engine holds at the same time.
        rank: of each of them.
        context: tokens of the longest question with its answer.
        cards: that share the engine (`evaluation.tensor_parallel_size`).
        stacked: full updates that are computed beside the base.
    """
    weights = (sizes.quantized + sizes.other) * HALF
    slots = adapters * rank * sizes.lora_sides * HALF
    slots += stacked * sizes.lora_weights * VALUE_BYTES
    return int(
        ((weights + context * cache_bytes(sizes)) / cards + slots + ENGINE_WORK_BYTES)
        / SERVABLE_SHARE
    )


def cache_bytes(sizes: BaseSizes) -> int:
    """Return the bytes of the key-value cache for each token."""
    return sizes.layers * sizes.cache_values * HALF
