"""Words of a text as every metric of the kit sees them: without case, punctuation or width."""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache


@lru_cache(maxsize=1 << 16)
def words(text: str) -> tuple[str, ...]:
    """Split a text into case-folded NFKC words.

    Every character that is neither a letter, a digit nor a combining mark separates words, so
    that `Al-Salem`, `al salem` and `AL.SALEM` are the same two words. Accents are kept: José is
    not Jose.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return tuple("".join(c if _in_word(c) else " " for c in folded).split())


def _in_word(character: str) -> bool:
    # Vowel signs of Indic scripts are marks, not letters: without them names would fall apart.
    return character.isalnum() or unicodedata.category(character).startswith("M")


def contains_phrase(text: str, phrase: str) -> bool:
    """Say whether all words of `phrase` occur in `text`, whole, consecutive and in order.

    An empty phrase is contained in nothing.
    """
    wanted = words(phrase)
    return bool(wanted) and f" {' '.join(wanted)} " in f" {' '.join(words(text))} "


def mentions(texts: Sequence[str], names: Sequence[str]) -> bool:
    """Say whether one of the texts has one of the names, whole.

    A name of one word is never found: it could be any word.
    """
    whole = [name for name in names if len(words(name)) > 1]
    return any(contains_phrase(text, name) for text in texts for name in whole)
