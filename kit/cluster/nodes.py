"""What each node of a cluster says about itself, and whether the driver can use it."""

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from kit.artifacts import PROJECT
from kit.digests import hash_files, sha256_value
from kit.errors import EnvironmentFault
from kit.gpus import gpus
from kit.supply_chain.machine import installed_packages, processor

KIT = PROJECT / "kit"
REMEDY = "stop Ray on that node and start it with ./run.sh ray start in a copy of this kit"


class Facts(TypedDict):
    """What a node says. The first four must be the driver's own."""

    kit: str
    python: str
    packages: dict[str, str]
    shared: str
    """What it reads in the note that the driver has just written, where artifacts live."""
    processor: str
    gpus: list[str]


WORDS = {
    "kit": "code of the kit",
    "python": "version of Python",
    "packages": "packages",
}


def facts(shared: str) -> Facts:
    """Return what this node says.

    Args:
        shared: what it reads in the driver's note.
    """
    return Facts(
        kit=sha256_value(hash_files(KIT, sorted(map(str, _sources()))))[:16],
        python=".".join(platform.python_version_tuple()[:2]),
        packages=installed_packages(),
        shared=shared,
        processor=processor(),
        gpus=[gpu.name for gpu in gpus()],
    )


def _sources() -> Iterator[Path]:
    yield from (path.relative_to(KIT) for path in KIT.rglob("*.py"))


def require_equal(
    own: Facts, said: Mapping[str, Mapping[str, Any] | None], word: str, remedy: str
) -> list[str]:
    """Return lines about the nodes, if the driver can use all of them.

    Args:
        word: what the place of artifacts is called.
        remedy: what to do where a node does not find it.
        said: {address of a node: what it says, or why it cannot; None if it does not answer}.

    Raises:
        EnvironmentFault: a node does not answer, or has another kit, Python, packages or cache.
    """
    for address, found in said.items():
        if found is None or "fault" in found:
            raise EnvironmentFault(
                f"the node {address} does not answer",
                expected="the kit, which says within three minutes what the node is",
                found=" ".join(found["fault"]) if found else None,
                remedy=REMEDY,
            )
        for key in ("kit", "python", "packages", "shared"):
            if found[key] != own[key]:
                raise EnvironmentFault(
                    f"the node {address} has another {WORDS.get(key, word)} than the driver",
                    expected=_differing(own[key], found[key]),
                    found=_differing(found[key], own[key]),
                    remedy=REMEDY if key != "shared" else remedy,
                )
    lines = [f"{address}: {_hardware(found)}" for address, found in said.items() if found]
    kinds = {_hardware(found) for found in said.values() if found}
    if len(kinds) > 1:
        lines.append(f"{len(kinds)} kinds of hardware: equal bits are promised on one kind only")
    return lines


def _differing(value: object, other: object) -> object:
    """Return the part of a value that differs from another."""
    if not isinstance(value, dict) or not isinstance(other, dict):
        return value
    return ", ".join(f"{k} {v or 'missing'}" for k, v in value.items() if other.get(k) != v)


def _hardware(found: Mapping[str, Any]) -> str:
    names: Sequence[str] = found["gpus"]
    cards = f", {len(names)} x {names[0]}" if names else ""
    return f"{found['processor']}{cards}"


if __name__ == "__main__":
    print(json.dumps(facts("")))
