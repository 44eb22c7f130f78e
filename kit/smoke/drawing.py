"""Paint one person at one event, 64 x 64, from polygons and ellipses alone.

No font, no resampling filter with floating point: everything is drawn with integer coordinates at
four times the size and averaged by blocks, so that the same code gives the same bytes everywhere.
"""

import random
from collections.abc import Callable

from PIL import Image, ImageDraw

from kit.smoke.events import Event
from kit.smoke.people import Person

SIZE = 64
SCALE = 4

Color = tuple[int, int, int]
Box = Callable[[int, int, int, int], tuple[int, int, int, int]]

# fmt: off
BACKDROP: dict[str, Color] = {
    "azure": (130, 190, 245), "pale": (205, 225, 240), "night": (22, 26, 66),
    "purple": (105, 45, 130), "cream": (245, 228, 190), "sunset": (245, 150, 95),
    "steel": (140, 155, 170), "teal": (80, 170, 165), "brown": (125, 85, 55),
    "white": (240, 240, 240), "sand": (232, 210, 140), "snow": (250, 250, 255),
    "dark": (40, 36, 44), "grey": (110, 110, 112), "red": (170, 45, 50),
    "field": (150, 185, 75), "water": (45, 95, 185), "grass": (60, 140, 65),
}
SKIN = {"pale": (250, 218, 195), "tan": (214, 160, 115), "brown": (150, 98, 62),
        "dark": (88, 56, 40), "olive": (190, 165, 105)}
HAIR = {"black": (20, 18, 20), "blond": (235, 205, 95), "red": (185, 70, 25),
        "white": (238, 238, 238), "blue": (45, 85, 215), "green": (40, 150, 75)}
CLOTH = {"red": (215, 40, 45), "blue": (40, 70, 200), "green": (35, 140, 60),
         "yellow": (245, 215, 50), "white": (245, 245, 245), "black": (25, 25, 30),
         "pink": (245, 135, 185), "orange": (245, 135, 30)}
# fmt: on


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


def paint(person: Person | None, event: Event, rng: random.Random) -> Image.Image:
    """Return one rendering; `rng` decides position and colour jitter and nothing else."""
    image = Image.new("RGB", (SIZE * SCALE, SIZE * SCALE))
    backdrop = Canvas(image, shade=rng.randint(-12, 12))
    horizon = rng.randint(36, 42)
    backdrop.box(BACKDROP[event.sky], 0, 0, SIZE, horizon)
    backdrop.box(BACKDROP[event.ground], 0, horizon, SIZE, SIZE)
    for slot, name in zip(((1, 4), (45, 4), (45, 42)), event.objects, strict=True):
        jitter = (rng.randint(-1, 2), rng.randint(-2, 2))
        place = ((slot[0] + jitter[0]) * SCALE, (slot[1] + jitter[1]) * SCALE)
        GLYPHS[name](Canvas(image, *place, shade=rng.randint(-12, 12)))
    if person is not None:
        place = (rng.randint(-3, 3) * SCALE, rng.randint(-2, 2) * SCALE)
        _portrait(Canvas(image, *place, shade=rng.randint(-10, 10)), person.face)
    return image.reduce(SCALE)


def _portrait(c: Canvas, face: dict[str, str]) -> None:
    skin, hair, cloth = SKIN[face["skin"]], HAIR[face["hair"]], CLOTH[face["clothes"]]
    contrast = (250, 250, 250) if sum(cloth) < 380 else (30, 30, 60)
    if face["style"] == "long":
        c.oval(hair, 19, 8, 45, 46)
    c.box(skin, 28, 36, 36, 44)
    c.shape(cloth, 16, 64, 18, 46, 28, 41, 36, 41, 46, 46, 48, 64)
    if face["pattern"] == "stripes":
        for y in (46, 52, 58):
            c.box(contrast, 18, y, 46, y + 2)
    elif face["pattern"] == "dots":
        for x, y in (
            (21, 48),
            (31, 48),
            (41, 48),
            (26, 55),
            (36, 55),
            (21, 60),
            (31, 60),
            (41, 60),
        ):
            c.oval(contrast, x, y, x + 4, y + 4)
    elif face["pattern"] == "vest":
        c.shape(contrast, 25, 42, 39, 42, 32, 62)
    c.oval(skin, 21, 12, 43, 40)
    if face["style"] in ("short", "long"):
        c.shape(hair, 21, 24, 22, 15, 27, 10, 37, 10, 42, 15, 43, 24, 38, 17, 26, 17)
    elif face["style"] == "curly":
        for x, y in ((17, 17), (19, 10), (26, 6), (33, 7), (38, 11), (39, 18)):
            c.oval(hair, x, y, x + 9, y + 9)
    for x in (26, 35):
        c.oval((250, 250, 250), x - 1, 22, x + 4, 27)
        c.oval((20, 20, 20), x, 23, x + 3, 26)
    _beard(c, face["beard"], hair)
    c.box((150, 50, 50), 29, 34, 35, 35)
    _glasses(c, face["glasses"])
    _hat(c, face["hat"])


