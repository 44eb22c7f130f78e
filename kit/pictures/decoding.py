"""From the bytes of a picture to 8-bit RGB, the same for every reader.

The rules are those of the loaders of vLLM (`vllm.multimodal.image`) and of transformers
(`load_image`): the orientation that EXIF states is applied, and transparency is put on white. Two
rules are the kit's own, because Pillow's conversion would clip: grey with 16 bits is scaled to 8
bits, and so are whole numbers and floats, by the smallest range that holds them. Colour profiles
are not applied, as in both loaders. Of several frames, the first one is taken.
"""

import io
import re
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from kit.errors import DataError
from kit.pictures.content import describe_bytes

# Formats of pixels only. Others, such as EPS, are programs or documents.
FORMATS = (
    "AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "QOI",
    "TGA", "TIFF", "WEBP",
)  # fmt: skip
UPRIGHT = "turned upright as EXIF says"
FIRST_FRAME = "the first of several frames"
ON_WHITE = "transparency put on white"
SCALED = "scaled to 8 bits"
CONVERTED = "converted to RGB"
WHITE = (255, 255, 255)
BYTE = 255
COMPRESSED = ("JPEG", "MPO", "WEBP", "AVIF")
JPEG_END = b"\xff\xd9"  # programs may write what they like behind it
MIN_ZEROS = 64
SIXTEEN_BITS = 65535
# What a value of a picture may be, by Pillow's mode; the smallest range that holds all is meant.
RANGES = {"I": (BYTE, SIXTEEN_BITS), "F": (1, BYTE)}
MARKS = {"upright": UPRIGHT, "frame": FIRST_FRAME, "white": ON_WHITE, "scaled": SCALED,
         "converted": CONVERTED}  # fmt: skip

# Pillow warns of large pictures and of odd metadata. A picture is read or refused; a warning in
# between would reach a person without its file.
warnings.filterwarnings("ignore", module=r"PIL\.")


class UnreadableError(Exception):
    """Bytes are no picture that can be read: what was found, and what is expected."""

    def __init__(self, found: str, expected: str | None = None) -> None:
        self.found, self.expected = found, expected
        super().__init__(found)


@dataclass(frozen=True)
class Picture:
    """A picture as RGB; `changes` say what was done to it, in keys of `MARKS`."""

    image: Image.Image
    changes: tuple[str, ...]


def open_image(path: Path) -> Image.Image:
    """Return a picture as 8-bit RGB.

    Raises:
        DataError: the file is missing, truncated, not a picture, or too large.
    """
    try:
        return decode(path.read_bytes()).image
    except FileNotFoundError:
        fault = UnreadableError("no such file")
    except OSError as error:
        fault = UnreadableError(error.strerror or str(error))
    except UnreadableError as error:
        fault = error
    raise DataError(
        f"image {path} cannot be read",
        expected=fault.expected,
        found=fault.found,
        remedy="run `./run.sh fetch`: it restores a file that differs from its list, and says what "
        "to do about one that is listed as it is",
    )


def decode(data: bytes) -> Picture:
    """Decode a whole picture, metadata included.

    Raises:
        UnreadableError: the bytes are no picture, are cut off, or stand for too many pixels.
    """
    return _decode(data, draft=False)


def examine(data: bytes) -> tuple[str, ...]:
    """Return what `decode` does to a picture. Every byte is read; pixels of a JPEG are not made.

    Raises:
        UnreadableError: as `decode` does.
    """
    return _decode(data, draft=True).changes


def _decode(data: bytes, *, draft: bool) -> Picture:
    opened = _open(data)
    try:
        with opened:
            _require_no_zero_end(data, opened.format or "")
            if draft:
                opened.draft(None, (1, 1))  # libjpeg then scales down by 8 while it decodes
            return _rgb(opened)
    except UnreadableError:
        raise
    except Exception as error:  # Pillow's decoders raise errors of a dozen unrelated classes
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnreadableError(
            f"{opened.format} of {len(data)} bytes: {said}", "a whole picture"
        ) from None


