"""Text as a picture: in Pillow's bitmap font, or in a font of the system that has its letters.

The bitmap font needs no font renderer and gives the same bytes everywhere, but has only the letters
of Latin-1. The kit brings no font of others. Names in other letters are drawn in a font of the
system, if one has them. Otherwise letters with marks lose them (Ł becomes L), and all others become
their code points (U+674E).
"""

import unicodedata
from functools import cache

from PIL import Image, ImageFont

SYSTEM_FONTS = (
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial Unicode.ttf",
    "Arial.ttf", "arial.ttf", "NotoSansCJK-Regular.ttc", "DroidSansFallbackFull.ttf",
    "wqy-zenhei.ttc", "wqy-microhei.ttc", "unifont.ttf", "msyh.ttc", "PingFang.ttc",
)  # fmt: skip
SIZE = 10  # px of a system font, whose letters are then about as wide as those of the bitmap font
NOWHERE = "\U0010fffe"  # in no font: it is drawn as the sign for a missing letter


def picture_of(text: str, scale: int = 1) -> Image.Image | None:
    """Return a mask of mode L with a text of one line; None if nothing is to be seen.

    Args:
        text: any text.
        scale: how many pixels a pixel of the bitmap font becomes, on each side.
    """
    if not _is_latin(text) and (font := _font_with(text, scale)):
        box = font.getbbox(text)
        mask = font.getmask(text, "L")
        picture = Image.frombytes("L", mask.size, bytes(mask))
        whole = Image.new("L", (picture.width, picture.height + max(0, int(box[1]))))
        whole.paste(picture, (0, max(0, int(box[1]))))
        return whole
    known = readable(text)
    mask = ImageFont.load_default_imagefont().getmask(known, "L") if known else None
    if mask is None or not all(mask.size):
        return None
    letters = Image.frombytes("L", mask.size, bytes(mask))
    return letters.resize((mask.size[0] * scale, mask.size[1] * scale), Image.Resampling.NEAREST)


def readable(text: str) -> str:
    """Return a text in the letters of Latin-1, as near as they come."""
    return "".join(map(_latin, unicodedata.normalize("NFC", text)))


def _latin(letter: str) -> str:
    if _is_latin(letter):
        return letter
    base = unicodedata.normalize("NFKD", letter)[0]
    if _is_latin(base):
        return base
    name = unicodedata.name(letter, "").split(" WITH ")[0].split()
    if name[:1] == ["LATIN"] and len(name[-1]) == 1:  # LATIN SMALL LETTER L WITH STROKE
        return name[-1] if "CAPITAL" in name else name[-1].lower()
    return f"U+{ord(letter):04X} "


def _is_latin(text: str) -> bool:
    return all(ord(letter) < 256 for letter in text)


def _font_with(text: str, scale: int) -> ImageFont.FreeTypeFont | None:
    """Return the first font of the system that has all letters of a text."""
    for name in SYSTEM_FONTS:
        font = _font(name, SIZE * scale)
        if font and all(_has(font, letter) for letter in set(text) if not letter.isspace()):
            return font
    return None


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(name, size, layout_engine=ImageFont.Layout.BASIC)
    except (OSError, ImportError):  # no such font, or Pillow without a font renderer
        return None


def _has(font: ImageFont.FreeTypeFont, letter: str) -> bool:
    return bytes(font.getmask(letter)) != bytes(font.getmask(NOWHERE))
