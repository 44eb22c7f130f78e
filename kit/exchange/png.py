"""A figure as PNG, drawn by Pillow from the same shapes as its SVG.

The colours are those of a light page. The font is the one that Pillow carries, so that no font of a
machine decides; a letter that it lacks becomes a question mark.
"""

import io
import math
from functools import cache
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFont

from kit.names import printable
from kit.report.drawing import STYLES, Drawing, Point, Shape, Style

SCALE, FINER = 3, 2  # pixels of the picture for each px of the figure; drawn finer, then reduced
PIXELS = SCALE * FINER
MOST_PIXELS = 60_000_000  # of the finer picture; a larger figure is drawn coarser
WHITE = (255, 255, 255)
WRITTEN = {"→": "->", "…": "...", "✕": "x"}
ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}
LACKING = "\uffff"  # no font has a glyph for it


def to_png(drawing: Drawing) -> bytes:
    """Return a figure as PNG on white; equal figures give equal bytes."""
    fine = math.sqrt(MOST_PIXELS / max(1.0, drawing.width * drawing.height))
    scale = min(float(PIXELS), fine)
    size = (math.ceil(drawing.width * scale), math.ceil(drawing.height * scale))
    image = Image.new("RGB", size, WHITE)
    pen = ImageDraw.Draw(image)
    for shape in drawing.shapes:
        style = STYLES[shape.style]
        if shape.kind == "text":
            _write(image, pen, shape, style, scale)
        elif shape.kind == "disc":
            (x, y), radius = shape.points[0], shape.size
            corners = [((x - radius) * scale, (y - radius) * scale),
                       ((x + radius) * scale, (y + radius) * scale)]  # fmt: skip
            width = max(1, round(style.width * scale)) if style.stroke[0] else 0
            pen.ellipse(corners, _fill(style, shape), _stroke(style), width)
        else:
            _outline(pen, shape, style, scale)
    stored = io.BytesIO()
    small = (max(1, size[0] // FINER), max(1, size[1] // FINER))
    reduced = image.resize(small, Image.Resampling.BOX)
    reduced.save(stored, "PNG", dpi=(96 * SCALE, 96 * SCALE))
    return stored.getvalue()


def _outline(pen: ImageDraw.ImageDraw, shape: Shape, style: Style, scale: float) -> None:
    points = [(x * scale, y * scale) for x, y in shape.points]
    fill = _fill(style, shape)
    if shape.kind == "area" and fill is not None:
        pen.polygon(points, fill)
    stroke = _stroke(style)
    if stroke is None:
        return
    if shape.kind == "area":
        points.append(points[0])
    width = max(1, round(style.width * scale))
    if style.dashes[0]:
        for start, end in pairwise(points):
            for dash in _dashes(start, end, style.dashes, scale):
                pen.line(dash, stroke, width)
    else:
        pen.line(points, stroke, width, joint="curve")


def _dashes(
    start: Point, end: Point, dashes: tuple[float, float], scale: float
) -> list[list[Point]]:
    length = math.dist(start, end)
    drawn, step = dashes[0] * scale, sum(dashes) * scale
    found = []
    for n in range(math.ceil(length / step)):
        ends = (n * step, min(n * step + drawn, length))
        found.append([
            (start[0] + (end[0] - start[0]) * at / length,
             start[1] + (end[1] - start[1]) * at / length)
            for at in ends
        ])  # fmt: skip
    return found


def _write(
    image: Image.Image, pen: ImageDraw.ImageDraw, shape: Shape, style: Style, scale: float
) -> None:
    font = _font(round(style.size * scale))
    text = _writable(shape.text, font)
    colour = _fill(style, shape) or WHITE
    bold = round(scale * 0.3) if style.bold else 0
    (x, y), anchor = shape.points[0], ANCHORS[shape.anchor]
    if not shape.turn:
        pen.text((x * scale, y * scale), text, colour, font, anchor, stroke_width=bold)
        return
    # Written around the centre of a square, which is turned and laid upon the figure.
    side = 2 * math.ceil(font.getlength(text) + font.size) + 2
    mask = Image.new("L", (side, side), 0)
    ImageDraw.Draw(mask).text((side / 2, side / 2), text, 255, font, anchor, stroke_width=bold)
    turned = mask.rotate(-shape.turn, Image.Resampling.BICUBIC)
    place = (round(x * scale - side / 2), round(y * scale - side / 2))
    image.paste(Image.new("RGB", (side, side), colour), place, turned)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow's wheels have FreeType"
    return font


def _writable(text: str, font: ImageFont.FreeTypeFont) -> str:
    for old, new in WRITTEN.items():
        text = text.replace(old, new)
    lacking = bytes(font.getmask(LACKING))
    return "".join(
        "?" if letter != " " and bytes(font.getmask(letter)) == lacking else letter
        for letter in printable(text, keep="")
    )


def _fill(style: Style, shape: Shape) -> tuple[int, int, int] | None:
    return _mixed(style.fill[0], style.opacity * shape.opacity) if style.fill[0] else None


def _stroke(style: Style) -> tuple[int, int, int] | None:
    return _mixed(style.stroke[0], style.opacity) if style.stroke[0] else None


def _mixed(colour: str, opacity: float) -> tuple[int, int, int]:
    """Return a colour such as #0b5cad laid upon white."""
    red, green, blue = (
        round(255 + (int(colour[at : at + 2], 16) - 255) * opacity) for at in (1, 3, 5)
    )
    return red, green, blue
