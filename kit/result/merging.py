"""The file that says how the adapters of one artifact become one update: names, method, options."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kit.result.strict_json import parse_json

MOST_ADAPTERS = 16  # far more than any method has; each takes the rank of the manifest


@dataclass(frozen=True)
class Merger:
    """What the file says. A method is rebuilt from its name and all of its options."""

    adapters: tuple[str, ...]
    """In the order of their ranks in the weights file, from the first rank on."""
    method: str
    """The method's file, without its ending."""
    options: Mapping[str, Any]
    """All of them, those with their defaults too."""


def merger_json(merger: Merger) -> str:
    """Return the file's content; equal mergers give equal bytes."""
    content = {
        "adapters": list(merger.adapters),
        "method": merger.method,
        "options": dict(merger.options),
    }
    return json.dumps(content, sort_keys=True) + "\n"


def parse_merger(data: bytes) -> Merger:
    """Read the file's content.

    Raises:
        ValueError: it says no such thing; the text says why.
    """
    found = parse_json(data)
    if not isinstance(found, dict) or set(found) != {"adapters", "method", "options"}:
        raise ValueError("it is no JSON object with adapters, method and options")
    names, method, options = found["adapters"], found["method"], found["options"]
    if not isinstance(names, list) or not 2 <= len(names) <= MOST_ADAPTERS:
        raise ValueError(f"adapters is no list of 2 to {MOST_ADAPTERS} names")
    if not all(isinstance(name, str) and name for name in names) or len({*names}) < len(names):
        raise ValueError("adapters are not distinct names")
    if not isinstance(method, str) or not isinstance(options, dict):
        raise ValueError("method is no name, or options is no JSON object")
    return Merger(tuple(names), method, options)
