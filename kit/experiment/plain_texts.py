"""Texts that are read as they are written: no hidden character, no letter that passes for another.

A claim is read by people and compared by programs. A character that moves, reverses or hides what
is beside it, or a Cyrillic letter in a Latin word, lets the two read different claims.
"""

import re
import unicodedata
from collections.abc import Iterator

from kit.names import printable, show

# Letters that print as nothing or as a blank, though Unicode calls them letters or symbols.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")
_SELECTORS = range(0xFE00, 0xFE10)  # of the form of the letter before
MAX_MARKS = 2  # accents on one letter; more grow over other lines
# Of a manifest: what is under these names is for a model or a method, and may have line breaks.
PROSE = frozenset({"options", "judge"})
UNSEEN = "written with a character that is not seen"
# Alphabets that no word of Latin letters has a letter of. Greek has its place in formulas: only its
# letters that look like Latin ones are told.
_OTHER_ALPHABETS = ("CYRILLIC", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU", "DESERET", "OSAGE")
_GREEK = "GREEK"
# Letter: the Latin letter that it is printed like. Greek letters of formulas are not among them.
_CYRILLIC = (
    "\u0410\u0412\u0415\u0405\u0406\u0408\u041a\u041c\u041d\u041e\u0420\u0421"
    "\u0422\u0423\u0425\u051a\u051c\u04ae"
    "\u0430\u0435\u0455\u0456\u0458\u043e\u0440\u0441\u0443\u0445\u051b\u051d"
    "\u04bb\u04cf\u0501\u04af"
)
_GREEK_CAPITALS_AND_O = (
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4"
    "\u03a5\u03a7\u03f9\u03bf"
)
_LATIN = "ABESIJKMHOPCTYXQWYaesijopcyxqwhldyABEZHIKMNOPTYXCo"
_LOOKS_LIKE = dict(zip(_CYRILLIC + _GREEK_CAPITALS_AND_O, _LATIN, strict=True))
_ONE_FORM = str.maketrans("0I1|", "Olll")  # of letters and digits that a font prints alike
_WORD = re.compile(r"[^\W\d_]+")


def text_fault(text: str) -> str:
    """Return why a reader would see another line than is written, or "" if none would."""
    if text.isascii() and text.isprintable():
        return ""
    if show(text) != text or any(c in _BLANK or ord(c) in _SELECTORS for c in text):
        return UNSEEN
    marks = 0
    for letter in unicodedata.normalize("NFC", text):
        marks = marks + 1 if unicodedata.combining(letter) else 0
        if marks > MAX_MARKS:
            return f"written with more than {MAX_MARKS} accents on a letter"
    return _letter_fault(unicodedata.normalize("NFKC", text))


def text_faults(
    value: object, prose: frozenset[str] = frozenset(), place: tuple[str, ...] = ()
) -> Iterator[tuple[str, str, str]]:
    """Yield (place, what is wrong, the text) of each text in a JSON value that reads as another.

    Args:
        value: objects, lists and texts; the names of an object are texts as well.
        prose: names of values that may have line breaks, whatever is in them. They are given to a
            model, so their letters are free.
        place: of the value.
    """
    if isinstance(value, dict):
        for name, each in value.items():
            if fault := text_fault(name):
                yield ".".join((*place, name)), fault, name
            yield from text_faults(each, prose, (*place, name))
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value):
            yield from text_faults(each, prose, (*place, str(number)))
    elif isinstance(value, str):
        if prose.isdisjoint(place):
            fault = text_fault(value)
        else:
            fault = "" if printable(value) == value else UNSEEN
        if fault:
            yield ".".join(place), fault, value


def skeleton(text: str) -> str:
    """Return what a text looks like: Latin where it does, with one form of 0 and O, of 1 and l."""
    plain = unicodedata.normalize("NFKC", text)
    latin = "".join(_LOOKS_LIKE.get(letter, letter) for letter in plain)
    return latin.translate(_ONE_FORM).casefold().strip()


def _letter_fault(text: str) -> str:
    """Return which letters pass for Latin ones, or ""."""
    foreign = {letter for letter in text if _alphabet(letter)}
    for word in _WORD.findall(text):
        mixed = sorted(c for c in set(word) & foreign if _passes(c))
        if mixed and any(_is_latin(c) for c in word):
            return f"written with {unicodedata.name(mixed[0])} in a word of Latin letters"
    if foreign and foreign <= _LOOKS_LIKE.keys():
        return f"written with {unicodedata.name(min(foreign))}, which looks like a Latin letter"
    return ""


def _alphabet(letter: str) -> str:
    """Return the alphabet of a letter that may be taken for a Latin one, "" of any other."""
    named = unicodedata.name(letter, "").split(" ")[0] if not letter.isascii() else ""
    return named if named in (*_OTHER_ALPHABETS, _GREEK) else ""


def _passes(letter: str) -> bool:
    return letter in _LOOKS_LIKE or _alphabet(letter) != _GREEK


def _is_latin(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith("LATIN")
