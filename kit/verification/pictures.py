"""The thumbnails of a result: are they small pictures of images that its records name?

Nothing is decoded: a decoder reads bytes of a stranger. What a thumbnail shows is not checked.
"""

import base64
import binascii
from collections.abc import Iterator

import pandas as pd

from kit.names import show
from kit.result.layout import PICTURES, RECORDS, RUN
from kit.result.stored import StoredResult
from kit.result.unusable import unusable
from kit.verification.contradiction import contradicts

MAX_CHARACTERS = 9 << 20  # of all thumbnails together, as base64
RIFF_HEAD = 12  # bytes: "RIFF", the length of what follows, "WEBP"


def require_pictures(stored: StoredResult) -> None:
    """Check the thumbnails, if there are any.

    Raises:
        VerificationError: the manifest wants none, or one is of no record, occurs twice, or is no
            WebP file.
    """
    table = stored.tables.get(PICTURES)
    if table is None:
        return
    report = stored.manifest.get("report")
    if isinstance(report, dict) and report.get("images") is False:
        raise contradicts(
            f"the result has {PICTURES}", f"none: report.images is false in {RUN}", [PICTURES]
        )
    if faults := list(_faults(table, set(stored.tables[RECORDS]["image"]))):
        raise contradicts(f"{PICTURES} has {len(faults)} wrong rows", "thumbnails", faults)
    if (size := int(table["webp"].str.len().sum())) > MAX_CHARACTERS:
        raise unusable(PICTURES, f"{size} characters, more than {MAX_CHARACTERS}")


def _faults(table: pd.DataFrame, images: set[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name, text in table[["image", "webp"]].itertuples(index=False, name=None):
        if not name or name not in images:
            yield f"{show(name)}: of no record"
        if name in seen:
            yield f"{show(name)}: there twice"
        if not _is_webp(text):
            yield f"{show(name)}: no WebP file as base64"
        seen.add(name)


def _is_webp(text: str) -> bool:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    head, length, kind = data[:4], data[4:8], data[8:RIFF_HEAD]
    return head == b"RIFF" and kind == b"WEBP" and int.from_bytes(length, "little") + 8 == len(data)
