"""Which files a source has, how large they are, and where each can be had."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import quote

import httpx2
from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import build_hf_headers

from kit.errors import AccessError, DataError, TransferError
from kit.manifest import SourceSection
from kit.result_tree import case_collisions, name_fault

HUB = "https://huggingface.co"


@dataclass(frozen=True)
class Address:
    """Where a file can be had: `host` names it to people, `headers` go with the request.

    `page` is where a person can accept the form of a host that asks who wants its files.
    """

    host: str
    url: str
    headers: Mapping[str, str]
    page: str = ""


@dataclass(frozen=True)
class Wanted:
    """A file to bring, and what is known of it: bytes, the listed or the hub's digest.

    `blob` is git's name of its bytes, which the hub tells where it tells no SHA-256.
    """

    name: str
    addresses: tuple[Address, ...]
    size: int | None = None
    sha256: str | None = None
    blob: str | None = None


@dataclass(frozen=True)
class HubFile:
    """What the hub says of a file: `sha256` of a large one, which it keeps in LFS, else `blob`."""

    name: str
    size: int
    sha256: str | None
    blob: str | None = None


def endpoint() -> str:
    """Return the hub's address (`HF_ENDPOINT`)."""
    return (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")


def hub_page(source: SourceSection) -> str:
    """Return the page of a source's repository, where a form can be accepted."""
    kind = "datasets/" if source.repo_type == "dataset" else ""
    return f"{endpoint()}/{kind}{source.repo}"


def head_revision(source: SourceSection) -> str:
    """Return the commit that the repository's main branch is at, 40 hexadecimal digits.

    Raises:
        AccessError, DataError, TransferError: the hub does not say.
    """
    with _explained(source):
        found = HfApi(endpoint=endpoint()).repo_info(str(source.repo), repo_type=source.repo_type)
    return str(found.sha)


def hub_files(source: SourceSection) -> list[HubFile]:
    """Return the files of the pinned revision that the source's patterns match, in name order.

    Raises:
        AccessError: the repository is gated or private.
        DataError: it or the revision does not exist, nothing matches, or a name is not safe.
        TransferError: the hub does not answer.
    """
    with _explained(source):
        entries = HfApi(endpoint=endpoint()).list_repo_tree(
            str(source.repo), recursive=True, revision=source.revision, repo_type=source.repo_type
        )
        tree = [entry for entry in entries if isinstance(entry, RepoFile)]  # and no folder
    chosen = [
        HubFile(entry.path, entry.size, entry.lfs.sha256, None)
        if entry.lfs
        else HubFile(entry.path, entry.size, None, entry.blob_id)
        for entry in tree
        if any(fnmatchcase(entry.path, pattern) for pattern in source.files)
    ]
    if not chosen:
        raise DataError(
            f"no file of {source.repo} matches the source's `files`",
            expected=", ".join(source.files),
            found=", ".join(sorted(entry.path for entry in tree)[:5]) or "an empty repository",
            remedy="correct `files` in the manifest",
        )
    require_safe(file.name for file in chosen)
    return sorted(chosen, key=lambda file: file.name)


def require_safe(names: Iterable[str]) -> None:
    """Refuse names that could be written outside a folder, or over each other.

    Raises:
        DataError: a name is absolute, climbs, is there twice, is also a folder, or differs from
            another, or a folder from a folder, only by letter case.
    """
    listed = list(names)
    if twice := [name for name, times in Counter(listed).items() if times > 1]:
        raise DataError(
            f"file name {twice[0]!a} is there twice",
            remedy="do not use this source; tell its publisher",
        )
    for name in listed:
        for part in name.split("/"):
            if fault := name_fault(part):
                raise DataError(
                    f"file name {name!a} is not safe: {fault}",
                    remedy="do not use this source; tell its publisher",
                )
    folders = {name[:end] for name in listed for end, sign in enumerate(name) if sign == "/"}
    if both := folders.intersection(listed):
        raise DataError(
            f"{min(both)!a} is the name of a file and of a folder",
            remedy="do not use this source; tell its publisher",
        )
    for first, second in case_collisions([*listed, *folders]):
        raise DataError(
            f"file names {first!a} and {second!a} differ only by letter case",
            expected="names that every file system keeps apart",
            remedy="leave one of them out in the source's `files`",
        )


def addresses(source: SourceSection, name: str) -> tuple[Address, ...]:
    """Return where a file can be had: the hub at the pinned revision, then the mirrors in order."""
    found = []
    if source.repo:
        url = hf_hub_url(
            source.repo, name, repo_type=source.repo_type, revision=source.revision,
            endpoint=endpoint(),
        )  # fmt: skip
        headers = build_hf_headers(library_name="pebench-kit")
        found.append(Address(endpoint(), url, headers, hub_page(source)))
    for mirror in source.mirrors:
        base = mirror.rstrip("/")
        found.append(Address(base, f"{base}/{quote(name)}", {}))
    return tuple(found)


def gated(source: SourceSection, status: str) -> AccessError:
    """Return the error for a host that wants to know who asks."""
    return AccessError(
        f"{source.repo or source.mirrors[0]} does not give its files to everybody",
        found=status,
        remedy=f"accept its form at {hub_page(source)} with your own account, then give a token "
        "of it: HF_TOKEN=... ./run.sh fetch (it names you to the host; mirrors and `data import` "
        "need none)",
    )


@contextmanager
def _explained(source: SourceSection) -> Iterator[None]:
    """Turn the hub client's errors into ones that say what to do."""
    where = f"{source.repo} at {source.revision or 'its head'}"
    try:
        yield
    except GatedRepoError:
        raise gated(source, "gated") from None
    except RevisionNotFoundError:
        raise DataError(
            f"the hub has no {where}", remedy="pin a revision that exists: ./run.sh lock"
        ) from None
    except RepositoryNotFoundError:  # also what a private one answers
        raise AccessError(
            f"the hub has no {source.repo}, or shows it to nobody without a token",
            remedy=f"look at {hub_page(source)}; for a private one: HF_TOKEN=... ./run.sh fetch",
        ) from None
    # ValueError: an answer that is no JSON, as of a network that wants a login first.
    except (HfHubHTTPError, httpx2.HTTPError, OSError, ValueError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403):
            raise gated(source, f"HTTP {status}") from None
        raise TransferError(
            f"the hub does not say what is in {where}",
            found=f"HTTP {status}" if status else type(error).__name__,
            remedy="try again later, or name mirrors in the manifest",
        ) from None
