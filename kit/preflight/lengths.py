"""How many tokens a question with its picture becomes, without encoding every picture.

The number of image tokens depends on the size of a picture alone, so one picture of each size is
encoded by the processor itself.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from kit.benchmarks.records import Record
from kit.errors import DataError
from kit.model.prompts import Encoded, PromptEncoder
from kit.preflight.pictures import Size


class TokenCounter:
    """Counts the tokens of prompts and answers as training and every engine see them.

    Args:
        sizes: width and height of every picture that will be asked about, in pixels.
        side: width and height in pixels that the vision tower accepts; None: any.
    """

    def __init__(self, processor: Any, sizes: Mapping[Path, Size], side: int | None = None) -> None:
        self._encoder, self._sizes, self._side = PromptEncoder(processor), sizes, side
        self._of_size: dict[Size, int] = {}
        self._compact = lru_cache(maxsize=None)(self._count_compact)
        self._answer = lru_cache(maxsize=None)(self._count_answer)

    def prompt(self, record: Record) -> int:
        """Return the tokens of a question with its picture.

        Raises:
            DataError: the processor cannot encode the picture, or gives it no token.
        """
        text = self._compact(record.question, record.image is not None)
        return text + (self.image_tokens(record.image) if record.image else 0)

    def answer(self, record: Record) -> int:
        """Return the tokens of the record's answer, end token included."""
        return self._answer(record.answer, record.image is not None)

    def image_tokens(self, image: Path) -> int:
        """Return how many tokens a picture adds to a prompt with one placeholder for it.

        Raises:
            DataError: as in `prompt`.
        """
        size = self._sizes[image]
        if size not in self._of_size:
            self._of_size[size] = self._encode(image, size)
        return self._of_size[size]

    def _encode(self, image: Path, size: Size) -> int:
        question = "?"
        encoded = self._encoder(image, question)
        self._require_side(image, encoded)
        added = len(encoded.ids) - self._compact(question, True)
        if added < 0:
            raise DataError(
                f"image {image} becomes no token",
                expected="a picture that the processor of the base expands to tokens",
                found=f"{size[0]} x {size[1]} pixels",
                remedy="replace the picture, or remove its row from the data",
            )
        return added

    def _require_side(self, image: Path, encoded: Encoded) -> None:
        """Refuse a picture that the processor leaves in a size which the vision tower refuses."""
        pixels = encoded.images.get("pixel_values")
        if self._side is None or pixels is None or set(pixels.shape[-2:]) == {self._side}:
            return
        height, width = pixels.shape[-2:]
        raise DataError(
            f"the vision tower cannot take the image {image}",
            expected=f"{self._side} x {self._side} pixels (vision_config.image_size)",
            found=f"{width} x {height} pixels, as the processor of the base leaves it",
            remedy=f"scale all pictures to {self._side} x {self._side} pixels, or choose a base "
            "whose processor scales them (do_resize)",
        )

    def _count_compact(self, question: str, with_image: bool) -> int:
        return len(self._encoder.compact(question, with_image=with_image))

    def _count_answer(self, answer: str, with_image: bool) -> int:
        # The question before an answer changes none of its tokens.
        return len(self._encoder.answer("?", answer, with_image=with_image))
