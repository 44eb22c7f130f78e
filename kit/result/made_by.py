"""Which kit made a result, and on which machine: both as run.json states them."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from kit.result.layout import RUN
from kit.result.unusable import unusable

# Of run.json of kit 0.1.0, which stated its version alone: `kit_version`.
FIRST_SCHEMA = "pebench-kit/run/1"
MAX_VERSION = 50  # characters
FIRST_VERSION = (0, 1)  # no kit before it wrote a result
# Pages print it: a sentence in its place would be read as a fact.
_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,3}([a-z.+-][a-z0-9.+-]*)?")
_REVISION = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?(-changed)?")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Kit:
    """The kit that made a result.

    `revision` is the git commit of its source, with `-changed` where files differed from it; None
    where it is not known. `renderer` is the digest of the code that rendered the pages
    (`kit.report.renderer`); None in a result of version 0.1.0, which did not state it.
    """

    version: str
    revision: str | None = None
    renderer: str | None = None

    def __str__(self) -> str:
        return f"{self.version} ({self.revision[:12]})" if self.revision else self.version

    @property
    def numbers(self) -> tuple[int, int, int]:
        """Return the numbers of the version; one that has none is taken for the newest."""
        found = re.match(r"(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?", self.version)
        if found is None:
            return (10**9, 0, 0)
        return int(found[1]), int(found[2]), int(found[3] or 0)


def kit_of(run: Mapping[str, object]) -> Kit:
    """Return the kit that a run.json says it was made by.

    Raises:
        VerificationError: a part of it is missing or of the wrong type.
    """
    if run.get("schema") == FIRST_SCHEMA:
        return Kit(_version(run.get("kit_version"), "kit_version"))
    kit = run.get("kit")
    if not isinstance(kit, dict):
        raise unusable(RUN, "kit is missing")
    version = _version(kit.get("version"), "kit.version")
    revision, renderer = kit.get("revision"), kit.get("renderer")
    if not isinstance(renderer, str) or not _DIGEST.fullmatch(renderer):
        raise unusable(RUN, f"kit.renderer is not 64 hexadecimal digits: {str(renderer)[:100]!r}")
    if revision is None:
        return Kit(version, None, renderer)
    if not isinstance(revision, str) or not _REVISION.fullmatch(revision):
        raise unusable(RUN, f"kit.revision is not a git commit or null: {str(revision)[:100]!r}")
    return Kit(version, revision, renderer)


def machine_of(run: Mapping[str, object]) -> str:
    """Return the processor and the GPUs that a run.json states, in one line."""
    found = run.get("environment")
    stated: Mapping[str, object] = found if isinstance(found, dict) else {}
    cards = stated.get("gpus")
    gpus = Counter(map(_name, cards if isinstance(cards, list) else ()))
    named = ", ".join(f"{count} x {name}" for name, count in sorted(gpus.items())) or "none"
    return f"CPU {stated.get('cpu', 'not recorded')}; GPUs: {named}"


def _name(gpu: object) -> str:
    return str(gpu.get("name", gpu)) if isinstance(gpu, Mapping) else str(gpu)


def _version(said: object, place: str) -> str:
    if not isinstance(said, str) or not said.isprintable() or not 0 < len(said) <= MAX_VERSION:
        raise unusable(RUN, f"{place} is not a version: {str(said)[:100]!r}")
    if not _VERSION.fullmatch(said):
        raise unusable(RUN, f"{place} is not a version: {said!r}")
    numbers = re.match(r"(\d{1,9})(?:\.(\d{1,9}))?", said)
    # An earlier version would excuse a result from metrics that came later.
    if numbers and (int(numbers[1]), int(numbers[2] or 0)) < FIRST_VERSION:
        raise unusable(RUN, f"{place} is {said!r}, but 0.1.0 was the first version of the kit")
    return said
