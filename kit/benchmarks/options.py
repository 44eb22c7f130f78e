"""The right one of lettered options, in the forms in which tables state it."""

import re
import unicodedata
from collections.abc import Mapping

from kit.benchmarks.identity import is_invisible

NONE_OF_THEM = "none of the above"
_LETTER = re.compile(r"\(?\s*([A-Za-z])\s*[).:]*")
_LETTER_AND_TEXT = re.compile(r"(?:\(\s*([A-Za-z])\s*\)|([A-Za-z])\s*[).:])[\s.:)-]*(\S.*)", re.S)


def folded(text: str) -> str:
    """Return a text for comparison: NFKC, without case, repeated blanks and invisible characters.

    Punctuation counts: C, C++ and C# are three options.
    """
    normal = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join("".join(c for c in normal if not is_invisible(c)).split())


def letter_of(key: str) -> str:
    """Return the letter that a key such as `a`, `(A)` or `A.` stands for; other keys trimmed."""
    found = _LETTER.fullmatch(key.strip())
    return found[1].upper() if found else key.strip()


def right_letter(answer: str, options: Mapping[str, str]) -> str | None:
    """Return the letter of the right option, or None if the answer names none, or two.

    Args:
        answer: a letter (`B`, `b`, `(B)`, `B.`), a letter with the text of its option
            (`B. a cat`), or the text of an option alone.
        options: {letter: text}, without two equal texts.
    """
    texts = {folded(text): letter for letter, text in options.items()}
    by_text = texts.get(folded(answer))
    by_letter = letter_of(answer) if letter_of(answer) in options else None
    if by_text and by_letter and by_text != by_letter:
        return None  # {A: "B", B: "A"}: the letter of one option is the text of another
    if by_letter or by_text:
        return by_letter or by_text
    if both := _LETTER_AND_TEXT.fullmatch(answer.strip()):
        letter = (both[1] or both[2]).upper()
        return letter if texts.get(folded(both[3])) == letter else None
    return None
