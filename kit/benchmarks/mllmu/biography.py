"""The name in a biography of MLLMU-Bench: a struct or JSON text with facts about a person."""

from kit.benchmarks.cells import nested
from kit.benchmarks.left_out import OddCell

FIELD, NAME_KEY = "biography", "name"


def name_in(biography: object, where: str) -> str:
    """Return the name in a biography.

    Keys of biographies may be surrounded by colons and spaces.

    Raises:
        OddCell: it cannot be read, or it has no name.
    """
    for key, value in nested(biography, dict, where, FIELD).items():
        is_name = str(key).strip().strip(":").strip().casefold() == NAME_KEY
        if is_name and isinstance(value, str) and value.split():
            return " ".join(value.split())
    raise OddCell(where, FIELD, "has no name", expected="a key Name with a text", found=biography)


def person_name(biography: object, fallback: str) -> str:
    """Return the name in a biography, or `fallback` if it has none."""
    try:
        return name_in(biography, "")
    except OddCell:
        return fallback