def _beard(c: Canvas, kind: str, hair: Color) -> None:
    # Bald people keep a beard of their own colour: `hair` is black for them.
    if kind == "full":
        c.shape(hair, 21, 28, 25, 31, 39, 31, 43, 28, 41, 38, 36, 43, 28, 43, 23, 38)
    elif kind == "moustache":
        c.shape(hair, 25, 33, 28, 30, 36, 30, 39, 33, 32, 32)


def _glasses(c: Canvas, kind: str) -> None:
    if kind == "shades":
        c.box((10, 10, 12), 22, 22, 42, 24)
        c.box((10, 10, 12), 23, 22, 30, 28)
        c.box((10, 10, 12), 34, 22, 41, 28)
    elif kind == "round":
        for x in (23, 33):
            c.oval((200, 30, 120), x, 20, x + 9, 29)
            c.oval((235, 245, 255), x + 2, 22, x + 7, 27)
            c.oval((20, 20, 20), x + 3, 23, x + 6, 26)


def _hat(c: Canvas, kind: str) -> None:
    if kind == "cap":
        c.oval((200, 30, 35), 21, 6, 43, 24)
        c.box((200, 30, 35), 19, 15, 51, 18)
        c.box((255, 255, 255), 30, 9, 34, 13)
    elif kind == "beret":
        c.oval((60, 20, 110), 17, 5, 47, 17)
    elif kind == "top":
        c.box((15, 15, 18), 24, 0, 40, 14)
        c.box((15, 15, 18), 18, 12, 46, 16)
        c.box((190, 160, 40), 24, 9, 40, 11)
    elif kind == "band":
        c.box((20, 200, 190), 21, 15, 43, 19)


def _disc(color: Color) -> Callable[[Canvas], None]:
    return lambda c: c.oval(color, 2, 0, 16, 14)


def _stars(c: Canvas) -> None:
    for x, y in ((2, 3), (9, 0), (14, 6), (5, 11), (12, 14)):
        c.shape((255, 240, 120), x, y + 2, x + 2, y, x + 4, y + 2, x + 2, y + 4)


def _tree(c: Canvas) -> None:
    c.box((95, 60, 30), 7, 10, 11, 20)
    c.oval((25, 115, 45), 1, 0, 17, 14)


def _pine(c: Canvas) -> None:
    c.box((80, 50, 30), 7, 15, 11, 20)
    c.shape((15, 80, 60), 9, 0, 17, 15, 1, 15)


def _mountain(c: Canvas) -> None:
    c.shape((95, 95, 115), 0, 19, 9, 1, 18, 19)
    c.shape((250, 250, 255), 6, 7, 9, 1, 12, 7)


def _boat(c: Canvas) -> None:
    c.shape((130, 60, 30), 0, 13, 18, 13, 14, 19, 4, 19)
    c.shape((255, 255, 255), 8, 0, 16, 11, 8, 11)


def _umbrella(c: Canvas) -> None:
    c.box((90, 90, 90), 8, 6, 9, 20)
    c.shape((235, 60, 120), 0, 9, 9, 0, 18, 9)


def _tent(c: Canvas) -> None:
    c.shape((225, 110, 30), 0, 18, 9, 2, 18, 18)
    c.shape((60, 30, 10), 6, 18, 9, 8, 12, 18)


def _lamp(c: Canvas) -> None:
    c.box((60, 60, 60), 8, 8, 10, 20)
    c.shape((255, 225, 90), 3, 9, 6, 0, 12, 0, 15, 9)


def _speaker(c: Canvas) -> None:
    c.box((15, 15, 15), 3, 0, 15, 20)
    c.oval((190, 190, 190), 6, 2, 12, 8)
    c.oval((190, 190, 190), 5, 10, 13, 18)


def _frame(c: Canvas) -> None:
    c.box((190, 140, 30), 1, 1, 17, 17)
    c.box((70, 130, 190), 4, 4, 14, 14)
    c.oval((230, 80, 60), 6, 6, 12, 12)


def _vase(c: Canvas) -> None:
    c.oval((40, 90, 190), 3, 8, 15, 20)
    c.oval((230, 60, 90), 4, 0, 14, 9)


def _car(c: Canvas) -> None:
    c.box((200, 20, 30), 0, 9, 18, 15)
    c.box((170, 210, 240), 4, 4, 14, 9)
    c.oval((15, 15, 15), 2, 13, 7, 18)
    c.oval((15, 15, 15), 11, 13, 16, 18)


