"""Bring one file: streamed, hashed on the way, gone on with where it was cut off."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import httpx2

from kit.artifacts import require_space
from kit.errors import TransferError
from kit.fetch.listing import Address, Wanted
from kit.fetch.part import Part
from kit.fetch.patience import AGAIN, Again, next_pause, retry_after
from kit.fetch.settings import SPARE, Settings
from kit.fetch.version import DECODED, Version, coding, file_bytes, told_by_the_first_host

CLOSED = (401, 403)
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Brought:
    """A file as it arrived in `path`: its digest, its size in bytes, and the host it is from.

    `joined` says that its beginning was there before the last answer.
    """

    path: Path
    sha256: str
    size: int
    host: str
    joined: bool = False


class Refused(Exception):
    """A host does not give this file, whoever asks how often; `status` is its answer."""

    def __init__(self, status: str) -> None:
        self.status = status
        super().__init__(status)


class TooLong(Exception):
    """A host sends, or says that it will send, more bytes than the file can have."""

    def __init__(self, limit: int, *, joined: bool) -> None:
        self.limit, self.joined = limit, joined
        super().__init__(limit)


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
        self._client, self._wanted, self._part = client, wanted, Part(part)
        self._settings, self._progress, self._stop = settings, progress, stop

    def bring(self, address: Address) -> Brought:
        """Return the whole file, as often cut off as the settings allow.

        Raises:
            Refused: the host does not have it or does not give it.
            TooLong: the host sends more than the file can have.
            TransferError: the host failed too often in a row, or gives no way to know the end.
            Interrupted: `stop` was set.
        """
        failures, found, furthest = 0, "", self._part.held
        while failures < self._settings.attempts:
            try:
                return self._attempt(address)
            except Again as again:
                found, wait = again.reason, again.wait
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                found, wait = type(error).__name__, None
            # Against the furthest: a host without Range, cut now early now late, makes no progress.
            failures = 1 if self._part.held > furthest else failures + 1
            furthest = max(furthest, self._part.held)
            if failures < self._settings.attempts:
                self._pause(failures, wait, f"{self._wanted.name} from {address.host}: {found}")
        raise TransferError(
            f"{self._wanted.name} could not be brought from {address.host}",
            found=f"{found}, {self._settings.attempts} times in a row",
            remedy="run the same command again: what has arrived is kept",
        )

    def _attempt(self, address: Address) -> Brought:
        size, listed = self._wanted.size, self._wanted.sha256
        if size is not None and self._part.held > size:
            self._part.drop()  # more than the whole file is of no use
        hasher, held = self._part.hashed(), self._part.held
        if held and held == size and listed in (None, hasher.hexdigest()):
            return self._there(hasher.hexdigest(), held, address)
        headers = {**address.headers, "Accept-Encoding": "identity"}
        if held:
            headers["Range"] = f"bytes={held}-"
        with self._client.stream("GET", address.url, headers=headers) as answer:
            status = answer.status_code
            if status == httpx2.codes.RANGE_NOT_SATISFIABLE and held:
                return self._whole_already(hasher.hexdigest(), held, address)
            self._require_file(answer, address)
            version = Version.of(answer, address.host, self._wanted.name)
            limit = self._limit(answer, address, version)
            if version.total is not None and version.total > limit:
                raise TooLong(limit, joined=held > 0)
            partial = status == httpx2.codes.PARTIAL_CONTENT
            if partial and not self._goes_on(answer, version, held):
                self._part.drop()
                raise Again("another file than before", 0.0)
            if not partial or not held:  # from the beginning, whatever was asked for
                hasher, held = hashlib.sha256(), 0
                self._part.begin(version)
            there = self._write(answer, hasher, held, limit)
        # A size that the tree has wrong does not matter where the digest is the listed one.
        whole = version.total if size is None else size
        if whole is not None and there < whole and listed != hasher.hexdigest():
            raise Again(f"{there} of {whole} bytes")
        return Brought(self._part.path, hasher.hexdigest(), there, address.host, joined=held > 0)

    def _write(
        self, answer: httpx2.Response, hasher: "hashlib._Hash", held: int, limit: int
    ) -> int:
        """Append what arrives to the first `held` bytes; return how many there are then."""

        def arrived(there: int, chunk: bytes) -> None:
            if there > limit:
                raise TooLong(limit, joined=held > 0)
            if self._stop.is_set():
                raise Interrupted
            hasher.update(chunk)
            self._progress(len(chunk))

        return self._part.append(held, file_bytes(answer, self._wanted.name), arrived)

    def _require_file(self, answer: httpx2.Response, address: Address) -> None:
        """Refuse an answer that is not a file, or one whose end could not be told from a cut."""
        if answer.status_code in AGAIN:
            raise Again(f"HTTP {answer.status_code}", retry_after(answer))
        if answer.status_code not in (httpx2.codes.OK, httpx2.codes.PARTIAL_CONTENT):
            raise Refused(f"HTTP {answer.status_code}")
        if (named := coding(answer, self._wanted.name)) not in ("", *DECODED):
            raise Refused(f"a copy in the coding {named!a}, which was not asked for")
        known = (self._wanted.size, self._wanted.sha256, self._wanted.blob)
        said = answer.headers.keys() & {"content-length", "content-range", "transfer-encoding"}
        if not said and all(value is None for value in known):
            raise TransferError(
                f"{address.host} does not say how large {self._wanted.name} is",
                expected="its size or its digest, of the host, the hub or a checksum list",
                remedy="name a mirror that states sizes, or commit a checksum list",
            )

    def _limit(self, answer: httpx2.Response, address: Address, version: Version) -> int:
        """Return how many bytes the file can have; a host could fill the disk otherwise.

        That is the size that the hub's tree tells. Where there is a list, the hub itself may
        correct its tree with the file, since the digest decides; a mirror may not.
        """
        told, folder = self._wanted.size, self._part.path.parent
        if told is None and version.total is not None:
            require_space(folder, int((version.total - self._part.held) * SPARE))
            return version.total
        room = int((shutil.disk_usage(folder).free + self._part.held) / SPARE)
        if told is None:
            return room
        corrected = told_by_the_first_host(answer) if address.page and self._wanted.sha256 else 0
        return max(told, min(corrected, room))

    def _there(self, digest: str, held: int, address: Address) -> Brought:
        begun = self._part.version
        host = begun.host if begun else address.host
        return Brought(self._part.path, digest, held, host, joined=True)

    def _whole_already(self, digest: str, held: int, address: Address) -> Brought:
        """A killed call may have had everything but the rename; anything else begins anew."""
        if digest == self._wanted.sha256 or held == self._wanted.size:
            return Brought(self._part.path, digest, held, address.host, joined=True)
        self._part.drop()
        raise Again("HTTP 416")

    def _goes_on(self, answer: httpx2.Response, version: Version, held: int) -> bool:
        """Say whether the rest that a host sends belongs to what is there."""
        if coding(answer, self._wanted.name):  # a range of other bytes than those that are there
            return False
        if not answer.headers.get("Content-Range", "").startswith(f"bytes {held}-"):
            return False
        if not held:
            return True
        begun = self._part.version
        if begun is None or begun.host != version.host:
            return self._wanted.sha256 is not None  # the digest of the whole decides
        return begun.agrees(version) and bool(version.etag or self._wanted.sha256)

    def _pause(self, failures: int, asked: float | None, why: str) -> None:
        if self._stop.wait(next_pause(self._settings, failures, asked, why)):
            raise Interrupted


def open_client(settings: Settings) -> httpx2.Client:
    """Return a client that follows redirects and gives up on a host that is silent."""
    limits = httpx2.Limits(max_connections=settings.workers)
    return httpx2.Client(follow_redirects=True, timeout=settings.silence, limits=limits)
