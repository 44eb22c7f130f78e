"""Bring one file: streamed, hashed on the way, gone on with where it was cut off."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import httpx

from kit.digests import CHUNK
from kit.errors import TransferError
from kit.fetch.listing import Address, Wanted
from kit.fetch.settings import Settings

AGAIN = (408, 425, 429, 500, 502, 503, 504)  # of the statuses, those that may pass
CLOSED = (401, 403)
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
        client: httpx.Client,
        wanted: Wanted,
        part: Path,
        settings: Settings,
        *,
        progress: Progress,
        stop: Event,
    ) -> None:
        self._client, self._wanted, self._part = client, wanted, part
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
            except httpx.HTTPError as error:
                found, wait = type(error).__name__, None
            failures = 1 if self._held() > before else failures + 1
            if failures < self._settings.attempts:
                self._pause(failures, wait)
        raise TransferError(
            f"{self._wanted.name} could not be brought from {address.host}",
            found=f"{found}, {self._settings.attempts} times in a row",
            remedy="run the same command again: what has arrived is kept",
        )

    def _attempt(self, address: Address) -> Brought:
        hasher, held = self._resume()
        headers = {**address.headers, "Accept-Encoding": "identity"}
        if held:
            headers["Range"] = f"bytes={held}-"
        with self._client.stream("GET", address.url, headers=headers) as answer:
            status = answer.status_code
            if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and held:
                return self._whole_already(hasher.hexdigest(), held, address)
            if status in AGAIN:
                raise _Again(f"HTTP {status}", _retry_after(answer))
            if status not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
                raise Refused(f"HTTP {status}")
            if held and not _goes_on_at(answer, held):  # it sends the file from its beginning
                hasher, held = hashlib.sha256(), 0
            with self._part.open("ab") as stream:
                stream.truncate(held)
                for chunk in answer.iter_bytes(CHUNK):
                    if self._stop.is_set():
                        raise Interrupted
                    stream.write(chunk)
                    hasher.update(chunk)
                    held += len(chunk)
                    self._progress(len(chunk))
                stream.flush()
                os.fsync(stream.fileno())
        if self._wanted.size is not None and held < self._wanted.size:
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

    def _held(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _pause(self, failures: int, wanted: float | None) -> None:
        seconds = self._settings.pause * 2 ** (failures - 1) if wanted is None else wanted
        if self._stop.wait(min(seconds, self._settings.longest_pause)):
            raise Interrupted


class _Again(Exception):
    """A failure that may pass; `wait` is how long the host asks to be left alone, in seconds."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        self.reason, self.wait = reason, wait
        super().__init__(reason)


def _goes_on_at(answer: httpx.Response, held: int) -> bool:
    begins = answer.headers.get("Content-Range", "").startswith(f"bytes {held}-")
    return answer.status_code == httpx.codes.PARTIAL_CONTENT and begins


def _retry_after(answer: httpx.Response) -> float | None:
    """Return the Retry-After header in seconds; a date in it is not worth a parser."""
    value = answer.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None


def open_client(settings: Settings) -> httpx.Client:
    """Return a client that follows redirects and gives up on a host that is silent."""
    limits = httpx.Limits(max_connections=settings.workers)
    return httpx.Client(follow_redirects=True, timeout=settings.silence, limits=limits)
