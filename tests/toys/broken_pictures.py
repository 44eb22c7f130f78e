"""Bytes of pictures that cannot be read, made as programs and downloads leave them."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def jpeg(side: int = 64) -> bytes:
    """Return a picture without a pattern, so that its data are long."""
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, "jpeg", quality=95)
    return stream.getvalue()


def truncated_jpeg() -> bytes:
    """Return the first half of a picture: its header is whole."""
    whole = jpeg()
    return whole[: len(whole) // 2]


def zero_ended_jpeg() -> bytes:
    """Return a picture of the right size whose last 4,000 bytes were never written."""
    return jpeg()[:-4000].rstrip(b"\0")[:-1] + b"\1" + bytes(4000)


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG: length, kind, content, checksum."""
    return (
        struct.pack(">I", len(content)) + kind + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )  # fmt: skip


def many_pixels(width: int, height: int) -> bytes:
    """Return a black PNG with one bit per pixel: few bytes, many pixels."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def png_with_text_after_pixels(size: int = 2_000_000) -> bytes:
    """Return a PNG with a compressed text of so many bytes between its pixels and its end."""
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(stream, "png")
    end = chunk(b"IEND", b"")
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"a" * size))
    return stream.getvalue().removesuffix(end) + text + end
