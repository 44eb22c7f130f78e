"""Recompute the rows and the tables of a result from its stored answers, without a model.

A valid signature says who wrote the numbers, not that they follow from the answers; this does.
Nothing here trusts the files: whoever signed them may have made them.
"""

import math
from collections.abc import Mapping

import pandas as pd
import pyarrow as pa

from kit import benchmarks
from kit.digests import sha256_value
from kit.errors import KitError, VerificationError
from kit.protocol import Protocol
from kit.report_check import FOLDER, compare_report
from kit.result_tree import show
from kit.rows import ROW_TYPES, System, make_rows
from kit.strict_json import parse_json
from kit.tables import (
    ANSWERS,
    LIKELIHOODS,
    RECORDS,
    ROWS,
    SCHEMAS,
    SETS,
    read_table,
    unusable,
)

RUN = "run.json"
SCHEMA = "pebench-kit/run/1"
INPUTS = (RUN, RECORDS, SETS, ANSWERS, LIKELIHOODS, ROWS)

MAX_DRAWS = 20_000
# `make_rows` rounds intervals to 12 decimals; on another processor the last one may flip.
INTERVAL_TOLERANCE = 1.5e-12
NAMED = 5


def recompute(held: Mapping[str, bytes]) -> pd.DataFrame:
    """Compute rows and report from the answers, compare them with the stored ones; return the rows.

    Args:
        held: {path in the result: bytes} of `INPUTS` and of everything under report/, already
            checked against their digests.

    Raises:
        VerificationError: a table cannot be read as what it should be, or a number differs.
    """
    run = read_run(held[RUN])
    settings = _mapping(_mapping(run, "manifest"), "report")
    draws = _count(settings, "bootstrap_draws", 1, MAX_DRAWS)
    seed = _count(settings, "seed", 0, 2**63 - 1)
    protocol = protocol_of(run)
    systems = _systems(run, protocol)
    tables = {name: _full_table(held[name], name) for name in INPUTS[1:-1]}
    try:
        rows = make_rows(
            *(tables[name] for name in INPUTS[1:-1]),
            systems,
            protocol=protocol,
            draws=draws,
            seed=seed,
        )
    except KitError as error:
        raise VerificationError(
            "the rows cannot be recomputed from the stored answers", found=error.what
        ) from error
    stored = read_table(held[ROWS], ROWS)
    compare_rows(stored, rows)
    report = {name: data for name, data in held.items() if name.startswith(FOLDER)}
    if report:
        # The stored rows, whose last decimals the report prints, are now known to be right.
        tables[ROWS] = stored.to_pandas().astype(ROW_TYPES)
        compare_report(held[RUN], tables, report)
    return rows


def _full_table(data: bytes, name: str) -> pd.DataFrame:
    table = read_table(data, name)
    if any(column.null_count for column in table.columns):
        raise unusable(name, "it has empty cells")
    return table.to_pandas()


def read_run(data: bytes) -> dict[str, object]:
    """Return the content of run.json.

    Raises:
        VerificationError: it is no run.json of our schema, or its manifest has another digest.
    """
    try:
        run = parse_json(data)
    except ValueError as error:
        raise unusable(RUN, error) from None
    if not isinstance(run, dict):
        raise unusable(RUN, "not a JSON object")
    if run.get("schema") != SCHEMA:
        raise unusable(RUN, f"its schema is {run.get('schema')!r}, not {SCHEMA!r}")
    if run.get("manifest_digest") != sha256_value(run.get("manifest")):
        raise unusable(RUN, "manifest_digest is not the digest of its manifest")
    return run


def protocol_of(run: Mapping[str, object]) -> Protocol:
    """Return the protocol of the benchmark that a run.json names.

    Raises:
        VerificationError: it names none that this version of the kit has.
    """
    loader = _mapping(_mapping(run, "manifest"), "benchmark").get("loader")
    try:
        return benchmarks.protocol(str(loader))
    except KitError as error:
        raise unusable(RUN, error.what) from None


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


def _systems(run: Mapping[str, object], protocol: Protocol) -> list[System]:
    systems = run.get("systems")
    if (
        not isinstance(systems, list)
        or not systems
        or not all(_is_system(system, protocol) for system in systems)
    ):
        raise unusable(RUN, "its systems are not a list of name, target, method, label and seed")
    names = [system["name"] for system in systems]
    if len(set(names)) != len(names):
        raise unusable(RUN, "it names a system twice")
    return systems


def _is_system(value: object, protocol: Protocol) -> bool:
    if not isinstance(value, dict) or not value.keys() >= {"target", "seed"}:
        return False
    seed = value["seed"]
    return (
        all(isinstance(value.get(name), str) for name in ("name", "method", "label"))
        and value["target"] in (None, *protocol.targets)
        and (seed is None or (type(seed) is int and abs(seed) < 2**63))
    )


def _mapping(value: Mapping[str, object], name: str) -> dict[str, object]:
    part = value.get(name)
    if not isinstance(part, dict):
        raise unusable(RUN, f"{name} is missing")
    return part


def _count(report: Mapping[str, object], name: str, least: int, most: int) -> int:
    number = report.get(name)
    if type(number) is not int or not least <= number <= most:
        raise unusable(RUN, f"manifest.report.{name} is {number!r}, not in {least}..{most}")
    return number
