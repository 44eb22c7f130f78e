"""The removed neurons of a result: a list of numbers for layers that adapters change."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from kit.result.neurons import parse_neurons
from kit.verification.adapter_form import PREFIX
from kit.verification.signed_file import read_signed


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
    data = read_signed(results, path, digests)
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
