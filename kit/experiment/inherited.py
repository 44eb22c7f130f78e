"""What a manifest inherits from another by `extends`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kit.errors import ManifestError
from kit.experiment.manifest import Manifest

ADD = "add"
"""The table of a manifest that extends another: its lists are added to inherited ones."""


@contextmanager
def naming_the_file(manifest: Manifest, key: str) -> Iterator[None]:
    """Add to an error about a key which file the key comes from.

    Raises:
        ManifestError: what the block raises.
    """
    try:
        yield
    except ManifestError as error:
        raise ManifestError(
            f"{manifest.origin_of(key)}: {error.what}",
            expected=error.expected,
            found=error.found,
            remedy=error.remedy,
        ) from None


@contextmanager
def naming_their_manifest(
    manifest: Manifest, claim: str = "", *, changed: bool = False
) -> Iterator[None]:
    """Add to an error about claims that the call does not state itself, whose they are.

    Args:
        manifest: with the claims.
        claim: the id of the claim that an error is about; "" for all claims. One that the manifest
            adds to inherited ones is its own.
        changed: whether `--set` has changed the manifest, but not its claims.

    Raises:
        ManifestError: what the block raises.
    """
    try:
        yield
    except ManifestError as error:
        base = manifest.claims_of
        if manifest.adds_claim(claim) or not (base or changed):
            raise
        whose = f"are inherited from {base}" if base else "were made for the manifest without --set"
        own = (
            f"write `claims = []` before the first table of your manifest, or claims of your own: "
            f"it extends {base} and is another experiment"
        )
        raise ManifestError(
            f"{error.what} (the claims {whose})",
            expected=error.expected,
            found=error.found,
            remedy="add `--set claims=[]`: it is another experiment" if changed else own,
        ) from None


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with its tables changed key by key; lists and values are replaced whole."""
    found = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        found[key] = merged(base[key], value) if both else value
    return found


def lengthened(base: dict[str, Any], added: Any, origin: str, place: str = ADD) -> dict[str, Any]:
    """Return `base` with the entries of `[add]` at the end of its lists.

    Raises:
        ManifestError: what is added is no list, or nothing of its name is inherited.
    """
    if not isinstance(added, dict):
        raise _not_a_list(origin, place, added)
    found = dict(base)
    for key, value in added.items():
        here = f"{place}.{key}"
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            found[key] = lengthened(base[key], value, origin, here)
        elif isinstance(value, list) and isinstance(base.get(key, []), list):
            found[key] = [*base.get(key, []), *value]
        else:
            raise _not_a_list(origin, here, value)
    return found


def _not_a_list(origin: str, place: str, value: object) -> ManifestError:
    return ManifestError(
        f"{origin}: '{place}' cannot be added to a list",
        expected="entries for a list that is inherited, such as [[add.methods]]",
        found=repr(value)[:120],
        remedy="write it without `add`, if it should replace what is inherited",
    )