def format_of(data: bytes) -> str:
    """Return the format of a picture as Pillow names it, from its header alone: `PNG`.

    Raises:
        UnreadableError: the bytes are no picture, or stand for too many pixels.
    """
    with _open(data) as opened:
        return opened.format or ""


def pixels_of(path: Path) -> int:
    """Return the number of pixels of a picture, from its header; 0 where it cannot be read."""
    try:
        with Image.open(path, formats=FORMATS) as opened:
            return opened.width * opened.height
    except Exception:  # the reader who needs the picture says what is wrong with it
        return 0


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        pixels, allowed = [int(number) for number in re.findall(r"\d+", str(error))[:2]]
        raise UnreadableError(f"{pixels:,} pixels", f"at most {allowed:,} pixels") from None
    except Exception:  # as above
        kind = describe_bytes(data)
        if kind.endswith(" picture"):
            kind = f"{kind} of {len(data)} bytes, damaged or cut off"
        raise UnreadableError(kind, f"a picture: {', '.join(FORMATS)}") from None


def _require_no_zero_end(data: bytes, name: str) -> None:
    """Refuse a compressed picture whose end was never written: decoders fill it with grey.

    A download that was interrupted can leave a file of the right size.
    """
    kept = data.rstrip(b"\0")
    zeros = len(data) - len(kept)
    if name in COMPRESSED and zeros >= MIN_ZEROS and not kept.endswith(JPEG_END):
        raise UnreadableError(
            f"{name} of {len(data)} bytes, the last {zeros} of them zero",
            "a whole picture",
        )


def _rgb(opened: Image.Image) -> Picture:
    changes = []
    if getattr(opened, "n_frames", 1) > 1:
        changes.append("frame")
        opened.seek(0)
    # Pillow turns a TIFF while it loads. Of other formats, it would load to find EXIF, and the
    # error of a broken file would be taken for one of EXIF.
    turned = _orientation(opened) if opened.format == "TIFF" else 1
    opened.load()
    image, alpha = opened, None
    if (still := _orientation(opened)) > 1:
        image = ImageOps.exif_transpose(opened)
    if max(turned, still) > 1:
        changes.append("upright")
    if image.mode == "F" or image.mode.startswith("I"):
        values, image = np.asarray(image), _scaled(image)
        changes.append("scaled")
        if isinstance(key := opened.info.get("transparency"), int):
            alpha = Image.fromarray(np.where(values == key, 0, BYTE).astype(np.uint8))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
    elif image.mode != "RGB":
        changes.append("converted")
    rgb = image.convert("RGB")
    if alpha is None or alpha.getextrema() == (BYTE, BYTE):
        return Picture(rgb, tuple(changes))
    white = Image.new("RGB", rgb.size, WHITE)
    white.paste(rgb, mask=alpha)
    return Picture(white, (*changes, "white"))


def _orientation(image: Image.Image) -> int:
    """Return the orientation that EXIF states; 1 is upright."""
    stated: object = 1
    with suppress(Exception):  # EXIF that cannot be read says nothing
        stated = image.getexif().get(ExifTags.Base.Orientation)
    return stated if isinstance(stated, int) and 1 <= stated <= 8 else 1


def _scaled(image: Image.Image) -> Image.Image:
    """Return values of more than 8 bits as 8-bit grey, rounded."""
    values = np.asarray(image)
    ranges = RANGES.get(image.mode, (SIXTEEN_BITS,))
    least, most = float(values.min()), float(values.max())
    # A comparison with NaN is false.
    top = next((top for top in ranges if least >= 0 and most <= top), None)
    if top is None:
        raise UnreadableError(
            f"values from {least:g} to {most:g} (Pillow's mode {image.mode})",
            f"values from 0 to {' or '.join(map(str, ranges))}",
        )
    return Image.fromarray(np.rint(values * (BYTE / top)).astype(np.uint8))
