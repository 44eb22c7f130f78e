"""How many bytes each file of a result may have. Sizes are checked before a file is read."""

from collections.abc import Iterable

from kit.result.layout import ADAPTERS, ANSWERS, LIKELIHOODS, RECORDS, REPORT, ROWS, SETS
from kit.result.tables import unusable

MAX_BYTES = 16 << 20  # of run.json and whatever else is JSON: what kit.result.strict_json reads
MAX_CARD_BYTES = 1 << 20  # card.json and README.md of an adapter have some 3 kB
MAX_REPORT_BYTES = 32 << 20  # of all pages together; those of 191 systems have 2 MB
# Stored, so compressed; kit.result.table_reading bounds what they unfold to.
_TABLE_BYTES = {
    RECORDS: 64 << 20, SETS: 64 << 20, ROWS: 64 << 20, ANSWERS: 256 << 20, LIKELIHOODS: 256 << 20,
}  # fmt: skip


def most_bytes(name: str) -> int:
    """Return the most bytes that the file `name` of a result may have to be read whole."""
    if name.startswith(REPORT):
        return MAX_REPORT_BYTES
    if name.startswith(f"{ADAPTERS}/"):
        return MAX_CARD_BYTES
    return _TABLE_BYTES.get(name, MAX_BYTES)


def require_small_report(sizes: Iterable[int]) -> None:
    """Check the sizes, in bytes, of all pages of a report, before one of them is read.

    Raises:
        VerificationError: they are too large together.
    """
    if (found := sum(sizes)) > MAX_REPORT_BYTES:
        raise unusable(REPORT, f"{found} bytes, more than {MAX_REPORT_BYTES}")
