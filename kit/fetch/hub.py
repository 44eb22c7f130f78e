"""The hub and the mirrors of a source: which files there are, and where each can be downloaded."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import quote

import httpx2
from huggingface_hub import HfApi, get_session, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import build_hf_headers

from kit.errors import AccessError, DataError, TransferError
from kit.experiment.disclosure import public_address
from kit.experiment.hub import repository_page
from kit.experiment.manifest import SourceSection
from kit.fetch.names import require_safe
from kit.fetch.patience import ask_patiently
from kit.fetch.settings import Settings
from kit.fetch.surroundings import about_token, endpoint, reason, require_usable_proxy, token

COMMIT = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True)
class HubFile:
    """A file of a repository; `size` is in bytes, -1 if unknown.

    The hub states the SHA-256 of large files, which it keeps in LFS, and of others only git's hash
    of their content (`blob`).
    """

    name: str
    size: int
    sha256: str | None
    blob: str | None = None


@dataclass(frozen=True)
class Address:
    """Where a file can be downloaded: `host` for messages, `headers` for the request.

    `page` is where a person can accept the form of a host that restricts access.
    """

    host: str
    url: str
    headers: Mapping[str, str]
    page: str = ""


@dataclass(frozen=True)
class Wanted:
    """A file to download, and what is known of it: size in bytes, SHA-256, git's hash (`blob`)."""

    name: str
    addresses: tuple[Address, ...]
    size: int | None = None
    sha256: str | None = None
    blob: str | None = None


def hub_page(source: SourceSection) -> str:
    """Return the page of a source's repository, where a form can be accepted."""
    return repository_page(str(source.repo), source.repo_type, endpoint())


def addresses(source: SourceSection, name: str) -> tuple[Address, ...]:
    """Return the addresses of a file: the hub at the pinned revision, then the mirrors in order."""
    found = []
    if source.repo:
        url = hf_hub_url(
            source.repo, name, repo_type=source.repo_type, revision=source.revision,
            endpoint=endpoint(),
        )  # fmt: skip
        headers = build_hf_headers(library_name="pebench-kit")
        found.append(Address(public_address(endpoint()), url, headers, hub_page(source)))
    for mirror in source.mirrors:
        base = mirror.rstrip("/")
        found.append(Address(public_address(base), f"{base}/{quote(name)}", {}))
    return tuple(found)


def head_revision(source: SourceSection, settings: Settings) -> str:
    """Return the commit of the repository's main branch, 40 hexadecimal digits.

    Raises:
        AccessError, DataError, TransferError: the hub does not give it.
    """

    def ask() -> str:
        hub = _hub(settings)
        sha = str(hub.repo_info(str(source.repo), repo_type=source.repo_type).sha)
        if not COMMIT.fullmatch(sha):
            raise ValueError("no commit")
        return sha

    with _hub_errors(source):
        return ask_patiently(ask, f"{source.repo}'s head", settings)


def hub_files(source: SourceSection, settings: Settings) -> list[HubFile]:
    """Return the files of the pinned revision that match the source's patterns, sorted by name.

    Raises:
        AccessError: the repository is gated or private.
        DataError: it or the revision does not exist, nothing matches, or a name is not safe.
        TransferError: the hub does not answer.
    """
    with _hub_errors(source):
        entries = _hub(settings).list_repo_tree(  # it retries by itself
            str(source.repo), recursive=True, revision=source.revision, repo_type=source.repo_type
        )
        tree = [_hub_file(e) for e in entries if isinstance(e, RepoFile)]  # not the folders
    chosen = [f for f in tree if any(fnmatchcase(f.name, pattern) for pattern in source.files)]
    if not chosen:
        raise DataError(
            f"no file of {source.repo} matches the source's `files`",
            expected=", ".join(source.files),
            found=", ".join(sorted(file.name for file in tree)[:5]) or "an empty repository",
            remedy="correct `files` in the manifest",
        )
    require_safe(file.name for file in chosen)
    return sorted(chosen, key=lambda file: file.name)


def _hub_file(entry: RepoFile) -> HubFile:
    digest = entry.lfs.sha256 if entry.lfs else None
    if not isinstance(entry.path, str) or type(entry.size) is not int or entry.size < 0:
        raise ValueError("not a name or not a size")
    return HubFile(entry.path, entry.size, digest, None if entry.lfs else entry.blob_id)


def _hub(settings: Settings) -> HfApi:
    """Return the hub's client with a timeout: without it, the client waits for ever."""

    def set_timeout(request: httpx2.Request) -> None:
        request.extensions["timeout"] = httpx2.Timeout(settings.silence).as_dict()

    require_usable_proxy()
    token()
    session = get_session()
    hooks = session.event_hooks
    own = [hook for hook in hooks["request"] if hook.__name__ != set_timeout.__name__]
    session.event_hooks = {**hooks, "request": [*own, set_timeout]}
    return HfApi(endpoint=endpoint())


def _access_error(source: SourceSection, status: str) -> AccessError:
    return AccessError(
        f"{source.repo} restricts access to its files",
        expected="files that anyone may read, or the token of an account that may",
        found=status,
        remedy=about_token(
            f"accept its form at {hub_page(source)} with your own account, then pass its token: "
            "HF_TOKEN=... ./run.sh fetch (the token identifies you to the host; mirrors and `data "
            "import` need none)"
        ),
    )


@contextmanager
def _hub_errors(source: SourceSection) -> Iterator[None]:
    """Turn the hub client's errors into errors of the kit, with a remedy."""
    where = f"{source.repo} at {source.revision or 'its head'}"
    try:
        yield
    except GatedRepoError:
        raise _access_error(source, "gated") from None
    except RevisionNotFoundError:
        raise DataError(
            f"the hub has no {where}",
            expected="a commit, tag or branch of that repository",
            found="a revision that it does not have",
            remedy="correct `revision` in the manifest; or take it out and run `./run.sh lock "
            "MANIFEST`, which says the present one",
        ) from None
    except RepositoryNotFoundError as error:  # the hub's answer for private repositories, too
        raise AccessError(
            f"the hub has no repository {source.repo}, or it is private",
            expected="a repository that anyone may read, or the token of an account that may",
            found=f"HTTP {error.response.status_code}",
            remedy=about_token(
                f"open {hub_page(source)}; for a private one: HF_TOKEN=... ./run.sh fetch"
            ),
        ) from None
    # The last four: an answer that is not the hub's JSON, such as a network's login page.
    except (OSError, httpx2.HTTPError, ValueError, LookupError, TypeError, AttributeError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403):
            raise _access_error(source, f"HTTP {status}") from None
        raise TransferError(
            f"the hub gave no usable answer about {where}",
            expected="its commit, or its files with their sizes",
            found=f"HTTP {status}" if status else reason(error),
            remedy="check the network, the proxy and HF_ENDPOINT, and try again; or name mirrors "
            "in the manifest",
        ) from None
