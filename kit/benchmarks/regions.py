"""Boxes in answers and references: four numbers in brackets."""

import re

Box = tuple[float, float, float, float]

_NUMBER = r"\s*(\d{1,6}(?:\.\d{1,9})?)\s*"
_BOX = re.compile(rf"\[{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}\]")


def box_in(text: str) -> Box | None:
    """Return the first four numbers of a text that stand in brackets, such as `[0.1, 0, 1, 0.5]`.

    None if there is no such place.
    """
    if found := _BOX.search(text):
        x, y, third, fourth = map(float, found.groups())
        return x, y, third, fourth
    return None


def without_boxes(text: str) -> str:
    """Return a text without its boxes."""
    return _BOX.sub(" ", text)


def overlap(one: Box, other: Box) -> float:
    """Return intersection over union, in [0, 1], of two boxes (left, top, right, bottom).

    0 if one of them has no area: its right edge left of its left one, for example.
    """
    left, top = max(one[0], other[0]), max(one[1], other[1])
    right, bottom = min(one[2], other[2]), min(one[3], other[3])
    shared = max(0.0, right - left) * max(0.0, bottom - top)
    areas = [
        (x2 - x1) * (y2 - y1) if x2 > x1 and y2 > y1 else 0.0 for x1, y1, x2, y2 in (one, other)
    ]
    return shared / (sum(areas) - shared) if all(areas) else 0.0
