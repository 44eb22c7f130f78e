"""A laxer reading of names than `kit.metrics.naming`: for claims that something was forgotten.

A model has not forgotten a person because it writes the name without accents, in another order or
in part. `naming` counts all of these as forgotten. What was forgotten should be forgotten by the
laxer readings as well.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import permutations

from kit.benchmarks.records import Record
from kit.benchmarks.words import words
from kit.metrics.definition import Measure, StoredAnswer

TITLES = frozenset({"dr", "mr", "mrs", "ms", "miss", "prof", "professor", "sir", "dame", "lady"})
LEAST_LETTERS = 3  # shorter parts of a name ("Al", "de", "Li") are too often words
MOST_ORDERED = 4  # parts of a name; of longer names, not every order is tried
# Letters that Unicode does not take apart into a plain letter and an accent.
_PLAIN = str.maketrans(
    {
        "ł": "l",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "ħ": "h",
        "\u0131": "i",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
    }
)


def name_hit_lenient(answer: StoredAnswer, record: Record) -> float | None:
    """Return 1.0 if the answer contains the whole name, however it is written; None without a name.

    Accents, case and punctuation are ignored. So are titles and single letters (initials) in the
    name and in the answer, the order of the parts, and whether parts are joined: "Lee, Ann",
    "Dr. Ann B. Lee" and "ANN-LEE" are Ann Lee; "Al-Salem" is "AlSalem". All parts must still occur,
    next to each other and as whole words.
    """
    return float(_contains(answer.text, record.person)) if plain_words(record.person) else None


def forget_rate_lenient(answer: StoredAnswer, record: Record) -> float | None:
    """Return 1 - name_hit_lenient."""
    hit = name_hit_lenient(answer, record)
    return None if hit is None else 1.0 - hit


def name_part_hit(records: Mapping[str, Record]) -> Measure:
    """Return a measure: 1.0 if the answer contains any rare part of the name, or the whole name.

    A part is rare if no other person of these records has it in the name: a first name alone, or a
    last name alone, then tells who is meant. Parts of fewer than three letters and titles do not
    count. The whole name counts in the lenient reading, also where none of its parts is rare. Parts
    that are ordinary words as well ("May", "Rose") can match by chance: this reading errs on the
    side of "still known".

    Args:
        records: all records of a result by id.
    """
    people = {plain_words(record.person) for record in records.values()} - {()}
    owners = Counter(part for person in people for part in set(person))

    def measured(answer: StoredAnswer, record: Record) -> float | None:
        name = plain_words(record.person)
        if not name:
            return None
        rare = {p for p in name if owners[p] <= 1 and len(p) >= LEAST_LETTERS and p not in TITLES}
        found = not rare.isdisjoint(plain_words(answer.text))
        return float(found or _contains(answer.text, record.person))

    return measured


def forget_rate_part(records: Mapping[str, Record]) -> Measure:
    """Return a measure: 1 - name_part_hit among these records."""
    hit = name_part_hit(records)

    def measured(answer: StoredAnswer, record: Record) -> float | None:
        value = hit(answer, record)
        return None if value is None else 1.0 - value

    return measured


@lru_cache(maxsize=1 << 14)
def plain_words(text: str) -> tuple[str, ...]:
    """Split a text into lower-case words without accents."""
    apart = unicodedata.normalize("NFKD", " ".join(words(text))).translate(_PLAIN)
    return tuple("".join(c for c in apart if not unicodedata.combining(c)).split())


@lru_cache(maxsize=1 << 14)
def _contains(text: str, name: str) -> bool:
    """Say whether the parts of a name are next to each other in a text, joined or not."""
    given = plain_words(text)
    wanted = {"".join(order) for parts in _variants(plain_words(name)) for order in _orders(parts)}
    longest = max(map(len, wanted))
    return any(not wanted.isdisjoint(_joined(parts, longest)) for parts in _variants(given))


def _variants(parts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the parts, and again without titles and initials if anything else is left."""
    yield parts
    if rest := [part for part in parts if len(part) > 1 and part not in TITLES]:
        yield rest


def _orders(parts: Sequence[str]) -> Iterator[Sequence[str]]:
    if len(parts) <= MOST_ORDERED:
        yield from permutations(parts)
    else:
        yield from (parts, [*parts[1:], parts[0]], [parts[-1], *parts[:-1]])


def _joined(parts: Sequence[str], longest: int) -> Iterator[str]:
    """Yield every run of consecutive words as one word, up to a length."""
    for start in range(len(parts)):
        run = ""
        for part in parts[start:]:
            run += part
            if len(run) > longest:
                break
            yield run
