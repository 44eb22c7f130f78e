"""The options of methods, attacks and benchmarks: which there are, and what each may be.

Options are the fields of a frozen dataclass, each with its default. `built` checks the names and
types of a manifest's options. The dataclass calls `require` in `__post_init__` to state ranges.
"""

import dataclasses
import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, Protocol, TypeVar, get_args

from kit.errors import ManifestError, unknown

Kind = TypeVar("Kind")
FINITE = "a finite number"
WORDS = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}


class Allowed(Protocol):
    """What an option may be; as a text, it is what an error expects."""

    def has(self, value: object) -> bool:
        """Say whether a value is allowed."""


@dataclass(frozen=True)
class Range:
    """Finite numbers from `low` to `most`; `low` itself is one of them unless `above`."""

    low: float
    above: bool = False
    most: float = math.inf

    def has(self, value: object) -> bool:
        """Say whether a value is in the range."""
        if not isinstance(value, int | float) or not is_finite(value):
            return False
        return self.low <= value <= self.most and not (self.above and value == self.low)

    def __str__(self) -> str:
        most = f" and <= {self.most:g}" if math.isfinite(self.most) else ""
        return f"{FINITE} {'>' if self.above else '>='} {self.low:g}{most}"


@dataclass(frozen=True)
class OneOf:
    """Some words."""

    words: tuple[str, ...]

    def has(self, value: object) -> bool:
        """Say whether a value is one of the words."""
        return value in self.words

    def __str__(self) -> str:
        return f"one of {', '.join(self.words)}"


@dataclass(frozen=True)
class Accepted:
    """Values that a function accepts, in words."""

    accepts: Callable[[object], bool]
    words: str

    def has(self, value: object) -> bool:
        """Say whether a value is accepted."""
        return self.accepts(value)

    def __str__(self) -> str:
        return self.words


POSITIVE = Range(0, above=True)
NOT_NEGATIVE = Range(0)
COUNT = Range(1)
SHARE = Range(0, above=True, most=1)
SHARE_OR_NONE = Range(0, most=1)


def built(
    kind: type[Kind], given: Mapping[str, Any], subject: str, *, origin: str, remedy: str
) -> Kind:
    """Return the object whose options are given.

    Args:
        kind: a dataclass; its fields are the options.
        given: the options of a manifest.
        subject: whose options they are, such as "method 'npo'".
        origin: the place in the manifest, for messages.
        remedy: where the options are described.

    Raises:
        ManifestError: there is no such option, or a value has another type or is out of range.
    """
    known = {option.name: option for option in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name, value in given.items():
        if name not in known:
            what = f"{origin}: {subject} has no option '{name}'"
            if not known:
                raise ManifestError(
                    what, expected="no option", found=f"'{name}'", remedy="leave `options` out"
                )
            raise unknown(what, name, known, remedy=f"correct `options`; {remedy}")
        wanted = _type_of(known[name])
        if wanted in WORDS and type(value) not in ((float, int) if wanted is float else (wanted,)):
            raise _refusal(f"{origin}: ", name, subject, WORDS[wanted], value, remedy)
    try:
        made = kind(**given)
    except ManifestError as error:  # of `require`: it knows what is allowed
        raise ManifestError(
            f"{origin}: {error.what}",
            expected=error.expected,
            found=error.found,
            remedy=error.remedy,
        ) from None
    for name, value in given.items():  # of options without a range
        if isinstance(value, int | float) and not is_finite(value):
            raise _refusal(f"{origin}: ", name, subject, FINITE, value, remedy)
    return made


def is_finite(value: float) -> bool:
    """Say whether a number is finite, as a float of Python."""
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False


def require(options: object, **allowed: Allowed) -> None:
    """Check the ranges of options; their class calls this in `__post_init__`.

    An option that is None is one that was left out.

    Args:
        allowed: what each option may be.

    Raises:
        ManifestError: an option is something else; the message says what it may be.
    """
    for name, values in allowed.items():
        value = getattr(options, name)
        if value is not None and not values.has(value):
            module = type(options).__module__
            room, _, of = module.removeprefix("kit.").partition(".")
            subject = f"{room.removesuffix('s')} '{of.partition('.')[0]}'"
            remedy = f"see {module.replace('.', '/')}.py"
            words = values.words if isinstance(values, OneOf) else ()
            if near := difflib.get_close_matches(str(value), words, n=1):
                remedy = f"did you mean '{near[0]}'?"
            raise _refusal("", name, subject, str(values), value, remedy)


def written(value: object) -> str:
    """Return a value about as a manifest has it, in at most 120 characters."""
    return (str(value).lower() if isinstance(value, bool) else repr(value))[:120]


def _refusal(
    origin: str, name: str, subject: str, expected: str, value: object, remedy: str
) -> ManifestError:
    return ManifestError(
        f"{origin}option '{name}' of {subject} is not valid",
        expected=expected,
        found=written(value),
        remedy=f"correct `options`; {remedy}",
    )


def _type_of(option: "dataclasses.Field[Any]") -> object:
    """Return the type of an option's values; None as a default is an option left out."""
    if option.default is not None:
        return type(option.default)
    kinds = get_args(option.type) or (option.type,)
    return next((kind for kind in kinds if kind is not NoneType), None)
