"""Every picture is decoded once before training: a broken one must not end a run after hours."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kit.errors import DataError
from kit.pictures.decoding import open_image

# Image processors take a side of one or three pixels for the colour channels.
MIN_SIDE_PIXELS = 4
# Processors scale the shorter side to some hundred pixels: of 65,500 x 4 pixels they would make
# gigabytes. Those of Qwen-VL refuse what is longer than this many times its width.
MAX_RATIO = 200
Size = tuple[int, int]


def picture_sizes(paths: Iterable[Path]) -> dict[Path, Size]:
    """Decode pictures and return {path: (width, height)} in pixels.

    Raises:
        DataError: one cannot be decoded, is larger than Pillow's limit, has a side of fewer than
            `MIN_SIDE_PIXELS`, or one side more than `MAX_RATIO` times as long as the other.
    """
    wanted = sorted(set(paths))
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:  # decoding releases the lock
        return dict(zip(wanted, pool.map(_size, wanted), strict=True))


def _size(path: Path) -> Size:
    width, height = open_image(path).size
    if min(width, height) < MIN_SIDE_PIXELS:
        raise DataError(
            f"image {path} is too small to show anything",
            expected=f"sides of at least {MIN_SIDE_PIXELS} pixels",
            found=f"{width} x {height} pixels",
            remedy="replace the picture, or remove its row from the data",
        )
    if max(width, height) > MAX_RATIO * min(width, height):
        raise DataError(
            f"image {path} is a strip, which processors of models cannot scale",
            expected=f"one side at most {MAX_RATIO} times as long as the other",
            found=f"{width} x {height} pixels, an aspect ratio of more than {MAX_RATIO}",
            remedy="replace the picture, or remove its row from the data",
        )
    return width, height
