"""A canvas with integer coordinates only, so that it gives equal bytes on every machine."""

from PIL import Image, ImageDraw

SCALE = 4

Color = tuple[int, int, int]


class Canvas:
    """Draws in a frame of 64 x 64 units, each `SCALE` pixels wide.

    `dx` and `dy` shift the drawing, in pixels; `shade` is added to every colour value.
    """

    def __init__(self, image: Image.Image, dx: int = 0, dy: int = 0, shade: int = 0) -> None:
        self._draw = ImageDraw.Draw(image)
        self._dx, self._dy, self._shade = dx, dy, shade

    def _tint(self, color: Color) -> Color:
        red, green, blue = (max(0, min(255, value + self._shade)) for value in color)
        return red, green, blue

    def _at(self, points: tuple[int, ...]) -> list[tuple[int, int]]:
        pairs = zip(points[::2], points[1::2], strict=True)
        return [(SCALE * x + self._dx, SCALE * y + self._dy) for x, y in pairs]

    def box(self, color: Color, *points: int) -> None:
        """Fill the rectangle with the corners (x, y, x, y)."""
        self._draw.rectangle(self._at(points), fill=self._tint(color))

    def oval(self, color: Color, *points: int) -> None:
        """Fill the ellipse in the box with the corners (x, y, x, y)."""
        self._draw.ellipse(self._at(points), fill=self._tint(color))

    def shape(self, color: Color, *points: int) -> None:
        """Fill the polygon with the corners (x, y, x, y, ...)."""
        self._draw.polygon(self._at(points), fill=self._tint(color))
