"""What an HTTP answer states about a file: its version, its size and its content coding."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import NoneType

import httpx2

DECODED = ("gzip", "deflate")  # codings that the standard library can undo


@dataclass(frozen=True)
class Version:
    """A file as one host has it; `total` is its size in bytes, None if not stated."""

    host: str
    etag: str
    total: int | None

    @classmethod
    def of(cls, answer: httpx2.Response, host: str, name: str) -> "Version":
        """Return the version of the file that an answer is, or is a range of."""
        # Where the hub redirects to another host, its own answer has the file's ETag.
        linked = [hop.headers["X-Linked-ETag"] for hop in answer.history
                  if "X-Linked-ETag" in hop.headers]  # fmt: skip
        etag = str(answer.headers.get("ETag") or answer.headers.get("Last-Modified", ""))
        partial = answer.status_code == httpx2.codes.PARTIAL_CONTENT
        total = answer.headers.get("Content-Range" if partial else "Content-Length", "")
        total = "" if coding(answer, name) else total.rpartition("/")[2]
        return cls(host, linked[0] if linked else etag, number(total))

    @classmethod
    def read(cls, path: Path) -> "Version | None":
        """Read a note; None if it does not exist, if a kill cut it off, or if it is damaged."""
        try:
            found = cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        whole = type(found.host) is type(found.etag) is str and type(found.total) in (int, NoneType)
        return found if whole else None

    def write(self, path: Path) -> None:
        """Write a note of the version."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    def agrees(self, other: "Version") -> bool:
        """Return whether both can be the same version of the file."""
        return self.etag == other.etag and (
            None in (self.total, other.total) or self.total == other.total
        )


def number(text: str) -> int | None:
    """Return a header's number; None if it is not one, or larger than any file."""
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None


def coding(answer: httpx2.Response, name: str) -> str:
    """Return the Content-Encoding that must be undone to get the file, or "".

    Requests ask for no coding. Some hosts still name one for files that are compressed themselves;
    what they send is the file as it is.
    """
    named = str(answer.headers.get("Content-Encoding", "")).strip().lower()
    return "" if named == "identity" or name.endswith((".gz", ".tgz")) else named


def file_bytes(answer: httpx2.Response, name: str) -> Iterator[bytes]:
    """Yield the bytes of the file, with any coding undone."""
    return answer.iter_bytes() if coding(answer, name) else answer.iter_raw()


def size_before_redirect(answer: httpx2.Response) -> int:
    """Return the size in bytes that the requested host states, before any redirect; 0 if none."""
    first = answer.history[0] if answer.history else answer
    name = "X-Linked-Size" if answer.history else "Content-Length"
    if first.status_code == httpx2.codes.PARTIAL_CONTENT:
        name = "Content-Range"
    return number(first.headers.get(name, "").rpartition("/")[2]) or 0
