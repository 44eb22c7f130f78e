"""Every picture is decoded once before training: a broken one must not end a run after hours."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kit.errors import DataError
from kit.pictures.decoding import open_image

# Image processors take a side of one or three pixels for the colour channels.
MIN_SIDE_PIXELS = 4
Size = tuple[int, int]


def picture_sizes(paths: Iterable[Path]) -> dict[Path, Size]:
    """Decode pictures and return {path: (width, height)} in pixels.

    Raises:
        DataError: one cannot be decoded, is larger than Pillow's limit, or has a side of fewer than
            `MIN_SIDE_PIXELS`.
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
    return width, height
