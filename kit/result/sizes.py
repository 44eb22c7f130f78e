"""How many bytes each file of a result may have. Sizes are checked before a file is read."""

from collections.abc import Iterable

from kit.result.layout import (
    ADAPTERS,
    ANSWERS,
    ATTACKED,
    BUNDLE,
    DISTANCES,
    ENVELOPE,
    FULL_UPDATE,
    GRADIENTS,
    JUDGED,
    LIKELIHOODS,
    LOSSES,
    NEURONS,
    PICTURES,
    READ_BY_VANILLA,
    RECORDS,
    REPORT,
    ROWS,
    SETS,
    SSH_SIGNATURE,
    TEST_RESULT,
    TOKENS,
    WEIGHTS,
)
from kit.result.unusable import unusable

MAX_BYTES = 16 << 20  # of run.json and whatever else is JSON: what kit.result.strict_json reads
MAX_CARD_BYTES = 1 << 20  # card.json and README.md of an adapter have some 3 kB
MAX_LOSSES_BYTES = 16 << 20  # a line of a step has some 120 bytes
# LoRA of rank 128 on all linear layers of a 7B model has 1.3 GB in float32.
MAX_FILE_BYTES = 2 << 30
# A full update of a 13B model has 51 GB in float32. It is read in chunks, never as a whole.
MAX_UPDATE_BYTES = 64 << 30
MAX_ENVELOPE_BYTES = 4 << 20  # of 83 files it has 24 kB; 2,000 adapters would need 2 MB
MAX_SSH_BYTES = 16 << 10  # one of Ed25519 has 314
MAX_BUNDLE_BYTES = 8 << 20
MAX_REPORT_BYTES = 32 << 20  # of all pages together; those of 191 systems have 2 MB
# Stored, so compressed; kit.result.table_reading bounds what they unfold to.
_MOST_BYTES = {
    RECORDS: 64 << 20, SETS: 64 << 20, ROWS: 64 << 20, ANSWERS: 256 << 20, LIKELIHOODS: 256 << 20,
    TOKENS: 256 << 20, DISTANCES: 256 << 20, GRADIENTS: 64 << 20, READ_BY_VANILLA: 256 << 20,
    JUDGED: 256 << 20,
    ATTACKED: 256 << 20, PICTURES: 16 << 20, ENVELOPE: MAX_ENVELOPE_BYTES,
    TEST_RESULT: MAX_ENVELOPE_BYTES,
    SSH_SIGNATURE: MAX_SSH_BYTES, BUNDLE: MAX_BUNDLE_BYTES,
}  # fmt: skip


def most_bytes(name: str) -> int:
    """Return the most bytes that the file `name` of a result may have."""
    if name.startswith(REPORT):
        return MAX_REPORT_BYTES
    if name.startswith(f"{ADAPTERS}/"):
        file = name.rpartition("/")[2]
        most = {
            WEIGHTS: MAX_FILE_BYTES, FULL_UPDATE: MAX_UPDATE_BYTES, LOSSES: MAX_LOSSES_BYTES,
            NEURONS: MAX_BYTES,
        }  # fmt: skip
        return most.get(file, MAX_CARD_BYTES)
    return _MOST_BYTES.get(name, MAX_BYTES)


def require_small_report(sizes: Iterable[int]) -> None:
    """Check the sizes, in bytes, of all pages of a report, before one of them is read.

    Raises:
        VerificationError: they are too large together.
    """
    if (found := sum(sizes)) > MAX_REPORT_BYTES:
        raise unusable(REPORT, f"{found} bytes, more than {MAX_REPORT_BYTES}")
