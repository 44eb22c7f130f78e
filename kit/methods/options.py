"""What values an option of a method may have, checked when the method is built."""

import math
from dataclasses import dataclass

from kit.errors import ManifestError


@dataclass(frozen=True)
class Range:
    """Finite numbers from `low` on; `low` itself is one of them unless `above`."""

    low: float
    above: bool = False

    def has(self, value: object) -> bool:
        """Say whether a value is in the range."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return math.isfinite(value) and (value > self.low if self.above else value >= self.low)

    def __str__(self) -> str:
        return f"a finite number {'>' if self.above else '>='} {self.low:g}"


@dataclass(frozen=True)
class OneOf:
    """Some words."""

    words: tuple[str, ...]

    def has(self, value: object) -> bool:
        """Say whether a value is one of the words."""
        return value in self.words

    def __str__(self) -> str:
        return f"one of {', '.join(self.words)}"


POSITIVE = Range(0, above=True)
NOT_NEGATIVE = Range(0)
COUNT = Range(1)


def require(method: object, **allowed: Range | OneOf) -> None:
    """Check the options of a method; a method calls this in `__post_init__`.

    Args:
        allowed: what each option may be.

    Raises:
        ManifestError: an option is something else; the message says what it may be.
    """
    for name, values in allowed.items():
        value = getattr(method, name)
        if not values.has(value):
            module = type(method).__module__
            raise ManifestError(
                f"option '{name}' of method '{module.rpartition('.')[2]}' is not valid",
                expected=str(values),
                found=repr(value),
                remedy=f"correct `options`; see {module.replace('.', '/')}.py",
            )


@dataclass(frozen=True)
class Share(Range):
    """Finite numbers up to 1."""

    def has(self, value: object) -> bool:
        """Say whether a value is in the range."""
        return super().has(value) and isinstance(value, int | float) and value <= 1

    def __str__(self) -> str:
        return f"{super().__str__()} and <= 1"


SHARE = Share(0, above=True)
SHARE_OR_NONE = Share(0)
