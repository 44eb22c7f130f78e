"""How near the nearest systems of a result are: in their answers, and in their adapters' updates.

    ./run.sh bench nearest [RESULT ...]

`verify` names systems that answer nearly alike and refuses adapters that are nearly one update. Its
two limits are held against what this prints of the signed references. Updates are computed whole
here, and not by probes.
"""

import sys
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

from kit.artifacts import PROJECT
from kit.exchange import load
from kit.verification import same_answers, updates

REFERENCES = ("manifests/reference/smoke", "manifests/reference/smoke-full")
Pair = tuple[float, str, str]


def main() -> int:
    """Print the nearest pairs of each result; 1 if one is nearer than a limit of `verify`."""
    near = False
    for name in sys.argv[1:] or [str(PROJECT / each) for each in REFERENCES]:
        print(Path(name).name)
        share, one, other = nearest_answers(Path(name))
        print(f"  {one} and {other} differ in {share:.2%} of their answers")
        near |= share < same_answers.NEAR
        if (pair := nearest_updates(Path(name) / "adapters")) is not None:
            distance, one, other = pair
            print(f"  the updates of {one} and {other} are {distance:.2f} apart, each of length 1")
            near |= distance < updates.NEAR
    return int(near)


def nearest_answers(result: Path) -> Pair:
    """Return the least share of common questions with other answers, of two methods' systems."""
    tables = load(result, policy="integrity")
    texts = tables.answers.pivot(index="record_id", columns="system", values="text")
    systems = tables.systems.set_index("name")[["method", "target"]]
    return min(_differing(texts, systems))


def _differing(texts: pd.DataFrame, systems: pd.DataFrame) -> Iterator[Pair]:
    for one, other in combinations(texts.columns, 2):
        first, second = systems.loc[one], systems.loc[other]
        targets = {each["target"] for each in (first, second) if pd.notna(each["target"])}
        if first["method"] == second["method"] or len(targets) > 1:
            continue
        both = texts[[one, other]].dropna()
        if len(both):
            yield float((both[one] != both[other]).mean()), one, other


def nearest_updates(adapters: Path) -> Pair | None:
    """Return the least distance of two adapters' updates of length 1; None where none are kept."""
    files = sorted(adapters.glob("*/adapter_model.safetensors"))
    found = {file.parent.name: load_file(file) for file in files}
    lengths = {name: np.sqrt(_product(each, each)) for name, each in found.items()}
    pairs = (
        (_apart(_product(found[a], found[b]) / (lengths[a] * lengths[b])), a, b)
        for a, b in combinations(found, 2)
    )
    return min(pairs, default=None)


def _apart(cosine: float) -> float:
    return float(np.sqrt(max(0.0, 2 - 2 * cosine)))


def _product(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    """Return the inner product of two updates: the trace of (B A)' B' A', module by module."""
    return sum(_traces(one, other), start=0.0)


def _traces(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> Iterable[float]:
    for a in (name for name in one if name.endswith(updates.A)):
        b = a.removesuffix(updates.A) + updates.B
        left, right = (each[b].astype(float) for each in (one, other))
        inner, outer = one[a].astype(float) @ other[a].astype(float).T, left.T @ right
        yield float((inner * outer).sum())


if __name__ == "__main__":
    raise SystemExit(main())
