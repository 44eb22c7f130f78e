"""The losses of an adapter's steps, thinned for a curve.

Whether losses.jsonl has the right form is checked by `verify`. Here, a file of another form has no
curve.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from kit.result.layout import ADAPTERS, LOSSES
from kit.result.strict_json import parse_json

MOST_POINTS = 80
MAX_LINE_BYTES = 10_000

Curve = tuple[tuple[int, float], ...]  # (step, loss)


def loss_files(folder: Path) -> list[str]:
    """Return the path in a result of each losses.jsonl, sorted."""
    found = folder.glob(f"{ADAPTERS}/*/{LOSSES}")
    return sorted(each.relative_to(folder).as_posix() for each in found if each.is_file())


def curves_of(held: Mapping[str, bytes]) -> dict[str, Curve]:
    """Return {name of an adapter: its curve} of the files of a result, without empty curves.

    Args:
        held: {path in the result: bytes}; other files than losses.jsonl are passed over.
    """
    names = {
        name.split("/")[1]: data
        for name, data in held.items()
        if name.startswith(f"{ADAPTERS}/") and name.endswith(f"/{LOSSES}")
    }
    curves = {name: curve_of(data) for name, data in names.items()}
    return {name: curve for name, curve in curves.items() if curve}


def curve_of(data: bytes) -> Curve:
    """Return the mean loss of at most 80 equal stretches of steps, each at its last step.

    Empty where a line has no finite loss.
    """
    losses = list(_losses(data))
    if not losses or not all(map(math.isfinite, losses)):
        return ()
    points = min(MOST_POINTS, len(losses))
    ends = [round(len(losses) * (n + 1) / points) for n in range(points)]
    starts = [0, *ends[:-1]]
    return tuple(
        (end, math.fsum(losses[start:end]) / (end - start))
        for start, end in zip(starts, ends, strict=True)
    )


def _losses(data: bytes) -> Iterator[float]:
    for line in data.splitlines():
        try:
            entry = parse_json(line, max_bytes=MAX_LINE_BYTES)
        except ValueError:
            entry = None
        loss = entry.get("loss") if isinstance(entry, dict) else None
        yield float(loss) if type(loss) in (int, float) else math.nan  # type: ignore[arg-type]
