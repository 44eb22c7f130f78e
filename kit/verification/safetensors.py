"""Read adapter weights in the format safetensors, of which no byte is trusted.

The file is 8 bytes (the length of the header, little-endian), the header (JSON: name -> dtype,
shape, offsets), and the numbers. Nothing in it is run, unlike in a pickle.
Source: huggingface/safetensors, README.md, section Format.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

from kit.result.strict_json import parse_json
from kit.result.tree import open_regular
from kit.verification.updates import Updates

MAX_HEADER_BYTES = 4 << 20  # 7B models have 224 adapted layers, some 60 kB
CHUNK = 1 << 22
MAX_SIDE = 1 << 21  # the largest vocabulary of a base of the kit has 152,064 tokens
DTYPE, ITEM = "F32", 4  # the kit saves float32, whatever it computes in


@dataclass(frozen=True)
class Weights:
    """The tensors of an adapter: {name: shape}, and the digest of their names and numbers.

    `file_digest` is that of the whole file, as it was read. `moved` names the tensors that are not
    all zeros: B of LoRA and full updates begin so. `probes` are those of the update that the
    matrices make (`kit.verification.updates`).
    """

    shapes: Mapping[str, tuple[int, ...]]
    digest: str
    file_digest: str
    moved: frozenset[str]
    probes: np.ndarray


class NotWeights(ValueError):
    """A file that is no adapter in the format safetensors; the text says why."""


def read_weights(path: Path, key: bytes = b"") -> Weights:
    """Read names, shapes and a digest of an adapter, and check that every number is finite.

    Memory is bounded by the header's limit, a chunk of 4 MiB, and the sides of a matrix.

    Args:
        path: the file.
        key: decides the probes; those of one key can be compared.

    Raises:
        NotWeights: header and numbers are not those of float32 tensors that fill the file exactly,
            or a number is not finite.
        VerificationError: the file cannot be read.
    """
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        whole = hashlib.sha256()
        header, start = _header(stream, size, whole)
        tensors = sorted(_tensors(header), key=lambda tensor: tensor[2:])
        place = 0
        for name, shape, begin, end in tensors:
            if begin != place or end - begin != prod(shape) * ITEM:
                raise NotWeights(f"the numbers of {name[:200]!a} are not where its shape puts them")
            place = end
        if start + place != size:
            raise NotWeights(f"{size} bytes, but its tensors end at {start + place}")
        hasher, moved, updates = hashlib.sha256(), set(), Updates(key)
        for name, shape, _, _ in tensors:
            hasher.update(f"{name} {shape}\n".encode())
            if _scan(stream, name, shape, (hasher, whole), updates):
                moved.add(name)
    shapes: dict[str, tuple[int, ...]] = {name: shape for name, shape, *_ in tensors}
    return Weights(
        shapes, hasher.hexdigest(), whole.hexdigest(), frozenset(moved), updates.probes()
    )


def _header(stream: BinaryIO, size: int, whole: "hashlib._Hash") -> tuple[dict[str, object], int]:
    first = stream.read(8)
    length = int.from_bytes(first, "little")
    if len(first) < 8 or not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
        said = "a pickle" if first[:1] == b"\x80" or first[:2] == b"PK" else "no safetensors"
        raise NotWeights(f"it is {said}: its first 8 bytes are no length of a header")
    data = stream.read(length)
    whole.update(first + data)
    try:
        header = parse_json(data, max_bytes=MAX_HEADER_BYTES)
    except ValueError as error:
        raise NotWeights(f"its header is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise NotWeights("its header is not a JSON object")
    notes = header.pop("__metadata__", {})
    if notes not in ({}, {"format": "pt"}):
        raise NotWeights("its header has notes of its own, in `__metadata__`")
    if not header:
        raise NotWeights("it has no tensors")
    return header, 8 + length


def _tensors(header: Mapping[str, object]) -> Iterator[tuple[str, tuple[int, int], int, int]]:
    for name, told in header.items():
        if not isinstance(told, dict) or told.keys() != {"dtype", "shape", "data_offsets"}:
            raise NotWeights(f"{name[:200]!a} has no dtype, shape and data_offsets")
        if told["dtype"] != DTYPE:
            raise NotWeights(f"{name[:200]!a} is of dtype {str(told['dtype'])[:20]!a}, not {DTYPE}")
        shape, offsets = _integers(told["shape"]), _integers(told["data_offsets"])
        if len(shape) != 2 or len(offsets) != 2 or 0 in shape:
            raise NotWeights(f"{name[:200]!a} is no matrix")
        if max(shape) > MAX_SIDE:
            raise NotWeights(f"{name[:200]!a} has a side of {max(shape)}, more than {MAX_SIDE}")
        yield name, (shape[0], shape[1]), offsets[0], offsets[1]


def _integers(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(
        type(each) is int and 0 <= each < 1 << 48 for each in value
    ):
        return ()
    return tuple(value)


def _scan(
    stream: BinaryIO,
    name: str,
    shape: tuple[int, int],
    hashers: Sequence["hashlib._Hash"],
    updates: Updates,
) -> bool:
    """Hash and probe the numbers of a tensor; return whether one of them is not 0."""
    nonzero, size, place = False, prod(shape) * ITEM, 0
    updates.begin(name, shape)
    while size:
        data = stream.read(min(CHUNK, size))
        if not data:
            raise NotWeights(f"it ends within {name[:200]!a}")
        size -= len(data)
        for hasher in hashers:
            hasher.update(data)
        numbers = np.frombuffer(data, dtype="<f4")
        if not np.isfinite(numbers).all():
            raise NotWeights(f"{name[:200]!a} has a number that is not finite")
        nonzero = nonzero or bool(numbers.any())
        updates.add(name, shape[1], place, numbers)
        place += len(numbers)
    return nonzero
