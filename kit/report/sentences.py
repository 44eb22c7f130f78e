"""Parts of the sentences of a report: numbers, lists and titles."""

from collections.abc import Sequence


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 claim`, `2,000 claims`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listing(parts: Sequence[str]) -> str:
    """Return `a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def lowered(title: str) -> str:
    """Return a title as it is written within a sentence."""
    return title[:1].lower() + title[1:]
