"""The records of a job that take the most memory: a micro-batch that fits them fits all others."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from kit.benchmarks.records import Record
from kit.pictures.decoding import pixels_of
from kit.training.sampling import Drawn

CANDIDATES = 8  # by each of two orders; they alone are encoded


def longest(
    draws: Sequence[Drawn],
    records_of: Callable[[Drawn], Sequence[Record]],
    tokens_of: Callable[[Sequence[Record]], Sequence[int]],
    count: int,
) -> list[Drawn]:
    """Return the `count` draws whose records together have the most tokens, longest first.

    Encoding all records would decode all images. So only those with the longest texts and those
    with the largest images are encoded.

    Args:
        records_of: a draw's record and those that are computed beside it.
        tokens_of: the lengths of records in tokens, images included.
    """
    number = max(CANDIDATES, count)
    orders = [
        sorted(draws, key=lambda draw: -sum(weight(record) for record in records_of(draw)))
        for weight in (_text, _pixels)
    ]
    chosen = {(record.id, epoch): (record, epoch) for o in orders for record, epoch in o[:number]}
    return sorted(chosen.values(), key=lambda draw: -sum(tokens_of(records_of(draw))))[:count]


def _text(record: Record) -> int:
    return len(record.question) + len(record.answer)


def _pixels(record: Record) -> int:
    return 0 if record.image is None else _area(record.image)


@lru_cache(maxsize=65536)
def _area(path: Path) -> int:
    """Return the pixels of an image, from its header; 0 where it cannot be read.

    The training step that needs it ends with an error that names the file.
    """
    return pixels_of(path)
