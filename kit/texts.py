"""Text files that people write: what editors of all systems save is read, the rest is named.

UTF-8 is read with or without a byte-order mark, UTF-16 with one (Notepad, PowerShell, Excel). No
other encoding can be told from the bytes.
"""

import codecs

POINTER = b"version https://git-lfs.github.com/spec/v1"
WIDE = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
EXPECTED = "text in UTF-8, or in UTF-16 with a byte-order mark"


class NotText(ValueError):
    """The bytes of a file are not the text that they should be.

    Args:
        found: what they are, without quoting them: they may be secret.
        remedy: what to do.
    """

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(f"{found}; {remedy}")
        self.found, self.remedy = found, remedy


def decode_text(data: bytes) -> str:
    """Return the text of a file's bytes, without a byte-order mark.

    Raises:
        NotText: it is a git-lfs pointer, in another encoding, or no text.
    """
    if data.startswith(POINTER):
        raise NotText(
            "a git-lfs pointer, not the file itself",
            "fetch the file where the repository was cloned: git lfs pull",
        )
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise NotText("UTF-32", _converted("UTF-32"))
    mark = next((mark for mark in WIDE if data.startswith(mark)), b"")
    try:
        text = data[len(mark) :].decode(WIDE.get(mark, "utf-8")).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise _undecodable(data, error.start + len(mark), wide=bool(mark)) from None
    if "\0" in text:
        raise _undecodable(data, data.index(b"\0"), wide=bool(mark))
    return text


def _undecodable(data: bytes, place: int, *, wide: bool) -> NotText:
    odd, even = data[1::2].count(0), data[::2].count(0)
    if not wide and max(odd, even) > len(data) // 4 and not min(odd, even):
        encoding = "UTF-16LE" if odd else "UTF-16BE"
        return NotText("UTF-16 without a byte-order mark", _converted(encoding))
    if wide or b"\0" in data:
        found = f"byte {data[place]:#04x} at offset {place}, in no text"
        return NotText(found, "get the file again from where it came")
    line = data.count(b"\n", 0, place) + 1
    return NotText(
        f"byte {data[place]:#04x} in line {line}, which is not UTF-8 (often it is WINDOWS-1252)",
        _converted("WINDOWS-1252"),
    )


def _converted(encoding: str) -> str:
    return (
        f"convert it: iconv -f {encoding} -t UTF-8 OLD > NEW; or save it as UTF-8 in an editor "
        "(Notepad: Save as, Encoding)"
    )
