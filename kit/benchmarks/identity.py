"""Who is who: when two spellings are one person, or one event.

Splits, clusters, worked examples, near-duplicates and lists of ids all ask `identity`. It rests on
`words`, by which every metric compares names. So no two names that a metric takes for one are
counted as two people.
"""

import re
import unicodedata
from collections.abc import Iterable

from kit.benchmarks.words import words
from kit.names import show

# Invisible characters that Unicode does not count as format characters (category Cf): the grapheme
# joiner, Hangul fillers, Khmer vowels without a form, and variation selectors.
_INVISIBLE = frozenset(
    map(chr, (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0x180B, 0x1810),
              *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)  # fmt: skip
_BETWEEN_WORDS = re.compile(r"(?<!\d) | (?!\d)")
# Apostrophes that Unicode counts as letters, and accents alone that are typed as one.
_APOSTROPHES = map(chr, (*range(0x2B9, 0x2C0), 0x2C8, 0x2CA, 0x2CB, 0xA78B, 0xA78C, 0xB4, 0x1FBD,
                         0x1FBF, 0x1FEF, 0x1FFD))  # fmt: skip
# Turkish writes i with and without a dot, and other programs change one into the other with the
# case. The Arabic stroke U+0640 only lengthens a word.
_FOLDED = str.maketrans(
    {**dict.fromkeys(_APOSTROPHES, "'"), "\u0130": "i", "\u0131": "i", "\u0640": None}
)


def is_invisible(character: str) -> bool:
    """Say whether a character shows nothing: zero-width, a format character or a filler."""
    return character in _INVISIBLE or unicodedata.category(character) == "Cf"


def identity(name: str) -> str:
    """Return the key of a person or an event: equal keys are one of them.

    Case, Unicode form (NFKC), blanks of every kind, punctuation and invisible characters do not
    count: `Al-Salem`, `al salem` and `AlSalem` are one name, as in the laxer reading of
    `kit.metrics.name_matching`. Every apostrophe is punctuation, digits of all scripts are equal,
    and so are the Turkish i with and without a dot. Other accents count: José is not Jose. A blank
    between two digits counts: `Ann 1 2` is not `Ann 12`. A name without a letter or digit is
    compared as it is, without blanks. Only an empty name has the key "".
    """
    # Before NFKC, which makes a blank of an accent alone, and after it.
    normal = unicodedata.normalize("NFKC", name.translate(_FOLDED)).translate(_FOLDED)
    undotted = unicodedata.normalize("NFKC", normal.replace("i\u0307", "i"))
    visible = "".join(
        str(unicodedata.decimal(c)) if c.isdecimal() else c for c in undotted if not is_invisible(c)
    )
    apart = " ".join(words(visible))
    return _BETWEEN_WORDS.sub("", apart) or "".join(visible.split())


def spellings(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return {key: the distinct spellings of it, in their order}; empty names are left out."""
    found: dict[str, dict[str, None]] = {}
    for name in names:
        if key := identity(name):
            found.setdefault(key, {})[name] = None
    return {key: tuple(each) for key, each in found.items()}


def in_both(left: Iterable[str], right: Iterable[str]) -> list[str]:
    """Return who is in both groups, each as one printable text: the name, or its two spellings."""
    first, second = spellings(left), spellings(right)
    return [spelt(first[key][0], second[key][0]) for key in sorted(first.keys() & second.keys())]


def not_in(names: Iterable[str], others: Iterable[str]) -> list[str]:
    """Return the first spelling of each name that is not among the others, sorted."""
    known = spellings(others)
    return sorted(each[0] for key, each in spellings(names).items() if key not in known)


def one_spelling(names: Iterable[str]) -> dict[str, str]:
    """Return {key: the spelling that stands for it}: the first one."""
    return {key: each[0] for key, each in spellings(names).items()}


def merged(names: Iterable[str]) -> tuple[str, ...]:
    """Return a note on each name that is spelt in several ways: it counts as one."""
    return tuple(
        f"One name in {len(each)} spellings counts as one: {spelt(each[0], each[1])}."
        for each in spellings(names).values()
        if len(each) > 1
    )


def spelt(first: str, second: str) -> str:
    """Return two spellings for a message, so that a reader sees how they differ.

    Where the spellings look equal, the code points of the differing characters are shown.
    """
    if first == second:
        return f"'{show(first)}'"
    if _look(first) != _look(second):
        return f"'{show(first)}' and '{show(second)}'"
    return f"'{show(first)}' ({_points(first)}) and '{show(second)}' ({_points(second)})"


def _look(name: str) -> str:
    """Return what a reader sees of a name: blanks are alike, invisible characters show nothing."""
    seen = "".join(c for c in unicodedata.normalize("NFKC", name) if not is_invisible(c))
    return " ".join(seen.split())


def _points(name: str) -> str:
    plain = (c if c.isascii() and c.isprintable() else f"<U+{ord(c):04X}>" for c in name)
    return "".join(plain).replace("  ", "<two blanks>")
