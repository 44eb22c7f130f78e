"""Which version of a file a host sends, how large it says that is, and in which coding it comes."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx2

DECODED = ("gzip", "deflate")  # codings that the standard library can undo


@dataclass(frozen=True)
class Version:
    """A file as one host has it; `total` is its size in bytes, None if the host is silent."""

    host: str
    etag: str
    total: int | None

    @classmethod
    def of(cls, answer: httpx2.Response, host: str, name: str) -> "Version":
        """Return what an answer says of the file that it is, or is a part of."""
        # The hub says it where it redirects to another host.
        linked = [hop.headers["X-Linked-ETag"] for hop in answer.history
                  if "X-Linked-ETag" in hop.headers]  # fmt: skip
        etag = answer.headers.get("ETag") or answer.headers.get("Last-Modified", "")
        partial = answer.status_code == httpx2.codes.PARTIAL_CONTENT
        total = answer.headers.get("Content-Range" if partial else "Content-Length", "")
        total = "" if coding(answer, name) else total.rpartition("/")[2]
        return cls(host, linked[0] if linked else etag, number(total))

    @classmethod
    def read(cls, path: Path) -> "Version | None":
        """Return what was written; None where nothing was, or where a kill cut it off."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, path: Path) -> None:
        """Note the version beside its part."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    def agrees(self, other: "Version") -> bool:
        """Say whether both can be the same version of the file."""
        return self.etag == other.etag and (
            None in (self.total, other.total) or self.total == other.total
        )


def number(text: str) -> int | None:
    """Return the number that a header states; None if it is none, or of no file of this world."""
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None


def coding(answer: httpx2.Response, name: str) -> str:
    """Return the Content-Encoding that has to be undone to get the file, or "".

    None is asked for. Some hosts name one all the same for files that are compressed themselves:
    what they send is the file.
    """
    named = str(answer.headers.get("Content-Encoding", "")).strip().lower()
    return "" if named == "identity" or name.endswith((".gz", ".tgz")) else named


def file_bytes(answer: httpx2.Response, name: str) -> Iterator[bytes]:
    """Yield the bytes of the file, whose coding is undone."""
    return answer.iter_bytes() if coding(answer, name) else answer.iter_raw()


def told_by_the_first_host(answer: httpx2.Response) -> int:
    """Return the size that the host states which was asked, not the one it redirects to, or 0."""
    first = answer.history[0] if answer.history else answer
    name = "X-Linked-Size" if answer.history else "Content-Length"
    if first.status_code == httpx2.codes.PARTIAL_CONTENT:
        name = "Content-Range"
    return number(first.headers.get(name, "").rpartition("/")[2]) or 0
