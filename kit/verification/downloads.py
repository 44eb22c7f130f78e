"""What run.json says of a download: hosts, origin, and how its terms were accepted.

Pages and the RO-Crate print it, so that a sentence in its place would be read as a fact.
"""

import re
from collections.abc import Iterator

from kit.verification.run_facts import SourceFacts

# As kit.sources.places and kit.fetch.licences write them; a test holds them together.
NOT_FETCHED = "fetched earlier, or imported"
ACCEPTED = frozenset({"licence", "accepted", "how"})
HOW = ("--accept-licences", "asked on a terminal")
_HOST = re.compile(r"[^\s,]{1,300}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.+Z-]{5,30}")


def download_faults(told: SourceFacts) -> Iterator[str]:
    """Yield what no download writes."""
    yield from (
        f"{told.name}: {host[:200]!r} is no host" for host in told.hosts if not _is_host(host)
    )
    origin = told.origin
    if origin not in (None, NOT_FETCHED):
        named = str(origin).split(", ")
        if told.hosts and set(named) != set(told.hosts):
            yield f"{told.name}: origin is {origin!r}, and the hosts are {', '.join(told.hosts)}"
        elif not all(map(_is_host, named)):
            yield f"{told.name}: origin is {origin!r}, no host and not {NOT_FETCHED!r}"
    accepted = told.licence_accepted
    if accepted is not None and not _is_acceptance(accepted, told.licence):
        yield f"{told.name}: licence_accepted is {accepted}, which is no acceptance of its licence"


def _is_host(name: str) -> bool:
    return _HOST.fullmatch(name) is not None


def _is_acceptance(said: dict[str, str], licence: str | None) -> bool:
    return (
        said.keys() == ACCEPTED
        and said["licence"] == licence
        and said["how"] in HOW
        and _MOMENT.fullmatch(said["accepted"]) is not None
    )
