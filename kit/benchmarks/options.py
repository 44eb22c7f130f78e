"""The right one of lettered options, in the forms in which tables state it."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from string import ascii_uppercase

from kit.benchmarks.cells import is_missing, text
from kit.benchmarks.identity import is_invisible
from kit.benchmarks.left_out import OddCell

NONE_OF_THEM = "none of the above"
_LETTER = re.compile(r"[(\[]?\s*([A-Za-z])\s*[)\].:]*")
_LETTER_AND_TEXT = re.compile(r"(?:\(\s*([A-Za-z])\s*\)|([A-Za-z])\s*[).:])[\s.:)-]*(\S.*)", re.S)

# Words that may stand before a letter.
_SAID = re.compile(
    r"^(the\s+)?((correct|right)\s+)?(answer|option|choice)\b\s*(is\b)?\s*[:=]?\s*", re.IGNORECASE
)


def folded(text: str) -> str:
    """Return a text for comparison: NFKC, without case, repeated blanks and invisible characters.

    Punctuation counts: C, C++ and C# are three options.
    """
    normal = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join("".join(c for c in normal if not is_invisible(c)).split())


def without_words(said: str) -> str:
    """Return what follows words such as "The answer is" or "Option"; other texts trimmed."""
    return _SAID.sub("", said.strip())


def letter_of(key: str) -> str:
    """Return the letter that a key such as `a`, `(A)` or `A.` stands for; other keys trimmed."""
    found = _LETTER.fullmatch(unicodedata.normalize("NFKC", key.strip()))
    return found[1].upper() if found else key.strip()


def lettered(options: Sequence[str]) -> dict[str, str]:
    """Return {letter: text} of options that begin with A, B, C, in any order: `A. a cat`; or {}."""
    made = dict(filter(None, map(apart, options)))
    return made if sorted(made) == list(ascii_uppercase[: len(options)]) else {}


def apart(option: str) -> tuple[str, str] | None:
    """Return letter and text of an option that begins with a letter: `A. a cat`; or None."""
    found = _LETTER_AND_TEXT.fullmatch(without_words(option))
    return ((found[1] or found[2]).upper(), found[3].strip()) if found else None


def mapped(options: object) -> object:
    """Return {letter: text} of a list of options that begin with letters; other values stay."""
    if isinstance(options, list) and all(isinstance(each, str) for each in options):
        return lettered(options) or options
    return options


def offered(given: Mapping[str, object], where: str, field: str) -> dict[str, str]:
    """Return {letter: text} of the options of a question, without empty ones.

    Args:
        given: {key: cell}, as published; parquet gives all rows the keys of each.
        where: file and row.
        field: the name of the options in the table.

    Raises:
        OddCell: two keys are one letter, two texts are one by `folded`, the texts begin with the
            letters of each other, there are fewer than two options, or one is no text.
    """

    def odd(problem: str, expected: str) -> OddCell:
        return OddCell(where, field, problem, expected=expected, found=given)

    there = [
        (letter_of(without_words(str(key)) or str(key)), cell)
        for key, cell in given.items()
        if not is_missing(cell)
    ]
    found = {letter: text(cell, where, f"{field}.{letter}") for letter, cell in there}
    if len(found) < len(there):
        raise odd("has a letter twice", "one option for each letter")
    if len(set(map(folded, found.values()))) < len(found):
        raise odd("has a text twice", "another text for each letter")
    if len(found) < 2:
        raise odd("has fewer than two options", "two options or more")
    inner = [apart(each) for each in found.values()]
    letters = [each[0] for each in inner if each]
    if letters != list(found) and sorted(letters) == sorted(found):
        raise odd("has other letters within its texts", "texts without letters, or with their own")
    return found


def right_letter(answer: str, options: Mapping[str, str]) -> str | None:
    """Return the letter of the right option, or None if the answer names none, or two.

    Args:
        answer: a letter (`B`, `b`, `(B)`, `B.`), a letter with the text of its option
            (`B. a cat`), or the text of an option alone, with or without a full stop. Words such as
            "The answer is" may stand before it, unless they belong to the text of an option.
        options: {letter: text}, without two equal texts.
    """
    bare = without_words(answer)
    return _named(answer, options) or (_named(bare, options) if bare != answer.strip() else None)


def _named(answer: str, options: Mapping[str, str]) -> str | None:
    by_text = _letter_of_text(answer, options)
    by_letter = letter_of(answer) if letter_of(answer) in options else None
    if by_text and by_letter and by_text != by_letter:
        return None  # {A: "B", B: "A"}: the letter of one option is the text of another
    if by_letter or by_text:
        return by_letter or by_text
    if both := _LETTER_AND_TEXT.fullmatch(answer.strip()):
        letter = (both[1] or both[2]).upper()
        return letter if _letter_of_text(both[3], options) == letter else None
    return None


def _letter_of_text(text: str, options: Mapping[str, str]) -> str | None:
    """Return the letter of the option with this text; a full stop at its end does not count."""
    texts = {folded(each): letter for letter, each in options.items()}
    bare = [letter for each, letter in texts.items() if _bare(each) == _bare(folded(text))]
    return texts.get(folded(text)) or (bare[0] if len(bare) == 1 else None)


def _bare(text: str) -> str:
    return text.rstrip(" .")
