"""Recompute rows, verdicts and tables of a result from its stored answers, without a model.

A valid signature says who wrote the numbers, not that they follow from the answers; this does.
Nothing here trusts the files: whoever signed them may have made them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from kit.errors import KitError, VerificationError
from kit.metrics.rows import Measured, measure, rows_of
from kit.names import show
from kit.result.layout import CLAIMS, INPUTS, RECORDS, REPORT, ROWS, RUN
from kit.result.run_file import interval_settings, protocol_of, read_run, systems_of
from kit.result.table_reading import read_table
from kit.result.tables import ROW_TYPES, SCHEMAS, unusable
from kit.verdicts.claims_file import claims_of, compare_claims
from kit.verdicts.judging import Verdict, judge_claims
from kit.verification.limits import require_sane_draws, require_sane_size, require_sane_systems
from kit.verification.pages import compare_report

# `rows_of` rounds intervals to 12 decimals; on another processor the last one may flip.
INTERVAL_TOLERANCE = 1.5e-12
NAMED = 5


@dataclass(frozen=True)
class Recomputed:
    """What follows from the stored answers of a result: values, rows and verdicts."""

    run: Mapping[str, object]
    tables: dict[str, pd.DataFrame]
    measured: Measured
    rows: pd.DataFrame
    verdicts: list[Verdict]


def recompute(held: Mapping[str, bytes]) -> Recomputed:
    """Compute rows, claims and report from the answers and compare them with the stored ones.

    Args:
        held: {path in the result: bytes} of `INPUTS`, of claims.json if there is one, and of
            everything under report/, already checked against their digests.

    Raises:
        VerificationError: a table cannot be read as what it should be, or a number differs.
    """
    found = rescore(held)
    compare_stored(held, found)
    return found


def rescore(held: Mapping[str, bytes]) -> Recomputed:
    """Compute rows and verdicts from the answers alone; what else is stored is not looked at.

    Raises:
        VerificationError: a table cannot be read as what it should be, or is larger than those of
            any honest result.
    """
    # Arrow's own allocator would keep 20 MB that it no longer needs.
    pa.set_memory_pool(pa.system_memory_pool())
    run = read_run(held[RUN])
    draws, seed = interval_settings(run)
    protocol = protocol_of(run)
    systems = systems_of(run, protocol)
    require_sane_systems(run, systems)
    claims = claims_of(run)
    tables = {name: _full_table(held[name], name) for name in INPUTS[1:-1]}
    require_sane_size(len(systems), len(tables[RECORDS]))
    try:
        measured = measure(*tables.values(), systems, protocol=protocol)
        require_sane_draws(measured, claims, draws)
        rows = rows_of(measured, draws=draws, seed=seed)
        verdicts = judge_claims(claims, measured, seed=seed)
    except VerificationError:
        raise
    except KitError as error:
        raise VerificationError(
            "the rows cannot be recomputed from the stored answers", found=show(error.what)
        ) from error
    return Recomputed(run, tables, measured, rows, verdicts)


def compare_stored(held: Mapping[str, bytes], found: Recomputed) -> None:
    """Hold the stored rows, claims and report against those that follow from the answers.

    Raises:
        VerificationError: they differ; it names the first cells, claims or pages that do.
    """
    stored = read_table(held[ROWS], ROWS)
    compare_rows(stored, found.rows)
    compare_claims(held.get(CLAIMS), found.verdicts)
    report = {name: data for name, data in held.items() if name.startswith(REPORT)}
    if report:
        # The stored rows, whose last decimals the report prints, are now known to be right.
        rows = stored.to_pandas().astype(ROW_TYPES)
        files = {name: held[name] for name in (RUN, CLAIMS) if name in held}
        compare_report(files, rows, found.measured, report)


def _full_table(data: bytes, name: str) -> pd.DataFrame:
    table = read_table(data, name)
    if any(column.null_count for column in table.columns):
        raise unusable(name, "it has empty cells")
    return table.to_pandas(use_threads=False)


def compare_rows(stored: pa.Table, rows: pd.DataFrame) -> None:
    """Compare stored with recomputed rows: exactly, intervals within one unit of the last decimal.

    Raises:
        VerificationError: they differ; it names the first cells that do.
    """
    computed = pa.Table.from_pandas(rows, schema=SCHEMAS[ROWS], preserve_index=False)
    if stored.num_rows != computed.num_rows:
        raise _rows_differ([f"{stored.num_rows} rows are stored, {computed.num_rows} follow"])
    both = {name: (stored[name].to_pylist(), computed[name].to_pylist()) for name in ROW_TYPES}
    cells = [
        f"{_place(computed, row)}: {name} is {held!r}, recomputed {right!r}"
        for name, (left, right_column) in both.items()
        for row, (held, right) in enumerate(zip(left, right_column, strict=True))
        if not _same(name, held, right)
    ]
    if cells:
        raise _rows_differ(cells)


def _same(name: str, stored: object, computed: object) -> bool:
    if name in {"low", "high"} and isinstance(stored, float) and isinstance(computed, float):
        return math.isclose(stored, computed, rel_tol=0, abs_tol=INTERVAL_TOLERANCE)
    return stored == computed


def _place(table: pa.Table, row: int) -> str:
    named = ("system", "target", "part", "column", "metric")
    return show(f"row {row} ({', '.join(str(table[name][row].as_py()) for name in named)})")


def _rows_differ(cells: list[str]) -> VerificationError:
    more = [f"and {len(cells) - NAMED} more"] if len(cells) > NAMED else []
    return VerificationError(
        f"{ROWS} does not follow from the stored answers",
        expected="the rows that this version of the kit computes from them",
        found="\n    ".join(cells[:NAMED] + more),
        remedy="do not use these numbers; ask the signer how they came to be",
    )
