"""What a manifest inherits from another by `extends`, and errors of claims that it inherits."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kit.errors import ManifestError
from kit.experiment.manifest import Manifest


@contextmanager
def naming_their_manifest(manifest: Manifest) -> Iterator[None]:
    """Add to an error about claims, where they are inherited, from which manifest they are.

    Raises:
        ManifestError: what the block raises.
    """
    try:
        yield
    except ManifestError as error:
        base = manifest.claims_of
        if not base:
            raise
        raise ManifestError(
            f"{error.what} (the claims are inherited from {base})",
            expected=error.expected,
            found=error.found,
            remedy="write `claims = []` before the first table of your manifest, or claims of your "
            f"own: it extends {base} and is another experiment",
        ) from None


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with its tables changed key by key; lists and values are replaced whole."""
    found = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        found[key] = merged(base[key], value) if both else value
    return found
