"""Bring many files side by side: space first, then bytes, and a final name for right ones alone."""

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
from kit.fetch.listing import Address, Wanted
from kit.fetch.progress import Meter
from kit.fetch.settings import SPARE, Settings
from kit.fetch.transfer import CLOSED, Brought, Interrupted, Refused, TooLong, Transfer, open_client

LONGEST = 50  # letters of a file's name in a name made of it; 4 bytes each leave room for more


def download(
    wanted: Sequence[Wanted], folder: Path, settings: Settings, *, name: str
) -> dict[str, Brought]:
    """Bring files into `folder`; each has its final name only once its digest is right.

    Parts lie beside the folder and are gone on with by the next call. A file whose digest is not
    the wanted one goes to the quarantine, and the next address is tried.

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
    require_space(folder.parent, int(max(0, total - held) * SPARE))
    stop, brought = Event(), {}
    with open_client(settings) as client, Meter(name, len(wanted), total) as meter:

        def one(file: Wanted) -> Brought:
            return _bring(file, folder, parts, settings, client, meter, stop)

        with ThreadPoolExecutor(settings.workers) as pool:
            futures: dict[Future[Brought], str] = {}
            try:
                futures = {pool.submit(one, file): file.name for file in wanted}
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                failed = [error for future in done if (error := future.exception())]
                # What another file's failure stopped is not the failure.
                for error in sorted(failed, key=lambda e: isinstance(e, Interrupted)):
                    raise error
            finally:
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
            brought = {futures[future]: future.result() for future in futures}
    shutil.rmtree(parts, ignore_errors=True)
    return brought


def _bring(
    file: Wanted,
    folder: Path,
    parts: Path,
    settings: Settings,
    client: httpx2.Client,
    meter: Meter,
    stop: Event,
) -> Brought:
    part = parts / part_name(file.name)
    final = folder / file.name
    try:
        for place in (part.parent, final.parent):
            place.mkdir(parents=True, exist_ok=True)
        transfer = Transfer(client, file, part, settings, progress=meter.bytes, stop=stop)
        arrived = _from_any(file, transfer, part, stop)
        os.replace(part, final)
        _sync(final.parent)
    except OSError as error:
        raise storage_error(error, final) from None
    meter.file()
    return Brought(final, arrived.sha256, arrived.size, arrived.host)


def part_name(name: str) -> str:
    """Return the name of a file's part: flat, since a part may be called as another's folder."""
    return f"{sha256_bytes(name.encode())[:16]}-{name.rpartition('/')[2][-LONGEST:]}.part"


def _from_any(file: Wanted, transfer: Transfer, part: Path, stop: Event) -> Brought:
    """Try the addresses in order; what arrived with another digest is kept apart."""
    errors: list[KitError] = []
    for address in file.addresses:
        try:
            arrived = _from_one(file, transfer, part, address)
        except Refused as refused:
            errors.append(_refusal(file, address, refused.status))
            continue
        except TooLong as too_long:
            part.unlink(missing_ok=True)
            errors.append(_longer(file, address, too_long.limit))
            continue
        except TransferError as error:
            errors.append(error)
            continue
        if _is_right(file, arrived):
            return arrived
        errors.append(_quarantined(file, arrived))
        if stop.is_set():
            raise Interrupted
    # The most telling: wrong bytes before closed doors before silence.
    order = (ChecksumError, AccessError, TransferError)
    raise min(errors, key=lambda e: order.index(type(e)))


def _from_one(file: Wanted, transfer: Transfer, part: Path, address: Address) -> Brought:
    """Bring a file; one that was joined and is wrong is brought once more, from its beginning.

    What was there may be from another host, or the host has changed the file and not said so.
    """
    try:
        arrived = transfer.bring(address)
        if _is_right(file, arrived) or not arrived.joined:
            return arrived
    except TooLong as too_long:
        if not too_long.joined:
            raise
    part.unlink(missing_ok=True)
    return transfer.bring(address)


def _is_right(file: Wanted, arrived: Brought) -> bool:
    if file.sha256 is not None:
        return arrived.sha256 == file.sha256
    if file.blob is not None:
        return git_blob(arrived.path) == file.blob
    return file.size is None or arrived.size == file.size


def _refusal(file: Wanted, address: Address, status: str) -> KitError:
    host = address.host
    if status.removeprefix("HTTP ") in map(str, CLOSED):
        return AccessError(
            f"{host} does not give {file.name} to everybody",
            found=status,
            remedy=f"accept the form at {address.page or host} with your own account, then give a "
            "token of it: HF_TOKEN=... ./run.sh fetch (mirrors and `data import` need none)",
        )
    return TransferError(
        f"{host} has no {file.name}",
        found=status,
        remedy="check repo, revision, files and mirrors of this source in the manifest",
    )


def _longer(file: Wanted, address: Address, limit: int) -> ChecksumError:
    return ChecksumError(
        f"{file.name} from {address.host} is longer than the file can be",
        expected=f"at most {limit} bytes",
        found="more; stopped there, and nothing is kept of it",
        remedy="the host is wrong: name a mirror",
    )


def _quarantined(file: Wanted, arrived: Brought) -> ChecksumError:
    """Move wrong bytes out of the way, under a name that says what they are."""
    place = quarantine(arrived.path, file.name, arrived.sha256)
    known = (("sha256", file.sha256), ("git blob", file.blob), ("bytes", file.size))
    wrong = next((f"{kind} {value}" for kind, value in known if value is not None), None)
    return ChecksumError(
        f"{file.name} from {arrived.host} is not the listed file",
        expected=wrong,
        found=f"sha256 {arrived.sha256}, {arrived.size} bytes, kept as {place}",
        remedy="compare the two; if the list is right, the host is wrong: name a mirror",
    )


def quarantine(path: Path, name: str, digest: str) -> Path:
    """Move a file out of use without losing it; return where it is now."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    flat = name.replace("/", "~")[-LONGEST:]
    place = cache_root() / "quarantine" / f"{flat}.{digest[:8]}.{moment}"
    place.parent.mkdir(parents=True, exist_ok=True)
    os.replace(path, place)
    return place


def _sync(folder: Path) -> None:
    """Make a rename last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
