"""Bring one file: streamed, hashed on the way, gone on with where it was cut off."""

import hashlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Event

import httpx2

from kit.digests import CHUNK
from kit.errors import TransferError
from kit.fetch.listing import Address, Wanted
from kit.fetch.settings import Settings

AGAIN = (408, 425, 429, 500, 502, 503, 504)  # of the statuses, those that may pass
CLOSED = (401, 403)
LONGEST_ASKED = 600.0  # seconds that a host may ask to be left alone; then it is tried again
WORTH_A_LINE = 5.0  # seconds of waiting
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Brought:
    """A file as it arrived in `path`: its digest, its size in bytes, and the host it is from."""

    path: Path
    sha256: str
    size: int
    host: str


class Refused(Exception):
    """A host does not give this file, whoever asks how often; `status` is its answer."""

    def __init__(self, status: str) -> None:
        self.status = status
        super().__init__(status)


class Interrupted(Exception):
    """Another file failed or the user stopped: what is there is kept for the next time."""


class Transfer:
    """Brings one file from one address into `part`, which survives a kill."""

    def __init__(
        self,
        client: httpx2.Client,
        wanted: Wanted,
        part: Path,
        settings: Settings,
        *,
        progress: Progress,
        stop: Event,
    ) -> None:
        self._client, self._wanted, self._part = client, wanted, part
        self._begun = part.with_name(f"{part.name}.from")
        self._settings, self._progress, self._stop = settings, progress, stop

    def bring(self, address: Address) -> Brought:
        """Return the whole file, as often cut off as the settings allow.

        Raises:
            Refused: the host does not have it or does not give it.
            TransferError: the host failed too often in a row.
            Interrupted: `stop` was set.
        """
        failures, found = 0, ""
        while failures < self._settings.attempts:
            before = self._held()
            try:
                return self._attempt(address)
            except _Again as again:
                found, wait = again.reason, again.wait
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                found, wait = type(error).__name__, None
            failures = 1 if self._held() > before else failures + 1
            if failures < self._settings.attempts:
                self._pause(failures, wait, f"{self._wanted.name} from {address.host}: {found}")
        raise TransferError(
            f"{self._wanted.name} could not be brought from {address.host}",
            found=f"{found}, {self._settings.attempts} times in a row",
            remedy="run the same command again: what has arrived is kept",
        )

    def _attempt(self, address: Address) -> Brought:
        hasher, held = self._resume()
        if held and held == self._wanted.size and self._wanted.sha256 in (None, hasher.hexdigest()):
            return Brought(self._part, hasher.hexdigest(), held, self._host() or address.host)
        headers = {**address.headers, "Accept-Encoding": "identity"}
        if held:
            headers["Range"] = f"bytes={held}-"
        with self._client.stream("GET", address.url, headers=headers) as answer:
            status = answer.status_code
            if status == httpx2.codes.RANGE_NOT_SATISFIABLE and held:
                return self._whole_already(hasher.hexdigest(), held, address)
            if status in AGAIN:
                raise _Again(f"HTTP {status}", retry_after(answer))
            if status not in (httpx2.codes.OK, httpx2.codes.PARTIAL_CONTENT):
                raise Refused(f"HTTP {status}")
            version = _Version.of(answer, address.host)
            if status == httpx2.codes.PARTIAL_CONTENT:
                if not self._goes_on(answer, version, held):
                    self._part.unlink(missing_ok=True)
                    raise _Again("another file than before", 0.0)
            else:  # from the beginning, whatever was asked for
                hasher, held = hashlib.sha256(), 0
                # First, or a kill here would leave old bytes that pass for the new version's.
                self._part.unlink(missing_ok=True)
                self._begun.write_text(json.dumps(asdict(version)), encoding="utf-8")
            with self._part.open("ab") as stream:
                stream.truncate(held)
                for chunk in answer.iter_bytes():
                    stream.write(chunk)
                    hasher.update(chunk)
                    held += len(chunk)
                    self._progress(len(chunk))
                    if self._stop.is_set():
                        raise Interrupted
                stream.flush()
                os.fsync(stream.fileno())
        listed = self._wanted.sha256 == hasher.hexdigest()  # then a wrong size does not matter
        if self._wanted.size is not None and held < self._wanted.size and not listed:
            raise _Again(f"{held} of {self._wanted.size} bytes")
        return Brought(self._part, hasher.hexdigest(), held, address.host)

    def _whole_already(self, digest: str, held: int, address: Address) -> Brought:
        """A killed call may have had everything but the rename; anything else begins anew."""
        if digest == self._wanted.sha256 or held == self._wanted.size:
            return Brought(self._part, digest, held, address.host)
        self._part.unlink()
        raise _Again("HTTP 416")

    def _resume(self) -> tuple["hashlib._Hash", int]:
        """Return the hash of what is there; more than the whole file is of no use."""
        hasher, held = hashlib.sha256(), 0
        if self._wanted.size is not None and self._held() > self._wanted.size:
            self._part.unlink()
        if self._part.exists():
            with self._part.open("rb") as stream:
                while chunk := stream.read(CHUNK):
                    hasher.update(chunk)
                    held += len(chunk)
        return hasher, held

    def _goes_on(self, answer: httpx2.Response, version: "_Version", held: int) -> bool:
        """Say whether the rest that a host sends belongs to what is there."""
        if not answer.headers.get("Content-Range", "").startswith(f"bytes {held}-"):
            return False
        begun = self._version()
        if begun is None or begun.host != version.host:
            return self._wanted.sha256 is not None  # the digest of the whole decides
        return begun.agrees(version) and bool(version.etag or self._wanted.sha256)

    def _version(self) -> "_Version | None":
        try:
            return _Version(**json.loads(self._begun.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):  # not there, or cut off by a kill
            return None

    def _host(self) -> str:
        begun = self._version()
        return begun.host if begun else ""

    def _held(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _pause(self, failures: int, asked: float | None, why: str) -> None:
        doubled = min(self._settings.pause * 2 ** (failures - 1), self._settings.longest_pause)
        seconds = doubled if asked is None else min(asked, LONGEST_ASKED)
        if seconds >= WORTH_A_LINE:
            print(f"fetch: {why}; again in {seconds:.0f} s", file=sys.stderr, flush=True)
        if self._stop.wait(seconds):
            raise Interrupted


@dataclass(frozen=True)
class _Version:
    """Which version of a file a host sends; `total` is its size in bytes, None if it is silent."""

    host: str
    etag: str
    total: int | None

    @classmethod
    def of(cls, answer: httpx2.Response, host: str) -> "_Version":
        # The hub says it where it redirects to another host.
        linked = [hop.headers["X-Linked-ETag"] for hop in answer.history
                  if "X-Linked-ETag" in hop.headers]  # fmt: skip
        etag = answer.headers.get("ETag") or answer.headers.get("Last-Modified", "")
        partial = answer.status_code == httpx2.codes.PARTIAL_CONTENT
        name = "Content-Range" if partial else "Content-Length"
        total = answer.headers.get(name, "").rpartition("/")[2]
        return cls(host, linked[0] if linked else etag, int(total) if total.isdigit() else None)

    def agrees(self, other: "_Version") -> bool:
        return self.etag == other.etag and (
            None in (self.total, other.total) or self.total == other.total
        )


class _Again(Exception):
    """A failure that may pass; `wait` is how long the host asks to be left alone, in seconds."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        self.reason, self.wait = reason, wait
        super().__init__(reason)


def retry_after(answer: httpx2.Response) -> float | None:
    """Return how many seconds the Retry-After header, a number or a date, asks to wait."""
    value = answer.headers.get("Retry-After", "")
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def git_blob(path: Path) -> str:
    """Return git's name of a file's bytes, which the hub tells of small files."""
    hasher = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()


def open_client(settings: Settings) -> httpx2.Client:
    """Return a client that follows redirects and gives up on a host that is silent."""
    limits = httpx2.Limits(max_connections=settings.workers)
    return httpx2.Client(follow_redirects=True, timeout=settings.silence, limits=limits)
