"""Small copies of pictures, as a result holds them for its page of answers: WebP, some 160 pixels.

The sizes and limits are the kit's own. One version of Pillow gives equal bytes for equal pictures.
"""

import io
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image

from kit.pictures.decoding import open_image
from kit.pictures.known import WORKERS

EDGES = (160, 112, 80, 56)  # pixels of the longer side; the largest that fits is used
QUALITIES = (75, 40, 10)  # of WebP; the first that fits is used
MAX_BYTES = 14_000  # of one
MAX_TOTAL_BYTES = 6 << 20
SAMPLE = 64  # pictures that a size is tried on


def thumbnails(paths: Mapping[str, Path], most: int = MAX_TOTAL_BYTES) -> dict[str, bytes]:
    """Return small copies of pictures, no larger than `most` bytes together.

    Args:
        paths: {name of a picture: its file}.
        most: bytes of all of them; those that do not fit even at the smallest size are left out,
            the last by name first.

    Raises:
        DataError: a picture cannot be read.
    """
    names = sorted(paths)
    tried = names[:: max(1, len(names) // SAMPLE)]
    found: dict[str, bytes] = {}
    with ThreadPoolExecutor(WORKERS) as pool:  # Pillow works beside other threads
        for edge in EDGES:
            small = partial(_small, edge=edge)
            size = sum(len(data) for data in pool.map(small, (paths[name] for name in tried)))
            if edge != EDGES[-1] and size * len(names) > most * max(1, len(tried)):
                continue
            found = dict(zip(names, pool.map(small, (paths[n] for n in names)), strict=True))
            if sum(map(len, found.values())) <= most:
                return found
    while sum(map(len, found.values())) > most:
        del found[max(found)]
    return found


def _small(path: Path, edge: int) -> bytes:
    image = open_image(path)
    image.thumbnail((edge, edge), reducing_gap=2.0)
    return _encoded(image)


def _encoded(image: Image.Image) -> bytes:
    data = b""
    for quality in QUALITIES:
        stream = io.BytesIO()
        image.save(stream, "WEBP", quality=quality)
        data = stream.getvalue()
        if len(data) <= MAX_BYTES:
            break
    return data
