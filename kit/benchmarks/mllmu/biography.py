"""The name in a biography of MLLMU-Bench: a struct or JSON text with facts about a person."""

from kit.benchmarks.cells import name_or_empty, nested, text
from kit.benchmarks.identity import identity
from kit.benchmarks.left_out import OddCell

FIELD, NAME_KEY = "biography", "name"


def name_in(biography: object, where: str) -> str:
    """Return the name in a biography.

    Keys of biographies may be surrounded by colons and spaces.

    Raises:
        OddCell: it cannot be read, or it has no name, or two.
    """
    named = [
        " ".join(text(value, where, f"{FIELD}.{key}").split())
        for key, value in nested(biography, dict, where, FIELD).items()
        if str(key).strip().strip(":").strip().casefold() == NAME_KEY
        and isinstance(value, str)
        and name_or_empty(value, where, f"{FIELD}.{key}")
    ]
    if not named:
        raise OddCell(
            where, FIELD, "has no name", expected="a key Name with a text", found=biography
        )
    if len(set(map(identity, named))) > 1:
        raise OddCell(where, FIELD, "has two names", expected="one key Name", found=named)
    return named[0]


def person_name(biography: object, fallback: str) -> str:
    """Return the name in a biography, or `fallback` if it has none."""
    try:
        return name_in(biography, "")
    except OddCell:
        return fallback
