"""Every record fits into the tables of a result, before anything is trained.

The limits are those of the verifier (`kit.result`), which would find a longer name only after
hours.
"""

import unicodedata
from collections.abc import Iterator

from kit.benchmarks.records import Benchmark, Record
from kit.errors import DataError
from kit.names import show
from kit.result.limits import MAX_ANSWERS, MAX_RECORDS
from kit.result.table_reading import MAX_ID, MAX_ITEMS, MAX_NAME, MAX_TEXT

REMEDY = (
    "correct the data: in a `folder` of your own, then run `./run.sh lock MANIFEST`; "
    "`./run.sh data describe MANIFEST` shows the records"
)


def require_storable(benchmark: Benchmark, systems: int) -> None:
    """Check the records that a column asks: their number, and the length of each text.

    Args:
        systems: how many are asked.

    Raises:
        DataError: a verifier would refuse the table of a result that holds them.
    """
    splits = benchmark.splits.values()
    asked = sorted({name for split in splits for ids in split.evaluation.values() for name in ids})
    for name in asked:
        if fault := next(faults(benchmark.records[name]), ""):
            raise DataError(
                f"record {show(name[:MAX_ID])} cannot be stored in a result",
                expected=f"texts of at most {MAX_TEXT} characters, ids and names of {MAX_NAME}, "
                f"lists of {MAX_ITEMS}, no control character in an id",
                found=fault,
                remedy=REMEDY,
            )
    if len(asked) > MAX_RECORDS or len(asked) * systems > MAX_ANSWERS:
        raise DataError(
            "more answers than a result can hold",
            expected=f"at most {MAX_RECORDS} records, and {MAX_ANSWERS} answers",
            found=f"{len(asked)} records, asked of {systems} systems",
            remedy="lower split.max_per_column, or leave out seeds or methods",
        )


def faults(record: Record) -> Iterator[str]:
    """Yield what of a record `kit.result.table_reading` would refuse."""
    texts = {
        "id": (record.id, MAX_ID),
        "person": (record.person, MAX_NAME),
        "event": (record.event, MAX_NAME),
        "question": (record.question, MAX_TEXT),
        "answer": (record.answer, MAX_TEXT),
        "paraphrase": (record.paraphrase, MAX_TEXT),
        "group": (record.group, MAX_TEXT),
    }
    for name, (text, most) in texts.items():
        if len(text) > most:
            yield f"{name} has {len(text)} characters: {show(text[:60])}..."
    for name, items in {"keywords": record.keywords, "candidates": record.candidates}.items():
        if len(items) > MAX_ITEMS:
            yield f"{len(items)} {name}"
        if any(len(item) > MAX_TEXT for item in items):
            yield f"one of the {name} has more than {MAX_TEXT} characters"
    if any(unicodedata.category(letter) == "Cc" for letter in record.id):
        yield f"its id has a control character: {record.id!a:.100}"
    for name in ("person", "event"):
        if "\0" in getattr(record, name):
            yield f"{name} has the character NUL"
