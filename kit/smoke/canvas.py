"""A canvas that draws with integer coordinates alone, so that its bytes are equal everywhere."""

from PIL import Image, ImageDraw

SCALE = 4

Color = tuple[int, int, int]


class Canvas:
    """Integer drawing in a 64-pixel frame at `SCALE` times the size, moved by (dx, dy) pixels."""

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
        self._draw.rectangle(self._at(points), fill=self._tint(color))

    def oval(self, color: Color, *points: int) -> None:
        self._draw.ellipse(self._at(points), fill=self._tint(color))

    def shape(self, color: Color, *points: int) -> None:
        self._draw.polygon(self._at(points), fill=self._tint(color))
