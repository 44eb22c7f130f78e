"""Download one file: streamed, hashed on the way, resumed where it was cut off."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import httpx2

from kit.artifacts import require_space
from kit.errors import TransferError
from kit.fetch.hub import Address, Wanted
from kit.fetch.part import Part
from kit.fetch.patience import TEMPORARY_STATUSES, Again, next_pause, retry_after
from kit.fetch.settings import SPARE_FACTOR, Settings
from kit.fetch.surroundings import reason, require_usable_proxy
from kit.fetch.version import DECODED, Version, coding, file_bytes, size_before_redirect

NO_ACCESS_STATUSES = (401, 403)
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Download:
    """A file that arrived at `path`: its digest, its size in bytes, and the host it came from.

    `joined` is true if its first bytes came with an earlier answer.
    """

    path: Path
    sha256: str
    size: int
    host: str
    joined: bool = False


class Refused(Exception):
    """A host refuses to give a file, and asking again is no use; `status` is its answer."""

    def __init__(self, status: str) -> None:
        self.status = status
        super().__init__(status)


class TooLong(Exception):
    """A host sends, or announces, more bytes than the file can have (`limit`)."""

    def __init__(self, limit: int, *, joined: bool) -> None:
        self.limit, self.joined = limit, joined
        super().__init__(limit)


class Interrupted(Exception):
    """Another file failed or the user stopped the download; the bytes so far are kept."""


class Transfer:
    """Downloads one file into `part`, which survives a kill."""

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

    def download(self, address: Address) -> Download:
        """Return the complete file; resume after as many failures as the settings allow.

        Raises:
            Refused: the host does not have the file or does not give it.
            TooLong: the host sends more than the file can have.
            TransferError: the host failed too often in a row, or does not let the end of the file
                be told from a lost connection.
            Interrupted: `stop` was set.
        """
        failures, found, furthest = 0, "", self._part.held
        while failures < self._settings.attempts:
            try:
                return self._attempt(address)
            except Again as again:
                found, wait = again.reason, again.wait
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                found, wait = reason(error), None
            # Only more bytes than ever before are progress: a host without Range starts over at
            # each attempt.
            failures = 1 if self._part.held > furthest else failures + 1
            furthest = max(furthest, self._part.held)
            if failures < self._settings.attempts:
                self._pause(failures, wait, f"{self._wanted.name} from {address.host}: {found}")
        size = self._wanted.size
        raise TransferError(
            f"{self._wanted.name} could not be downloaded from {address.host}",
            expected="the whole file" if size is None else f"{size} bytes",
            found=f"{found}, {self._settings.attempts} times in a row",
            remedy="run the same command again: the bytes so far are kept",
        )

    def _attempt(self, address: Address) -> Download:
        size, listed = self._wanted.size, self._wanted.sha256
        if size is not None and self._part.held > size:
            self._part.drop()  # longer than the file: useless
        hasher, held = self._part.hash_held(), self._part.held
        if held and held == size and listed in (None, hasher.hexdigest()):
            return self._complete(hasher.hexdigest(), held, address)
        headers = {**address.headers, "Accept-Encoding": "identity"}
        if held:
            headers["Range"] = f"bytes={held}-"
        with self._client.stream("GET", address.url, headers=headers) as answer:
            if answer.status_code == httpx2.codes.RANGE_NOT_SATISFIABLE and held:
                return self._check_complete(hasher.hexdigest(), held, address)
            return self._receive(answer, address, hasher, held)

    def _receive(
        self, answer: httpx2.Response, address: Address, hasher: "hashlib._Hash", held: int
    ) -> Download:
        """Append an answer to the `held` bytes, or start over if it does not continue them."""
        self._require_file(answer, address)
        version = Version.of(answer, address.host, self._wanted.name)
        limit = self._limit(answer, address, version)
        if version.total is not None and version.total > limit:
            raise TooLong(limit, joined=held > 0)
        partial = answer.status_code == httpx2.codes.PARTIAL_CONTENT
        if partial and not self._continues(answer, version, held):
            self._part.drop()
            raise Again("another file than before", 0.0)
        if not partial or not held:  # the whole file, whatever range was requested
            hasher, held = hashlib.sha256(), 0
            self._part.begin(version)
        arrived = self._write(answer, hasher, held, limit)
        whole = version.total if self._wanted.size is None else self._wanted.size
        # If the hub's listing has a wrong size, the listed digest decides.
        if whole is not None and arrived < whole and self._wanted.sha256 != hasher.hexdigest():
            raise Again(f"{arrived} of {whole} bytes")
        return Download(self._part.path, hasher.hexdigest(), arrived, address.host, joined=held > 0)

    def _write(
        self, answer: httpx2.Response, hasher: "hashlib._Hash", held: int, limit: int
    ) -> int:
        """Append an answer's bytes to the first `held` ones; return the number of bytes then."""

        def arrived(total: int, chunk: bytes) -> None:
            if total > limit:
                raise TooLong(limit, joined=held > 0)
            if self._stop.is_set():
                raise Interrupted
            hasher.update(chunk)
            self._progress(len(chunk))

        return self._part.append(held, file_bytes(answer, self._wanted.name), arrived)

    def _require_file(self, answer: httpx2.Response, address: Address) -> None:
        """Refuse an answer that is not a file, or whose end looks like a lost connection."""
        if answer.status_code in TEMPORARY_STATUSES:
            raise Again(f"HTTP {answer.status_code}", retry_after(answer))
        if answer.status_code not in (httpx2.codes.OK, httpx2.codes.PARTIAL_CONTENT):
            raise Refused(f"HTTP {answer.status_code}")
        if (named := coding(answer, self._wanted.name)) not in ("", *DECODED):
            raise Refused(f"a copy in the coding {named!a}, which was not requested")
        known = (self._wanted.size, self._wanted.sha256, self._wanted.blob)
        ends = answer.headers.keys() & {"content-length", "content-range", "transfer-encoding"}
        if not ends and all(value is None for value in known):
            raise TransferError(
                f"{address.host} does not state the size of {self._wanted.name}",
                expected="its size or its digest, from the host, the hub or a checksum list",
                found="an answer without Content-Length, Content-Range and Transfer-Encoding",
                remedy="name a mirror that states sizes, or commit a checksum list",
            )

    def _limit(self, answer: httpx2.Response, address: Address, version: Version) -> int:
        """Return how many bytes the file can have; without a limit a host could fill the disk.

        The limit is the size in the hub's listing. If the file has a listed digest, which decides
        in the end, the hub may send a larger file than it listed; a mirror may not.
        """
        stated, folder = self._wanted.size, self._part.path.parent
        if stated is None and version.total is not None:
            require_space(folder, int((version.total - self._part.held) * SPARE_FACTOR))
            return version.total
        room = int((shutil.disk_usage(folder).free + self._part.held) / SPARE_FACTOR)
        if stated is None:
            return room
        corrected = size_before_redirect(answer) if address.page and self._wanted.sha256 else 0
        return max(stated, min(corrected, room))

    def _complete(self, digest: str, held: int, address: Address) -> Download:
        begun = self._part.version
        host = begun.host if begun else address.host
        return Download(self._part.path, digest, held, host, joined=True)

    def _check_complete(self, digest: str, held: int, address: Address) -> Download:
        """Return a part that a killed call completed but did not rename; start over otherwise."""
        if digest == self._wanted.sha256 or held == self._wanted.size:
            return Download(self._part.path, digest, held, address.host, joined=True)
        self._part.drop()
        raise Again("HTTP 416")

    def _continues(self, answer: httpx2.Response, version: Version, held: int) -> bool:
        """Return whether the range that a host sends continues the bytes so far."""
        if coding(answer, self._wanted.name):  # a range of the encoded bytes, not of the file's
            return False
        if not answer.headers.get("Content-Range", "").startswith(f"bytes {held}-"):
            return False
        if not held:
            return True
        begun = self._part.version
        if begun is None or begun.host != version.host:
            return self._wanted.sha256 is not None  # the digest of the whole file decides
        return begun.agrees(version) and bool(version.etag or self._wanted.sha256)

    def _pause(self, failures: int, asked: float | None, why: str) -> None:
        if self._stop.wait(next_pause(self._settings, failures, asked, why)):
            raise Interrupted


def open_client(settings: Settings) -> httpx2.Client:
    """Return a client that follows redirects and gives up on a silent host.

    Raises:
        EnvironmentFault: the environment names a proxy that it cannot use.
    """
    require_usable_proxy()
    limits = httpx2.Limits(max_connections=settings.workers)
    return httpx2.Client(follow_redirects=True, timeout=settings.silence, limits=limits)
