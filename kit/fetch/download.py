"""Download many files at a time; a file gets its final name only once its digest is right."""

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import httpx2

from kit.artifacts import cache_root, require_space, storage_error
from kit.digests import git_blob, sha256_bytes
from kit.errors import AccessError, ChecksumError, KitError, TransferError
from kit.fetch.hub import Address, Wanted
from kit.fetch.progress import Meter
from kit.fetch.settings import SPARE_FACTOR, Settings
from kit.fetch.surroundings import about_token
from kit.fetch.transfer import (
    NO_ACCESS_STATUSES,
    Download,
    Interrupted,
    Refused,
    TooLong,
    Transfer,
    open_client,
)

# Characters of a file's own name in the name of its part: at 4 bytes each, the rest still fits.
MAX_NAME_CHARACTERS = 50
ANSWER = "HTTP 200 and the file"


def download(
    wanted: Sequence[Wanted], folder: Path, settings: Settings, *, name: str
) -> dict[str, Download]:
    """Download files into `folder`; each gets its final name only once its digest is right.

    Unfinished files are kept next to the folder, and the next call resumes them. A file with a
    wrong digest goes to the quarantine, and the next address is tried.

    Returns:
        File name -> what arrived, digest and host included.

    Raises:
        StorageError: the disk cannot hold the files, or became full.
        ChecksumError: no address has the right bytes.
        AccessError, TransferError: no address gives the file.
    """
    parts = folder.with_name(folder.name + ".parts")
    held = sum(path.stat().st_size for path in parts.rglob("*") if path.is_file())
    total = sum(file.size or 0 for file in wanted)
    require_space(folder.parent, int(max(0, total - held) * SPARE_FACTOR))
    stop = Event()
    with open_client(settings) as client, Meter(name, len(wanted), total) as meter:

        def download_one(file: Wanted) -> Download:
            return _download(file, folder, parts, settings, client, meter, stop)

        with ThreadPoolExecutor(settings.workers) as pool:
            futures: dict[Future[Download], str] = {}
            try:
                futures = {pool.submit(download_one, file): file.name for file in wanted}
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                failed = [error for future in done if (error := future.exception())]
                # Files that stopped because another one failed come last: they are not the cause.
                for error in sorted(failed, key=lambda e: isinstance(e, Interrupted)):
                    raise error
            finally:
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
            downloaded = {futures[future]: future.result() for future in futures}
    shutil.rmtree(parts, ignore_errors=True)
    return downloaded


def _download(
    file: Wanted,
    folder: Path,
    parts: Path,
    settings: Settings,
    client: httpx2.Client,
    meter: Meter,
    stop: Event,
) -> Download:
    part = parts / part_name(file.name)
    final = folder / file.name
    try:
        for place in (part.parent, final.parent):
            place.mkdir(parents=True, exist_ok=True)
        transfer = Transfer(client, file, part, settings, progress=meter.bytes, stop=stop)
        arrived = _try_addresses(file, transfer, part, stop)
        os.replace(part, final)
        _sync(final.parent)
    except OSError as error:
        raise storage_error(error, final) from None
    meter.file()
    return Download(final, arrived.sha256, arrived.size, arrived.host)


def part_name(name: str) -> str:
    """Return the name of an unfinished file; it is flat, because parts and folders could clash."""
    own = name.rpartition("/")[2][-MAX_NAME_CHARACTERS:]
    return f"{sha256_bytes(name.encode())[:16]}-{own}.part"


def _try_addresses(file: Wanted, transfer: Transfer, part: Path, stop: Event) -> Download:
    """Try the addresses in order; wrong bytes go to the quarantine."""
    errors: list[KitError] = []
    for address in file.addresses:
        try:
            arrived = _download_from(file, transfer, part, address)
        except Refused as refused:
            errors.append(_refusal_error(file, address, refused.status))
            continue
        except TooLong as too_long:
            part.unlink(missing_ok=True)
            errors.append(_length_error(file, address, too_long.limit))
            continue
        except TransferError as error:
            errors.append(error)
            continue
        if _is_right(file, arrived):
            return arrived
        errors.append(_quarantine_wrong(file, arrived))
        if stop.is_set():
            raise Interrupted
    # Raise the most informative: wrong bytes, then refused access, then no answer.
    order = (ChecksumError, AccessError, TransferError)
    raise min(errors, key=lambda e: order.index(type(e)))


def _download_from(file: Wanted, transfer: Transfer, part: Path, address: Address) -> Download:
    """Download a file; if a resumed download turns out wrong, download it again from the start.

    The earlier bytes may be from another host, or the host changed the file without saying so.
    """
    try:
        arrived = transfer.download(address)
        if _is_right(file, arrived) or not arrived.joined:
            return arrived
    except TooLong as too_long:
        if not too_long.joined:
            raise
    part.unlink(missing_ok=True)
    return transfer.download(address)


def _is_right(file: Wanted, arrived: Download) -> bool:
    if file.sha256 is not None:
        return arrived.sha256 == file.sha256
    if file.blob is not None:
        return git_blob(arrived.path) == file.blob
    return file.size is None or arrived.size == file.size


def _refusal_error(file: Wanted, address: Address, status: str) -> KitError:
    host = address.host
    if status.removeprefix("HTTP ") in map(str, NO_ACCESS_STATUSES):
        return AccessError(
            f"{host} restricts access to {file.name}",
            expected=ANSWER,
            found=status,
            remedy=about_token(
                f"accept the form at {address.page or host} with your own account, then pass its "
                "token: HF_TOKEN=... ./run.sh fetch (mirrors and `data import` need none)"
            ),
        )
    return TransferError(
        f"{host} has no {file.name}",
        expected=ANSWER,
        found=status,
        remedy="check repo, revision, files and mirrors of this source in the manifest",
    )


def _length_error(file: Wanted, address: Address, limit: int) -> ChecksumError:
    return ChecksumError(
        f"{file.name} from {address.host} is longer than the file can be",
        expected=f"at most {limit} bytes",
        found="more; the download was stopped and its bytes were deleted",
        remedy="this host has the wrong file: name a mirror",
    )


def _quarantine_wrong(file: Wanted, arrived: Download) -> ChecksumError:
    """Move wrong bytes to the quarantine; return the error that describes them."""
    place = quarantine(arrived.path, file.name, arrived.sha256)
    known = (("sha256", file.sha256), ("git blob", file.blob), ("bytes", file.size))
    wrong = next((f"{kind} {value}" for kind, value in known if value is not None), None)
    return ChecksumError(
        f"{file.name} from {arrived.host} is not the listed file",
        expected=wrong,
        found=f"sha256 {arrived.sha256}, {arrived.size} bytes, kept as {place}",
        remedy="compare the two; if the list is right, this host has the wrong file: name a mirror",
    )


def quarantine(path: Path, name: str, digest: str) -> Path:
    """Move a file to the quarantine folder of the cache; return its new path."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    flat = name.replace("/", "~")[-MAX_NAME_CHARACTERS:]
    place = cache_root() / "quarantine" / f"{flat}.{digest[:8]}.{moment}"
    place.parent.mkdir(parents=True, exist_ok=True)
    os.replace(path, place)
    return place


def _sync(folder: Path) -> None:
    """Make a rename survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
