"""A processor whose images keep their own size, between two numbers of pixels."""

from typing import Any

from tests.toys.families import make_family

PIXELS = 56 * 56  # two by two image tokens of 28 pixels


def qwen_processor(least: int = PIXELS, most: int = 4 * PIXELS) -> Any:
    """Return Qwen2.5-VL's, which brings images between `least` and `most` pixels."""
    processor, _ = make_family("qwen2_5_vl")
    images = processor.image_processor
    images.size = type(images.size)(shortest_edge=least, longest_edge=most)
    return processor
