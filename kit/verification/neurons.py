"""The removed neurons of a result: a list of numbers for layers that adapters change."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from kit.digests import sha256_bytes
from kit.errors import VerificationError
from kit.result.neurons import parse_neurons
from kit.result.sizes import most_bytes
from kit.result.tree import read_bytes
from kit.verification.adapter_form import PREFIX


def neuron_faults(
    results: Path, path: str, layers: Mapping[str, int], digests: Mapping[str, str]
) -> Iterator[str]:
    """Yield `FILE: what is wrong` of one file of removed neurons.

    Args:
        results: the folder of the result.
        path: of the file, in the result.
        layers: number of inputs of each layer that adapters change, by PEFT's name; empty where the
            result has no adapter to compare with.
        digests: {path in the result: SHA-256} of all signed files.

    Raises:
        VerificationError: the file changed while it was verified.
    """
    if path not in digests:
        yield f"{path}: it is missing"
        return
    data = read_bytes(results / path, max_bytes=most_bytes(path))
    if sha256_bytes(data) != digests[path]:
        raise VerificationError(
            f"{path} changed while it was verified",
            remedy="stop what writes to it; verify again",
        )
    try:
        removed = parse_neurons(data)
    except ValueError as error:
        yield f"{path}: {error}"
        return
    for layer, numbers in removed.items():
        width = layers.get(PREFIX + layer, 0)
        if layers and numbers[-1] >= width:
            said = f"has {width} inputs" if width else "is no layer that adapters change"
            yield f"{path}: neuron {numbers[-1]} of {layer[:200]!a}, which {said}"
