"""The largest number of pixels of an image, for processors that keep an image's own size.

The processor of training, of scoring and of both engines gets the same limit, so that an image
becomes the same tokens everywhere: vLLM reads it from the processor beside the served base.
"""

from typing import Any

from kit.errors import ModelError

# Their `size` is a number of pixels in all; that of other processors is the length of a side.
BY_PIXELS = ("Qwen2VLImageProcessor", "Qwen2VLImageProcessorPil")


def limits_pixels(processor: Any) -> bool:
    """Return whether the number of tokens of an image grows with its pixels up to a limit."""
    return type(processor.image_processor).__name__ in BY_PIXELS


def limit_pixels(processor: Any, most: int) -> None:
    """Let the processor scale down images of more than `most` pixels.

    Raises:
        ModelError: this processor brings every image to a size of its own.
    """
    if not limits_pixels(processor):
        raise ModelError(
            "model.max_pixels has no meaning for this base",
            expected=f"one of {', '.join(BY_PIXELS)}",
            found=type(processor.image_processor).__name__,
            remedy="leave model.max_pixels out: this processor decides the size of images itself",
        )
    images = processor.image_processor
    # Some published files name the limits min_pixels and max_pixels within `size`.
    least = min(images.size.shortest_edge or images.size.min_pixels or most, most)
    images.size = type(images.size)(shortest_edge=least, longest_edge=most)
