"""The objects of a scene by name, each drawn in about 18 x 20 units of the canvas."""

from collections.abc import Callable

from kit.smoke.canvas import Canvas, Color


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
