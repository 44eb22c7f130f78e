"""Sizes of the published bases that the manifests name, for plans made before they are fetched.

They follow from the published configurations, as tests/bench/random_models.py states them; a test
counts them again.
"""

from dataclasses import dataclass

from kit.plan.memory import RecordSize
from kit.plan.sizes import BaseSizes

TEXT_TOKENS, ANSWER_TOKENS = 80, 50  # assumed: of question and answer together, and of the answer


@dataclass(frozen=True)
class PublishedBase:
    """A base on the hub that may not be on this disk yet."""

    sizes: BaseSizes
    image_tokens: int
    """Of one picture; assumed to have 1,024 x 1,024 pixels where that decides it."""

    @property
    def record(self) -> RecordSize:
        """Return an assumed record: a picture, a question and a sentence."""
        return RecordSize(self.image_tokens + TEXT_TOKENS, ANSWER_TOKENS)


PUBLISHED = {
    "llava-hf/llava-1.5-7b-hf": PublishedBase(
        BaseSizes(
            family="llava", hidden=4096, intermediate=11008, layers=32, vocabulary=32064,
            cache_values=8192, quantized=6_476_005_376, other=587_421_696, lora_sides=2_498_560,
            lora_weights=6_476_005_376,
        ),
        image_tokens=576,
    ),
    "Qwen/Qwen2.5-VL-7B-Instruct": PublishedBase(
        BaseSizes(
            family="qwen2_5_vl", hidden=3584, intermediate=18944, layers=28, vocabulary=152064,
            cache_values=1024, quantized=6_525_288_448, other=1_766_878_208, lora_sides=2_523_136,
            lora_weights=6_525_288_448,
        ),
        image_tokens=1369,
    ),
    "llava-hf/llava-1.5-13b-hf": PublishedBase(
        BaseSizes(
            family="llava", hidden=5120, intermediate=13824, layers=40, vocabulary=32064,
            cache_values=10240, quantized=12_687_769_600, other=663_725_056, lora_sides=3_911_680,
            lora_weights=12_687_769_600,
        ),
        image_tokens=576,
    ),
    "Qwen/Qwen2.5-VL-3B-Instruct": PublishedBase(
        BaseSizes(
            family="qwen2_5_vl", hidden=2048, intermediate=11008, layers=36, vocabulary=151936,
            cache_values=512, quantized=2_774_532_096, other=980_090_880, lora_sides=1_870_848,
            lora_weights=2_774_532_096,
        ),
        image_tokens=1369,
    ),
}  # fmt: skip
