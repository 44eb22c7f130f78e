"""distances.parquet: how far the tokens of a system's reference answers are from Retain-only."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from kit.benchmarks.records import Record
from kit.errors import DataError
from kit.metrics.stored_answers import REMEDY

# {(system, reference, record id): (mean divergence in bits, mean L2 distance)}
Nearness = Mapping[tuple[str, str, str], tuple[float, float]]
MOST = {"divergence": 1.001, "distance": 1.415}  # 1 and sqrt(2), and rounding


def read_distances(
    table: pd.DataFrame | None, records: Mapping[str, Record], systems: Collection[str]
) -> Nearness:
    """Return the mean over the tokens of each answer; {} without a table.

    Raises:
        DataError: a row has an unknown record or system, occurs twice, or is no distance.
    """
    found: dict[tuple[str, str, str], tuple[float, float]] = {}
    if table is None:
        return found
    columns = table[["system", "reference", "record_id", *MOST]]
    for system, reference, record_id, *lists in columns.itertuples(index=False, name=None):
        arrays = [np.asarray(each, dtype=np.float64) for each in lists]
        key = system, reference, record_id
        if fault := _fault(key, arrays, records, systems, known=key in found):
            raise DataError(
                f"the distances of system {system} to {reference} for record {record_id} {fault}",
                expected="one row for each answer, with two distances of each of its tokens",
                found=_seen(arrays),
                remedy=REMEDY,
            )
        means = [
            min(float(each.mean()), most) for each, most in zip(arrays, (1, 2**0.5), strict=True)
        ]
        found[key] = means[0], means[1]
    return found


def _seen(arrays: list[np.ndarray]) -> str:
    """Return lengths and ranges of the columns of a row."""
    return " and ".join(
        f"{len(each)} values from {each.min():.4g} to {each.max():.4g}" if len(each) else "none"
        for each in arrays
    )


def _fault(
    key: tuple[str, str, str],
    arrays: list[np.ndarray],
    records: Mapping[str, Record],
    systems: Collection[str],
    *,
    known: bool,
) -> str:
    """Return what is wrong with a row, or ""."""
    system, reference, record_id = key
    if record_id not in records or system not in systems or reference not in systems:
        return "belong to no record or system of this result"
    if known:
        return "occur twice"
    if len(arrays[0]) < 1 or len(arrays[0]) != len(arrays[1]):
        return "have no tokens, or columns of several lengths"
    for each, most in zip(arrays, MOST.values(), strict=True):
        if not ((each >= 0) & (each <= most)).all():
            return "are no distances"
    return ""
