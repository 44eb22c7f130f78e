"""Which files are wanted, what is known of each, and where it can be had."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from huggingface_hub import hf_hub_url
from huggingface_hub.utils import build_hf_headers

from kit.experiment.disclosure import public_address
from kit.experiment.manifest import SourceSection
from kit.fetch.hub import endpoint, hub_page


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


def addresses(source: SourceSection, name: str) -> tuple[Address, ...]:
    """Return where a file can be had: the hub at the pinned revision, then the mirrors in order."""
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
