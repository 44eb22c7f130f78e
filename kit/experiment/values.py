"""The values of a manifest: of the types that TOML has, and errors about them in plain words."""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kit.experiment.claim_lists import written_at

LARGEST = 2**63 - 1  # of TOML's whole numbers
# What a kind of error of pydantic says that was expected.
EXPECTED = {
    "int_type": "a whole number", "int_parsing": "a whole number",
    "int_parsing_size": "a whole number", "int_from_float": "a whole number",
    "float_type": "a number", "float_parsing": "a number", "finite_number": "a finite number",
    "bool_type": "true or false", "bool_parsing": "true or false", "string_type": "a text",
    "tuple_type": "a list", "list_type": "a list", "dict_type": "a table",
    "model_type": "a table", "model_attributes_type": "a table",
    "too_short": "at least {min_length} of them", "too_long": "at most {max_length} of them",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "a text that matches {pattern}",
}  # fmt: skip
KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
ANY = "a number, a text, or true or false"
Place = tuple[str, ...]


def expected_of(error: Mapping[str, Any]) -> str:
    """Return in plain words what one of pydantic's errors says that was expected."""
    if error["type"] in EXPECTED:
        return EXPECTED[error["type"]].format_map(error.get("ctx", {}))
    return str(error["msg"]).removeprefix("Input should be ")


def near_of(error: Mapping[str, Any]) -> str | None:
    """Return the word that a misspelt one is nearest to, where only some words are valid."""
    if error["type"] != "literal_error":
        return None
    words = re.findall("'([^']*)'", error["ctx"]["expected"])
    return next(iter(difflib.get_close_matches(str(error["input"]), words, n=1)), None)


def place_of(error: Mapping[str, Any], document: object) -> tuple[Place, bool]:
    """Return the place of a value that is refused, and whether it may be of several types.

    Where it may, pydantic's own place ends with the type that it tried last.
    """
    inside = document
    place: list[str] = []
    for part in error["loc"]:
        kind = part in (each.__name__ for each in KINDS)
        if isinstance(inside, Mapping) and not (kind and part not in inside):
            inside = inside.get(str(part))
        elif isinstance(inside, list | tuple) and isinstance(part, int) and part < len(inside):
            inside = inside[part]
        elif kind:
            return tuple(place), True
        place.append(str(part))
    return tuple(place), False


def misread(document: object, read: object, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Yield where a manifest was read as something else than it says, and what was expected.

    Python takes `true` for 1 and "5" for 5, and knows whole numbers of any length.

    Args:
        document: the manifest as plain values.
        read: the same after validation.
        place: of both.
    """
    if isinstance(document, Mapping) and isinstance(read, Mapping):
        for key, value in document.items():
            if key == "claims" and not place:
                yield from _misread_claims(document, read)
            elif key in read:
                yield from misread(value, read[key], (*place, str(key)))
    elif isinstance(document, list | tuple) and isinstance(read, list | tuple):
        for number, (value, other) in enumerate(zip(document, read, strict=False)):
            yield from misread(value, other, (*place, str(number)))
    elif type(document) is int and abs(document) > LARGEST:
        yield place, f"a number of at most {LARGEST}"
    elif type(read) in KINDS and any(
        isinstance(document, kind) != isinstance(read, kind) for kind in (bool, str)
    ):
        yield place, KINDS[type(read)]


def _misread_claims(document: Mapping[str, Any], read: Mapping[str, Any]) -> Iterator[Any]:
    """Yield what is misread of claims, of which a file may write one for several systems."""
    for number, claim in enumerate(read["claims"]):
        written = written_at(dict(document), number)
        place = ("claims", str(written))
        yield from misread(document["claims"][written], claim, place)
