"""The stored scores of one system: `likelihoods.parquet` and, where asked for, `tokens.parquet`."""

import math
import shutil
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kit.errors import GuardError
from kit.plan.systems import System
from kit.result.layout import DISTANCES, LIKELIHOODS, TOKENS
from kit.result.tables import SCHEMAS

FILES = {
    LIKELIHOODS: "likelihoods.parquet", TOKENS: "tokens.parquet", DISTANCES: "distances.parquet",
}  # fmt: skip
KEYS = ("system", "record_id", "role", "text", "reference")
DECIMALS = 6
TOKEN_DECIMALS = 5  # of single tokens, which are stored in float32


class TokenRow(NamedTuple):
    """The tokens of one answer, the end token last: one item for each (`TokenStatistics`)."""

    logprob: Sequence[float]
    rank: Sequence[int]
    entropy: Sequence[float]
    deviation: Sequence[float]


class Distances(NamedTuple):
    """How far each token of a reference answer is from a Retain-only model's distribution.

    The end token is the last; the numbers are those of `kit.model.token_statistics.Apart`.
    """

    record_id: str
    reference: str
    divergence: Sequence[float]
    distance: Sequence[float]


@dataclass(frozen=True)
class ScoredAnswer:
    """A scored answer: the sum of its tokens' log-probabilities in nats, and their number.

    `each` describes the single tokens, where the manifest asks for it. `wanted` says whether the
    benchmark compares the sum with others.
    """

    record_id: str
    role: str
    text: str
    logprob: float
    tokens: int
    each: TokenRow | None = None
    wanted: bool = True


def publish(
    system: System, scored: Sequence[ScoredAnswer], apart: Sequence[Distances] = ()
) -> None:
    """Write a system's tables, sorted and rounded: equal values give equal bytes.

    Raises:
        GuardError: a number is not finite.
    """
    assert system.likelihoods is not None, "neither benchmark nor manifest asks for likelihoods"
    _require_finite(system, scored, apart)
    folder = system.likelihoods.partial
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sums = [
        (each.record_id, system.name, each.role, each.text, _rounded(each.logprob), each.tokens)
        for each in scored
        if each.wanted
    ]
    _write(sums, LIKELIHOODS, folder)
    if system.token_table:
        _write(list(_token_rows(system, scored)), TOKENS, folder)
    if system.references is not None:
        rows = [
            (each.record_id, system.name, each.reference, *map(_shortened, each[2:]))
            for each in apart
        ]
        _write(rows, DISTANCES, folder)
    system.likelihoods.publish({"stage": "evaluate", "answers": len(scored)})


def _require_finite(
    system: System, scored: Iterable[ScoredAnswer], apart: Iterable[Distances]
) -> None:
    found = [(each.record_id, [each.logprob]) for each in scored]
    found += [
        (each.record_id, [*each.each.logprob, *each.each.entropy, *each.each.deviation])
        for each in scored
        if each.each is not None
    ]
    found += [(each.record_id, [*each.divergence, *each.distance]) for each in apart]
    for record_id, numbers in found:
        if odd := [number for number in numbers if not math.isfinite(number)]:
            raise GuardError(
                f"{system.name} gives no probabilities",
                expected=f"finite numbers for the given answers to {record_id}",
                found=odd[0],
                remedy="its weights have diverged: lower the learning rate or the number of steps "
                "of its method",
            )


def _token_rows(system: System, scored: Iterable[ScoredAnswer]) -> Iterator[tuple[object, ...]]:
    """Yield rows in the order of the table's columns."""
    for answer in scored:
        if (each := answer.each) is not None:
            logprob, entropy, deviation = map(
                _shortened, (each.logprob, each.entropy, each.deviation)
            )
            compressed = len(zlib.compress(answer.text.encode()))
            key = answer.record_id, system.name, answer.role, answer.text
            yield *key, compressed, logprob, each.rank, entropy, deviation


def _shortened(values: Sequence[float]) -> np.ndarray:
    return np.asarray(np.round(np.array(values, dtype=np.float64), TOKEN_DECIMALS) + 0.0)


def _rounded(value: float) -> float:
    return round(value, DECIMALS) + 0.0  # turns -0.0, which has other bytes, to 0.0


def _write(rows: Sequence[tuple[object, ...]], name: str, folder: Path) -> None:
    frame = pd.DataFrame(rows, columns=SCHEMAS[name].names)
    keys = [key for key in KEYS if key in frame]
    frame = frame.sort_values(keys, ignore_index=True)
    table = pa.Table.from_pandas(frame, schema=SCHEMAS[name], preserve_index=False)
    pq.write_table(table.replace_schema_metadata(None), folder / FILES[name])
