"""Is one adapter nearly a copy of another, in the update B A that it makes of the base's weights?

Other A and B can make the same update, so the update is compared and not its factors. It is never
computed: a probe u' B A v with random u and v takes one pass over the factors. Of a full update D
it is u' D v, with the same u and v. The probes depend on the digests of all adapters, so that none
can be made to pass them.
"""

import hashlib
from collections.abc import Iterator, Mapping

import numpy as np

PROBES = 4  # of each module
# Distance of two updates, each of length 1. The nearest two of the signed small experiment have
# 0.81: gradient difference and KL minimisation of both (`./run.sh bench nearest`).
NEAR = 0.01
A, B = ".lora_A.weight", ".lora_B.weight"
PREFIX, WEIGHT = "base_model.model.", ".weight"  # PEFT's names of layers begin so; D's names end so


class Updates:
    """Collects the probes of one adapter while its file is read."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._sides: dict[str, np.ndarray] = {}  # tensor -> [PROBES, rank]
        self._vectors: np.ndarray = np.empty((PROBES, 0))

    def begin(self, name: str, shape: tuple[int, int]) -> None:
        """Prepare for the numbers of a matrix: A [rank, inputs], B [outputs, rank], D [out, in]."""
        long, rank = shape if name.endswith(B) else shape[::-1]
        factor = name if name.endswith((A, B)) else _layer_of(name) + A
        self._vectors = self._drawn(factor, long)
        self._sides[name] = np.zeros((PROBES, rank))

    def add(self, name: str, columns: int, start: int, numbers: np.ndarray) -> None:
        """Take numbers of the matrix, of which the first is number `start` in row order."""
        rows, places = np.divmod(np.arange(start, start + len(numbers)), columns)
        kept, summed = (places, rows) if name.endswith(B) else (rows, places)
        side = self._sides[name]
        for probe, vector in enumerate(self._vectors):
            weighted = numbers * vector[summed]
            side[probe] += np.bincount(kept, weights=weighted, minlength=side.shape[1])

    def probes(self) -> np.ndarray:
        """Return [modules * PROBES] values of length 1; zeros if there is no update."""
        modules = sorted(n.removesuffix(B) for n in self._sides if n.endswith(B))
        pairs = [
            (self._sides[name + B], self._sides[name + A])
            for name in modules
            if self._sides.get(name + A, np.empty(0)).shape == self._sides[name + B].shape
        ]
        pairs += [
            (self._drawn(_layer_of(name) + B, side.shape[1]), side)
            for name, side in sorted(self._sides.items())
            if not name.endswith((A, B))
        ]
        values = np.array([(left * right).sum(axis=1) for left, right in pairs]).ravel()
        length = float(np.linalg.norm(values))
        return values / length if length else values

    def _drawn(self, factor: str, count: int) -> np.ndarray:
        """Return [PROBES, count] random numbers that belong to a factor of a layer's update."""
        seed = hashlib.sha256(self._key + factor.encode()).digest()
        draws = np.random.default_rng(np.frombuffer(seed, dtype="<u4"))
        return draws.standard_normal((PROBES, count))


def _layer_of(name: str) -> str:
    """Return PEFT's name of the layer that a matrix of a full update belongs to."""
    return PREFIX + name.removesuffix(WEIGHT)


def near_copies(probes: Mapping[str, np.ndarray]) -> Iterator[tuple[str, str, float]]:
    """Yield (name, other name, distance) of adapters whose updates are nearly one or opposite.

    Args:
        probes: {adapter: its probes}.
    """
    names = [name for name, values in probes.items() if values.any()]
    for place, name in enumerate(names):
        for other in names[:place]:
            if probes[name].shape == probes[other].shape:
                # An update and its opposite are one as well: a merging method could add either.
                pair = probes[name] - probes[other], probes[name] + probes[other]
                distance = min(float(np.linalg.norm(each)) for each in pair)
                if distance < NEAR:
                    yield other, name, distance
