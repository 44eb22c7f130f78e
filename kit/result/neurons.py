"""The file that says which neurons of the base an artifact removes: {path of a layer: inputs}."""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise

from kit.result.strict_json import parse_json

Removed = Mapping[str, Sequence[int]]
"""Path of a linear layer in the base -> its inputs that are zero, ascending, from 0."""


def neurons_json(removed: Removed) -> str:
    """Return the file's content; equal choices give equal bytes."""
    return json.dumps({path: list(removed[path]) for path in sorted(removed)}) + "\n"


def parse_neurons(data: bytes) -> Removed:
    """Read the file's content.

    Raises:
        ValueError: it is no such object; the text says why.
    """
    found = parse_json(data)
    if not isinstance(found, dict) or not found:
        raise ValueError("it is no JSON object with layers")
    for path, numbers in found.items():
        if not isinstance(numbers, list) or not numbers:
            raise ValueError(f"{path[:200]!a} has no list of inputs")
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError(f"{path[:200]!a} has inputs that are no numbers from 0")
        if any(one >= two for one, two in pairwise(numbers)):
            raise ValueError(f"the inputs of {path[:200]!a} do not ascend")
    return found