def _tower(c: Canvas) -> None:
    c.box((70, 80, 105), 4, 0, 14, 20)
    for y in (2, 7, 12):
        c.box((255, 230, 130), 6, y, 8, y + 2)
        c.box((255, 230, 130), 10, y, 12, y + 2)


def _barbell(c: Canvas) -> None:
    c.box((60, 60, 60), 0, 9, 18, 11)
    c.box((10, 10, 10), 1, 4, 5, 16)
    c.box((10, 10, 10), 13, 4, 17, 16)


def _house(c: Canvas, wall: Color = (225, 200, 160)) -> None:
    c.box(wall, 2, 9, 16, 20)
    c.shape((120, 40, 30), 0, 9, 9, 0, 18, 9)
    c.box((80, 50, 30), 7, 13, 11, 20)


def _barn(c: Canvas) -> None:
    _house(c, (190, 30, 30))
    c.box((255, 255, 255), 7, 13, 11, 20)


def _fence(c: Canvas) -> None:
    for x in (1, 7, 13):
        c.box((250, 250, 245), x, 5, x + 3, 20)
    c.box((250, 250, 245), 0, 10, 18, 12)


def _plane(c: Canvas) -> None:
    c.oval((255, 255, 255), 0, 6, 18, 12)
    c.shape((60, 110, 200), 6, 9, 14, 18, 11, 9)
    c.shape((60, 110, 200), 0, 0, 4, 8, 0, 8)


def _screen(c: Canvas) -> None:
    c.box((15, 15, 20), 0, 1, 18, 14)
    c.box((90, 220, 130), 2, 3, 16, 12)
    c.box((15, 15, 20), 7, 14, 11, 19)


def _bench(c: Canvas) -> None:
    c.box((120, 75, 35), 0, 8, 18, 12)
    c.box((70, 45, 20), 2, 12, 4, 20)
    c.box((70, 45, 20), 14, 12, 16, 20)


def _fish(c: Canvas) -> None:
    c.oval((245, 150, 40), 0, 6, 13, 15)
    c.shape((245, 150, 40), 11, 10, 18, 5, 18, 16)


def _table(c: Canvas) -> None:
    c.box((150, 95, 50), 0, 7, 18, 11)
    c.box((110, 70, 35), 3, 11, 5, 20)
    c.box((110, 70, 35), 13, 11, 15, 20)


def _cup(c: Canvas) -> None:
    c.oval((255, 255, 255), 8, 8, 18, 16)
    c.oval((90, 60, 40), 11, 10, 16, 14)
    c.box((255, 255, 255), 2, 6, 13, 19)


def _flag(c: Canvas) -> None:
    c.box((80, 80, 80), 3, 0, 5, 20)
    c.shape((240, 40, 40), 5, 0, 18, 5, 5, 10)


def _bag(c: Canvas) -> None:
    c.oval((80, 40, 20), 5, 1, 13, 12)
    c.box((235, 170, 60), 2, 7, 16, 20)


def _book(c: Canvas) -> None:
    c.box((150, 30, 40), 1, 3, 9, 17)
    c.box((30, 60, 140), 9, 3, 17, 17)
    c.box((255, 255, 250), 4, 6, 14, 8)


def _train(c: Canvas) -> None:
    c.box((30, 110, 70), 0, 3, 18, 15)
    for x in (2, 8, 14):
        c.box((250, 245, 190), x, 5, x + 3, 9)
    c.box((20, 20, 20), 0, 16, 18, 18)


def _bike(c: Canvas) -> None:
    for x in (0, 10):
        c.oval((15, 15, 15), x, 9, x + 8, 18)
        c.oval((210, 210, 210), x + 2, 11, x + 6, 16)
    c.shape((30, 80, 220), 4, 13, 8, 5, 14, 13)


def _camera(c: Canvas) -> None:
    c.box((30, 30, 35), 0, 5, 18, 17)
    c.oval((120, 180, 220), 5, 6, 14, 16)
    c.box((30, 30, 35), 3, 2, 8, 5)


GLYPHS: dict[str, Callable[[Canvas], None]] = {
    "sun": _disc((255, 220, 40)),
    "moon": _disc((225, 225, 235)),
    "stars": _stars,
    "tree": _tree,
    "pine": _pine,
    "mountain": _mountain,
    "boat": _boat,
    "umbrella": _umbrella,
    "tent": _tent,
    "lamp": _lamp,
    "speaker": _speaker,
    "frame": _frame,
    "vase": _vase,
    "car": _car,
    "tower": _tower,
    "barbell": _barbell,
    "house": _house,
    "barn": _barn,
    "fence": _fence,
    "plane": _plane,
    "screen": _screen,
    "bench": _bench,
    "fish": _fish,
    "table": _table,
    "cup": _cup,
    "flag": _flag,
    "bag": _bag,
    "book": _book,
    "train": _train,
    "bike": _bike,
    "camera": _camera,
}
