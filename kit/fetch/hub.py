"""What the hub says of a repository: the commit of its head, and the files of a commit."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase

import httpx2
from huggingface_hub import HfApi, get_session
from huggingface_hub.errors import (
    GatedRepoError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile

from kit.errors import AccessError, DataError, TransferError
from kit.experiment.manifest import SourceSection
from kit.fetch.names import require_safe
from kit.fetch.patience import patiently
from kit.fetch.settings import Settings

HUB = "https://huggingface.co"
COMMIT = re.compile("[0-9a-f]{40}")


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


def head_revision(source: SourceSection, settings: Settings) -> str:
    """Return the commit that the repository's main branch is at, 40 hexadecimal digits.

    Raises:
        AccessError, DataError, TransferError: the hub does not say.
    """

    def ask() -> str:
        hub = _hub(settings)
        sha = str(hub.repo_info(str(source.repo), repo_type=source.repo_type).sha)
        if not COMMIT.fullmatch(sha):
            raise ValueError("no commit")
        return sha

    with _explained(source):
        return patiently(ask, f"{source.repo}'s head", settings)


def hub_files(source: SourceSection, settings: Settings) -> list[HubFile]:
    """Return the files of the pinned revision that the source's patterns match, in name order.

    Raises:
        AccessError: the repository is gated or private.
        DataError: it or the revision does not exist, nothing matches, or a name is not safe.
        TransferError: the hub does not answer.
    """
    with _explained(source):
        entries = _hub(settings).list_repo_tree(  # which asks again by itself
            str(source.repo), recursive=True, revision=source.revision, repo_type=source.repo_type
        )
        tree = [_hub_file(e) for e in entries if isinstance(e, RepoFile)]  # and no folder
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
        raise ValueError("a name or a size that is none")
    return HubFile(entry.path, entry.size, digest, None if entry.lfs else entry.blob_id)


def _hub(settings: Settings) -> HfApi:
    """Return the hub's client, which gives up on a hub that is silent: by itself it never does."""

    def hurry(request: httpx2.Request) -> None:
        request.extensions["timeout"] = httpx2.Timeout(settings.silence).as_dict()

    session = get_session()
    hooks = session.event_hooks
    own = [hook for hook in hooks["request"] if hook.__name__ != hurry.__name__]
    session.event_hooks = {**hooks, "request": [*own, hurry]}
    return HfApi(endpoint=endpoint())


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
    # The last four: no JSON, or another one, as of a network that wants a login first.
    except (OSError, httpx2.HTTPError, ValueError, LookupError, TypeError, AttributeError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403):
            raise gated(source, f"HTTP {status}") from None
        raise TransferError(
            f"the hub does not say what is in {where}",
            found=f"HTTP {status}" if status else type(error).__name__,
            remedy="try again later, or name mirrors in the manifest",
        ) from None
