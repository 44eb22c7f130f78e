"""Errors of the kit as values that JSON has: what an interpreter says to the driver."""

from collections.abc import Mapping

from kit import errors
from kit.errors import KitError, UnforeseenError


def fields_of(error: KitError) -> dict[str, str | None]:
    """Return an error as values that JSON has."""
    expected, found = (None if x is None else str(x) for x in (error.expected, error.found))
    return {
        "type": type(error).__name__,
        "what": error.what,
        "expected": expected,
        "found": found,
        "remedy": error.remedy,
        "traceback": error.traceback,
        "made_by": error.made_by,
    }


def error_of(fields: Mapping[str, str | None]) -> KitError:
    """Return the error of such values."""
    kind: type[KitError] = vars(errors).get(fields["type"] or "", UnforeseenError)
    error = kind(
        fields["what"] or "",
        expected=fields["expected"],
        found=fields["found"],
        remedy=fields["remedy"],
    )
    error.traceback, error.made_by = fields["traceback"], fields["made_by"] or ""
    return error
