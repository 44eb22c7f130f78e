"""Paint one person at one event, 64 x 64 pixels, from polygons and ellipses.

There are no fonts and no floating-point filters. Everything is drawn with integer coordinates at
four times the size and averaged in blocks, so the code gives equal bytes on every machine.
"""

import random

from PIL import Image

from kit.smoke.canvas import SCALE, Canvas, Color
from kit.smoke.events import Event
from kit.smoke.glyphs import GLYPHS
from kit.smoke.people import Person

SIZE = 64  # pixels

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


def paint(person: Person | None, event: Event, rng: random.Random) -> Image.Image:
    """Return one rendering of an event, with or without a person; `rng` draws only the jitter."""
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
    # Bald people have a black beard: their `hair` is always black.
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
