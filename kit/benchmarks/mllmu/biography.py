"""The name in a biography of MLLMU-Bench: a struct or JSON text with facts about a person."""

from kit.benchmarks.cells import read_json

NAME_KEY = "name"


def person_name(biography: object, fallback: str) -> str:
    """Return the name in a biography, or `fallback` if it has none.

    Keys of biographies may be surrounded by colons and spaces. An unreadable biography is not an
    error: it is only needed for the name by which answers are grouped.
    """
    if isinstance(biography, str):
        try:
            biography = read_json(biography)
        except (ValueError, RecursionError):
            return fallback
    if not isinstance(biography, dict):
        return fallback
    for key, value in biography.items():
        if str(key).strip().strip(":").strip().casefold() == NAME_KEY and isinstance(value, str):
            return " ".join(value.split()) or fallback
    return fallback
