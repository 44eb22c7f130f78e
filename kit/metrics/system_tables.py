"""Small tables with one number or two for each system and record: gradients, and what Vanilla read.

gradients.parquet holds the gradient norm of reference answers, read_by_vanilla.parquet how likely
Vanilla finds generated ones.
"""

from collections.abc import Collection, Mapping

import pandas as pd

from kit.benchmarks.records import Record
from kit.errors import DataError
from kit.metrics.stored_answers import MAX_NATS, REMEDY

# {(system, record id): number}
Numbers = Mapping[tuple[str, str], float]
MOST_NORM = 1e30


def read_gradients(
    table: pd.DataFrame | None, records: Mapping[str, Record], systems: Collection[str]
) -> Numbers:
    """Return the gradient norm of each reference answer; {} without a table.

    Raises:
        DataError: a row has an unknown record or system, occurs twice, or is no norm.
    """
    if table is None:
        return {}
    wrong = ~table["norm"].between(0, MOST_NORM)
    _refuse(table, "gradient norm", records, systems, [(wrong, "is no norm")])
    return _numbers(table, table["norm"])


def read_by_vanilla(
    table: pd.DataFrame | None, records: Mapping[str, Record], systems: Collection[str]
) -> Numbers:
    """Return the mean log-probability of each answer's tokens, in nats; {} without a table.

    Raises:
        DataError: a row has an unknown record or system, occurs twice, has no token, or is no
            log-probability.
    """
    if table is None:
        return {}
    faults = [
        (~table["logprob"].between(-MAX_NATS, 0), "is not a log-probability"),
        (table["tokens"] < 1, "has no tokens"),
    ]
    _refuse(table, "answer that Vanilla read", records, systems, faults)
    return _numbers(table, table["logprob"] / table["tokens"])


def _numbers(table: pd.DataFrame, values: "pd.Series[float]") -> Numbers:
    keys = zip(table["system"], table["record_id"], strict=True)
    return dict(zip(keys, values.tolist(), strict=True))


def _refuse(
    table: pd.DataFrame,
    kind: str,
    records: Mapping[str, Record],
    systems: Collection[str],
    faults: list[tuple["pd.Series[bool]", str]],
) -> None:
    for bad, what in (
        (~table["record_id"].isin(list(records)), "belongs to no record of this result"),
        (~table["system"].isin(list(systems)), "belongs to no system of this result"),
        (table.duplicated(["system", "record_id"]), "occurs twice"),
        *faults,
    ):
        if bad.any():
            first = table[bad].sort_values(["system", "record_id"]).iloc[0]
            raise DataError(
                f"the {kind} of system {first['system']} for record {first['record_id']} {what}",
                expected=f"each {kind} once, of a system and a record of this result",
                found=f"{int(bad.sum())} such rows",
                remedy=REMEDY,
            )
