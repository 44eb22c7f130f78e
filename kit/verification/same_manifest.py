"""Is the manifest of a verified result the one that a reader has in mind?"""

from collections.abc import Iterator

from kit.experiment.keys import is_default
from kit.experiment.manifest import Manifest
from kit.names import show
from kit.verification.case import NOT_CHECKED, OK, Finding, Verification

NAMED = 6
SHOWN = 80  # characters of a value


def compare_manifest(found: Verification, given: Manifest, origin: str) -> Finding:
    """Say whether the result was made from this manifest, and if not, where they differ.

    Args:
        found: the verified result.
        given: the manifest that the reader names.
        origin: its path, for the line.
    """
    if given.digest() == found.manifest_digest:
        return Finding("plan", f"the manifest is that of {show(origin)}, to the byte", OK)
    differing = list(_differences(dict(found.manifest), given.resolved(), ()))
    if not differing:
        return Finding("plan", f"the manifest says the same as {show(origin)}", OK)
    more = f"; and {len(differing) - NAMED} more" if len(differing) > NAMED else ""
    said = "; ".join(show(line) for line in differing[:NAMED])
    line = f"the manifest is NOT that of {show(origin)}, but for the claims: {said}{more}"
    return Finding("plan", line, NOT_CHECKED)


def _differences(said: object, right: object, place: tuple[str, ...]) -> Iterator[str]:
    """Yield the places where the result's manifest differs; claims are compared elsewhere."""
    if place == ("claims",):
        return
    if isinstance(said, dict) and isinstance(right, dict):
        for key in dict.fromkeys([*right, *said]):
            here = (*place, str(key))
            if key not in said or key not in right:
                value = right.get(key, said.get(key))
                if not is_default(".".join(here), value):
                    yield f"{'.'.join(here)} is {'missing' if key in right else 'too much'}"
            else:
                yield from _differences(said[key], right[key], here)
    elif _are_named(said) and _are_named(right):
        yield from _differences(_by_name(said), _by_name(right), place)
    elif said != right or type(said) is not type(right):
        yield f"{'.'.join(place)} is {str(said)[:SHOWN]!r}, not {str(right)[:SHOWN]!r}"


def _are_named(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(v, dict) and "name" in v for v in value)


def _by_name(value: object) -> dict[str, object]:
    assert isinstance(value, list)
    return {str(each["name"]): each for each in value}
