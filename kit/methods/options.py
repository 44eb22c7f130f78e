"""What values an option of a method may have: names for the files of methods."""

from kit.experiment.options import (
    COUNT,
    NOT_NEGATIVE,
    POSITIVE,
    SHARE,
    SHARE_OR_NONE,
    Accepted,
    OneOf,
    Range,
    require,
)

__all__ = [
    "COUNT",
    "NOT_NEGATIVE",
    "POSITIVE",
    "SHARE",
    "SHARE_OR_NONE",
    "Accepted",
    "OneOf",
    "Range",
    "require",
]
