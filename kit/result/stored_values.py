"""Is a stored value the one that follows? Numbers exactly, sentences without regard to wording.

A later version of the kit may say the same thing in better words. A sentence in the same words must
still have the same numbers.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

ABSENT = object()  # another thing than null
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?")


def same_value(stored: object, computed: object) -> bool:
    """Say whether two JSON values are equal; 1 and 1.0 are, 1 and true are not."""
    if isinstance(stored, bool) or isinstance(computed, bool):
        return stored is computed
    return stored == computed


def same_words(stored: object, computed: object) -> bool:
    """Say whether two sentences may mean the same: both empty or neither, and no other number.

    Wording is free. Where the words are equal, the numbers must be.
    """
    if not isinstance(stored, str) or not isinstance(computed, str):
        return stored is None and computed is None
    if bool(stored) != bool(computed):
        return False
    return stored == computed or _NUMBER.sub("#", stored) != _NUMBER.sub("#", computed)


def other_numbers(stored: Sequence[str], computed: Sequence[str]) -> str:
    """Return the first stored sentence that has another one's words and other numbers, or ""."""
    right: dict[str, set[str]] = defaultdict(set)
    for sentence in computed:
        right[_NUMBER.sub("#", sentence)].add(sentence)
    wrong = (each for each in stored if each not in right.get(_NUMBER.sub("#", each), {each}))
    return next(wrong, "")
