"""The repositories of the tests' hub, and the faults of its answers."""

from dataclasses import dataclass, field
from typing import Any

REVISION = "0123456789abcdef0123456789abcdef01234567"
OTHER_REVISION = "89abcdef0123456789abcdef0123456789abcdef"
LARGE = 1000  # bytes; files from this size on are in LFS
PIECE = 16_384


@dataclass(frozen=True)
class Fault:
    """What is wrong with one answer; `times` is how many answers it spoils.

    `cut`: the connection closes after this many bytes. `length`: this Content-Length instead of
    the right one. `silent`: no Content-Length. `flip`: the last byte is changed. `body`: another
    file. `more`: unannounced bytes after the file. `chunked`: sent in chunks. `deaf`: Range is
    ignored. `piece`: only this many bytes of the requested range. `gzip`: a coding that was not
    requested. `stall`: seconds of silence after half of the bytes. `etag`: another ETag.
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
    """A repository: its files at one revision; `told` changes a file's entry in the tree."""

    files: dict[str, bytes]
    revision: str = REVISION
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    status: int = 200
    error: str = ""
    token: str | None = None
