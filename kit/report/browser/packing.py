"""The table of the answer browser inside its page: compressed, and taken out again to compare.

Builds of zlib compress one text into different bytes. So two pages are equal if what they unpack to
is equal, and all else is equal byte for byte.
"""

import base64
import binascii
import json
import re
import zlib

from kit.report.browser.data import answer_data
from kit.report.browser.shown import Extent, Shown

MAX_ANSWERS = 500_000  # on one page
MAX_PACKED = 20 << 20  # characters, pictures included: a report has 32 MiB for all its pages
OPENING, CLOSING = b'<script type="text/plain" id="data">', b"</script>"
_BLOCK = re.compile(re.escape(OPENING) + rb"([A-Za-z0-9+/=]*)" + re.escape(CLOSING))


def packed_answers(shown: Shown, most: int = MAX_PACKED) -> str:
    """Return the table as base64 of compressed JSON, of the largest extent that fits a page."""
    extent = Extent()
    while True:
        if extent.count(shown) <= MAX_ANSWERS:
            text = json.dumps(answer_data(shown, extent), ensure_ascii=False, separators=(",", ":"))
            packed = base64.b64encode(zlib.compress(text.encode(), 6)).decode("ascii")
            if len(packed) <= most or extent.every > len(shown.measured.scores.records):
                return packed
        extent = extent.smaller()


def unpacked(page: bytes, most: int | None = None) -> bytes:
    """Return a page with its table as the browser reads it, instead of the compressed one.

    Args:
        page: the bytes of answers.html.
        most: bytes of the table; None for a page that this kit has just made.

    Raises:
        ValueError: there is not exactly one table, it is damaged, or larger than that.
    """
    blocks = list(_BLOCK.finditer(page))
    if len(blocks) != 1:
        raise ValueError(f"{len(blocks)} tables of answers instead of one")
    place = blocks[0].span(1)
    try:
        data = base64.b64decode(page[slice(*place)], validate=True)
        reader = zlib.decompressobj()
        table = reader.decompress(data, 0 if most is None else most + 1)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"a damaged table of answers: {error}") from None
    too_long = most is not None and len(table) > most
    if not reader.eof or reader.unused_data or too_long:
        raise ValueError("a table of answers that is cut off, too long, or followed by more")
    return page[: place[0]] + table + page[place[1] :]
