"""What is wrong with a key or a value of a manifest, in the words of the file that has it."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from kit.errors import ManifestError
from kit.experiment.claim_lists import written_at
from kit.experiment.keys import keys_at
from kit.experiment.options import written
from kit.experiment.origins import Origins
from kit.experiment.values import ANY, expected_of, near_of, place_of

KEYS = "manifests/README.md describes every key"


def refusal(error: Any, document: dict[str, Any], origins: Origins) -> ManifestError:
    """Return the error for what pydantic found, with its place in the file that a person wrote.

    Args:
        error: one of `ValidationError.errors()`.
        document: the manifest as plain values.
        origins: its files.
    """
    found, several = place_of(error, document)
    place = list(found)
    if place[0] == "claims" and len(place) > 1:
        place[1] = str(written_at(document, int(place[1])))
    where, origin = ".".join(place), origins.of(*place)
    if error["type"] == "extra_forbidden":
        section = keys_at(place[:-1])
        near = difflib.get_close_matches(place[-1], section, n=1)
        return ManifestError(
            f"{origin}: no key '{where}'",
            expected=f"one of {', '.join(sorted(section))}",
            found=f"'{place[-1]}'",
            remedy=f"did you mean '{near[0]}'?" if near else "correct or remove it",
        )
    if error["type"] == "missing":
        origin = origins.of(*place[:-1])
        given = error["input"]
        return ManifestError(
            f"{origin}: key '{where}' is missing",
            expected=f"the key '{place[-1]}'",
            found=", ".join(map(str, given)) if isinstance(given, Mapping) and given else "none",
            remedy=f"add it; {KEYS}",
        )
    several = several and error["type"] != "finite_number"
    expected = ANY if several else expected_of(error)
    return not_valid(place, expected, error["input"], origins, near_of(error))


def not_valid(
    place: Sequence[str], expected: str, found: object, origins: Origins, near: str | None = None
) -> ManifestError:
    """Return the error for the value at a place; `near` is a valid one that looks like it."""
    return ManifestError(
        f"{origins.of(*place)}: '{'.'.join(place)}' is not valid",
        expected=expected,
        found=written(found),
        remedy=f"did you mean '{near}'?" if near else f"correct it; {KEYS}",
    )


def value_at(document: Any, place: Sequence[str]) -> object:
    """Return the value at a place of plain values."""
    for part in place:
        document = document[int(part) if isinstance(document, list | tuple) else part]
    return document
