"""The inputs behind each digest that this process has made: what decides a job's result."""

from collections.abc import Mapping
from typing import Any

from kit.digests import sha256_value

_made: dict[str, Mapping[str, Any]] = {}


def digest_of(inputs: Mapping[str, Any]) -> str:
    """Return the digest of what decides a result, and remember what that is."""
    digest = sha256_value(inputs)
    _made[digest] = inputs
    return digest


def inputs_of(digest: str) -> Mapping[str, Any]:
    """Return what decides the result with this digest; `digest_of` has made it in this process."""
    return _made[digest]
