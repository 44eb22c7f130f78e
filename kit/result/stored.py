"""A result parsed once, at the door: every limit and every schema is checked here.

Nothing is trusted: whoever signed the files may have made them. What is read here is of the right
form, but need not be true; `kit.verification` asks whether it follows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa

from kit.benchmarks.protocol import Protocol
from kit.errors import MissingStageError
from kit.experiment.claims import ClaimSection
from kit.experiment.judge import JUDGE
from kit.experiment.settings import DISTANCE, FLUENCY, GRADIENT, LIKELIHOOD
from kit.result.asked_for import families_of
from kit.result.layout import (
    ANSWERS,
    ATTACKED,
    CLAIMS,
    DISTANCES,
    GRADIENTS,
    INPUTS,
    JUDGED,
    LIKELIHOODS,
    OPTIONAL_TABLES,
    PICTURES,
    READ_BY_VANILLA,
    RECORDS,
    REPORT,
    ROWS,
    RUN,
    SETS,
    TOKENS,
)
from kit.result.limits import require_sane_size, require_sane_systems
from kit.result.losses import Curve, curves_of, loss_files
from kit.result.made_by import Kit, kit_of
from kit.result.run_file import (
    LAYOUT,
    System,
    Versions,
    claims_of,
    interval_settings,
    manifest_of,
    read_run,
    versions_of,
)
from kit.result.run_protocol import protocol_of, systems_of
from kit.result.schemas import require_schema
from kit.result.sizes import most_bytes, require_small_report
from kit.result.strict_json import parse_json
from kit.result.table_reading import read_table
from kit.result.tree import read_bytes
from kit.result.unusable import unusable

TABLES = (RECORDS, SETS, ANSWERS, LIKELIHOODS)
# The metrics that each of `OPTIONAL_TABLES` is for.
FAMILIES = {
    TOKENS: LIKELIHOOD, DISTANCES: DISTANCE, GRADIENTS: GRADIENT, READ_BY_VANILLA: FLUENCY,
    JUDGED: JUDGE,
}  # fmt: skip
MAY_BE_EMPTY = frozenset({"seed", "value", "low", "high"})  # of a row
CLAIMS_SCHEMA = "pebench-kit/claims/1"
FIRST_RULE = 1  # of claims.json of kit 0.1.0, which does not name it


@dataclass(frozen=True)
class StoredVerdicts:
    """The content of claims.json: the version of the rule, and one entry for each claim."""

    rule: int
    entries: Sequence[Mapping[str, object]]


@dataclass(frozen=True)
class StoredResult:
    """The parts of a result that its numbers follow from, parsed, and its report as bytes.

    `tables` holds records, sets, answers, likelihoods and, where the manifest asks for them,
    `OPTIONAL_TABLES`, answers under attack and pictures by file name, `rows` the metric rows,
    `report` {path in the result: bytes} of everything under report/. `draws` and `seed` are those
    of the intervals. `losses` is {name of a kept adapter: its losses, thinned}, for the curves of
    the report.
    """

    run: Mapping[str, object]
    kit: Kit
    versions: Versions
    protocol: Protocol
    systems: Sequence[System]
    claims: tuple[ClaimSection, ...]
    draws: int
    seed: int
    tables: Mapping[str, pd.DataFrame]
    rows: pa.Table
    verdicts: StoredVerdicts | None
    report: Mapping[str, bytes]
    losses: Mapping[str, Curve] = field(default_factory=dict)

    @property
    def manifest(self) -> Mapping[str, object]:
        """Return the manifest in run.json."""
        return manifest_of(self.run)


def read_result(folder: Path, *, pages: bool = True) -> StoredResult:
    """Read a result without asking who signed it.

    Args:
        folder: the result.
        pages: whether its report is read as well, to be held against the rest.

    Raises:
        MissingStageError: the result has no answers or rows.
        VerificationError: a file is too large, no plain file, or not what its name says.
    """
    for name in INPUTS:
        if not (folder / name).is_file():
            raise MissingStageError(
                f"{folder / name} does not exist",
                expected=f"a whole result: {', '.join(INPUTS)}",
                found="a folder without it" if folder.is_dir() else "no such folder",
                remedy="./run.sh all makes one; if the result is not yours, get its whole folder",
            )
    report = folder / REPORT.rstrip("/")
    there = sorted(report.iterdir()) if pages and report.is_dir() else []
    found = [path for path in there if path.is_file()]
    require_small_report(path.stat().st_size for path in found)
    names = [*INPUTS, *(REPORT + path.name for path in found)]
    may_lack = (CLAIMS, ATTACKED, PICTURES, *OPTIONAL_TABLES)
    names += [name for name in may_lack if (folder / name).is_file()]
    names += loss_files(folder) if pages else []
    return parse_result(
        {name: read_bytes(folder / name, max_bytes=most_bytes(name)) for name in names}
    )


def parse_result(held: Mapping[str, bytes]) -> StoredResult:
    """Parse the files of a result.

    Args:
        held: {path in the result: bytes} of `INPUTS`, of claims.json and of the tables of tokens,
            attacks and pictures if there are any, of everything under report/, and of the losses
            of adapters.

    Raises:
        VerificationError: a file cannot be read as what it should be, is of a later version of the
            kit, or is larger than that of any honest result.
    """
    # Arrow's own allocator would keep 20 MB that it no longer needs.
    pa.set_memory_pool(pa.system_memory_pool())
    run = read_run(held[RUN])
    draws, seed = interval_settings(run)
    protocol = protocol_of(run)
    systems = systems_of(run, protocol)
    require_sane_systems(run, systems)
    claims = claims_of(run)
    for name, family in FAMILIES.items():
        _require_asked_for(name, family, families_of(run), held)
    optional = (*OPTIONAL_TABLES, ATTACKED, PICTURES)
    there = [*TABLES, *(name for name in optional if name in held)]
    tables = {name: _full_table(held[name], name) for name in there}
    require_sane_size(len(systems), len(tables[RECORDS]))
    _require_absent(run, tables[SETS])
    return StoredResult(
        run=run,
        kit=kit_of(run),
        versions=versions_of(run),
        protocol=protocol,
        systems=systems,
        claims=claims,
        draws=draws,
        seed=seed,
        tables=tables,
        rows=_rows(held[ROWS]),
        verdicts=_verdicts(held[CLAIMS]) if CLAIMS in held else None,
        report={name: data for name, data in held.items() if name.startswith(REPORT)},
        losses=curves_of(held),
    )


def _require_asked_for(
    name: str, family: str, families: Sequence[str], held: Mapping[str, bytes]
) -> None:
    """Check that a table is there if, and only if, the manifest asks for what rests on it."""
    if (family in families) != (name in held):
        asks, has = ("does not ask", "it is there") if name in held else ("asks", "it is missing")
        raise unusable(name, f"the manifest {asks} for the metrics '{family}', and {has}")


def _require_absent(run: Mapping[str, object], sets: pd.DataFrame) -> None:
    """Check that a column which no table prints because data is missing has no records."""
    layout = run.get(LAYOUT)
    absent = layout["absent"] if isinstance(layout, dict) else {}  # `protocol_of` checked it
    asked = set(sets["part"] + "/" + sets["column"])
    if hidden := sorted(asked & set(absent)):
        raise unusable(RUN, f"it says that {hidden[0]} is absent, but {SETS} has records of it")


def _full_table(data: bytes, name: str) -> pd.DataFrame:
    table = read_table(data, name)
    if any(column.null_count for column in table.columns):
        raise unusable(name, "it has empty cells")
    frame: pd.DataFrame = table.to_pandas(use_threads=False)
    return frame


def _rows(data: bytes) -> pa.Table:
    table = read_table(data, ROWS)
    if any(table[name].null_count for name in table.column_names if name not in MAY_BE_EMPTY):
        raise unusable(ROWS, "it has empty cells")
    return table


def _verdicts(data: bytes) -> StoredVerdicts:
    try:
        value = parse_json(data)
    except ValueError as error:
        raise unusable(CLAIMS, error) from None
    if not isinstance(value, dict):
        raise unusable(CLAIMS, "not a JSON object")
    require_schema(CLAIMS, value.get("schema"), (CLAIMS_SCHEMA,))
    listed, rule = value.get("claims"), value.get("rule", FIRST_RULE)
    if not isinstance(listed, list) or not all(isinstance(line, dict) for line in listed):
        raise unusable(CLAIMS, "not a list of claims")
    if type(rule) is not int:
        raise unusable(CLAIMS, f"its rule is not the number of a version: {str(rule)[:100]!r}")
    if other := value.keys() - {"schema", "rule", "claims"}:
        raise unusable(CLAIMS, f"it has other parts: {', '.join(sorted(other))[:100]}")
    return StoredVerdicts(rule, listed)
