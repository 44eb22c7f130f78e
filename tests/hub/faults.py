"""What the tests' hub has, and what can be wrong with its answers."""

from dataclasses import dataclass, field
from typing import Any

REVISION = "0123456789abcdef0123456789abcdef01234567"
OTHER_REVISION = "89abcdef0123456789abcdef0123456789abcdef"
LARGE = 1000  # bytes; from here on a file is in LFS
PIECE = 16_384


@dataclass(frozen=True)
class Fault:
    """What is wrong with one answer; `times` is how many answers it spoils.

    `cut`: the connection closes after so many bytes. `length`: this Content-Length instead of the
    right one. `silent`: no Content-Length at all. `flip`: the last byte is another one. `body`:
    another file. `more`: bytes that follow the file unannounced. `chunked`: in chunks. `deaf`:
    Range is ignored. `piece`: so many bytes of what was asked for. `gzip`: a coding that nobody
    asked for. `stall`: seconds without a byte after half of them. `etag`: another ETag.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    length: int | None = None
    silent: bool = False
    flip: bool = False
    body: bytes | None = None
    more: int = 0
    chunked: bool = False
    deaf: bool = False
    piece: int | None = None
    gzip: bool = False
    stall: float = 0.0
    etag: str | None = None
    times: int = 1_000_000


@dataclass
class Repo:
    """One repository: its files at one revision; `told` changes what the tree says of a file."""

    files: dict[str, bytes]
    revision: str = REVISION
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    status: int = 200
    error: str = ""
    token: str | None = None
