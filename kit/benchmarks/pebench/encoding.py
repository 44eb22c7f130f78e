"""The text of a table: UTF-8, UTF-16 with a mark, or the encoding that the manifest names.

UTF-8 and marked UTF-16 can be recognised for certain. Windows-1252 and its relatives cannot: every
byte means something in each of them. Such a table is read only if `options.encoding` names it.
"""

import codecs
import json
from pathlib import Path

from kit.errors import DataError
from kit.pictures.content import describe_bytes

# In this order: the mark of UTF-32 begins with that of UTF-16.
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
USUAL = ("cp1252", "cp1250", "cp1251")  # Western, Central European and Cyrillic Windows
TABLES = {".csv", ".tsv", ".txt", ".xls", ".xlsx", ".ods", ".json", ".jsonl", ".parquet"}
JSON = "JSON text"
NO_TABLES = {
    JSON, "an empty file", "an HTML page", "an HTML or XML page",
    "a git-lfs pointer, not the file it stands for",
    "a git-annex pointer, not the file it stands for",
}  # fmt: skip
ARCHIVES = ("a zip", "a gzip", "a 7z", "a rar", "a bzip2", "an xz", "a zstd", "a PDF", "a parquet")
AROUND = 16  # bytes that an error shows on each side of a wrong one


def read_text(path: Path, declared: str = "") -> str:
    """Return the text of a table.

    Args:
        path: the table.
        declared: the encoding of a table that is neither UTF-8 nor marked; "" if none is named.

    Raises:
        DataError: the file is missing, is not in the encoding that it should be in, or has a NUL.
    """
    if not path.is_file():
        beside = sorted(
            each.name + "/" * each.is_dir()
            for each in path.parent.glob("*")
            if TABLES & {suffix.lower() for suffix in each.suffixes}
        )
        raise DataError(
            f"{path} is missing",
            expected=f"the table {path.name} in the folder of the source",
            found=", ".join(beside) or "no table",
            remedy=f"name the table {path.name} and put it there, as CSV text, then run "
            "`./run.sh lock MANIFEST`; of a source on the hub, `./run.sh fetch MANIFEST` brings "
            "what is listed",
        )
    data = path.read_bytes()
    _require_table(path, data)
    encoding = _encoding_of(data, declared)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise _undecodable(path, data, error, encoding) from None
    _require_text(path, text, data)
    return text.removeprefix("\ufeff")


def _require_table(path: Path, data: bytes) -> None:
    """Check that the bytes are not a known format that is no table of text.

    Raises:
        DataError: they are a workbook, a pointer, a page, JSON, or nothing at all.
    """
    kind = describe_bytes(data.removeprefix(codecs.BOM_UTF8))
    if kind == JSON and not _is_json(data):
        return  # a header such as [file],[name]
    if kind not in NO_TABLES and (_is_utf8(data) or not kind.startswith(ARCHIVES)):
        return
    pull = "run `git lfs pull` (or `git annex get`) where the data was cloned"
    raise DataError(
        f"{path.name} is {kind}, no table of text",
        expected="CSV: a header, and a row for each image or person",
        found=f"{len(data)} bytes",
        remedy=pull
        if "pointer" in kind
        else "save the table as CSV: in a spreadsheet with `Save as`, CSV UTF-8; in pandas with "
        "`table.to_csv(path, index=False)`; an error page has to be downloaded again",
    )


def _is_json(data: bytes) -> bool:
    """Return whether bytes, or their first line, are JSON."""
    for text in (data, data.strip().partition(b"\n")[0]):
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            continue
        return True
    return False


def is_encoding(name: object) -> bool:
    """Say whether Python knows an encoding of text of this name."""
    try:
        return isinstance(name, str) and "".encode(name) is not None
    except (LookupError, ValueError):
        return False


def _encoding_of(data: bytes, declared: str) -> str:
    for mark, encoding in MARKS.items():
        if data.startswith(mark):
            return encoding
    if not declared or data.isascii() or _is_utf8(data):
        # Text of UTF-16 without a mark may be ASCII bytes with NULs between them.
        return declared if declared and b"\0" in data else "utf-8"
    return declared


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _undecodable(path: Path, data: bytes, error: UnicodeDecodeError, encoding: str) -> DataError:
    # The utf-8-sig codec counts offsets from the end of the mark.
    offset = error.start + (len(codecs.BOM_UTF8) if encoding == "utf-8-sig" else 0)
    title = "UTF-8" if encoding.startswith("utf-8") else encoding.upper()
    if encoding in ("utf-16", "utf-32"):
        return DataError(
            f"{path} is not {title}, though its byte-order mark says so",
            expected=f"{title} to the last character",
            found=f"{error.reason} at offset {offset}, of {len(data)} bytes",
            remedy="the file is damaged or cut off: get it again, or save it as UTF-8",
        )
    line = data.count(b"\n", 0, offset) + 1
    begin = max(data.rfind(b"\n", 0, offset) + 1, offset - AROUND)
    around = data[begin : offset + AROUND].split(b"\n")[0].rstrip(b"\r")
    readings = [f"{around.decode(each, 'replace')!r} in {each}" for each in USUAL]
    return DataError(
        f"{path.name}, line {line}: byte {data[offset]:#04x} is not {title}",
        expected="UTF-8, UTF-16 with a byte-order mark, or the encoding that "
        "benchmark.options.encoding names",
        found=f"byte {data[offset]:#04x} at offset {offset}; this place is {'; '.join(readings)}",
        remedy="choose the encoding that reads right, and add it to `options` in [benchmark]: "
        'encoding = "cp1252"',
    )


def _require_text(path: Path, text: str, data: bytes) -> None:
    if "\0" not in text:
        return
    place = text.index("\0")
    wide = "utf-16-le" if data[1::2].count(0) > data[::2].count(0) else "utf-16-be"
    raise DataError(
        f"{path.name}, line {text.count(chr(10), 0, place) + 1}: a NUL character",
        expected="text",
        found=f"{text.count(chr(0))} NUL characters, the first after {place} characters",
        remedy="if every second byte is NUL, the table is UTF-16 without a mark: add to `options` "
        f'in [benchmark]: encoding = "{wide}"; otherwise it is damaged: get it again',
    )
