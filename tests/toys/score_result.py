"""The small signed result with gradient norms and with what Vanilla read of every answer."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kit.result.layout import GRADIENTS, READ_BY_VANILLA
from kit.result.tables import SCHEMAS
from tests.toys.signed_result import SYSTEMS, remake, write_result
from tests.toys.token_result import ask_for

# Of p0 and p1, which are to be forgotten, and of p2, the holdout.
NORMS = {
    "vanilla": {"p0": 1.0, "p1": 2.0, "p2": 4.0},
    "person-npo-s1": {"p0": 9.0, "p1": 3.0, "p2": 5.0},
    "retain_only-person": {"p0": 5.0, "p1": 4.0, "p2": 4.0},
}
# Sum of log-probabilities, and tokens.
READ = {
    "vanilla": {"p0": (-0.5, 2), "p1": (-0.5, 2), "p2": (-1.0, 2), "e0": (0.0, 3)},
    "person-npo-s1": {"p0": (-12.0, 2), "p1": (-4.0, 2), "p2": (-1.0, 2), "e0": (-6.0, 3)},
    "retain_only-person": {"p0": (-3.0, 2), "p1": (-5.0, 2), "p2": (-1.0, 2), "e0": (-3.0, 3)},
}


def gradient_table() -> pd.DataFrame:
    """Return gradients.parquet."""
    rows = [
        (record, system["name"], norm)
        for system in SYSTEMS
        for record, norm in NORMS[system["name"]].items()
    ]
    return pd.DataFrame(rows, columns=SCHEMAS[GRADIENTS].names)


def read_table() -> pd.DataFrame:
    """Return read_by_vanilla.parquet."""
    rows = [
        (record, system["name"], *read)
        for system in SYSTEMS
        for record, read in READ[system["name"]].items()
    ]
    return pd.DataFrame(rows, columns=SCHEMAS[READ_BY_VANILLA].names)


def write_scores(results: Path, name: str, table: pd.DataFrame) -> None:
    """Write one of the two tables into a result."""
    stored = pa.Table.from_pandas(table, schema=SCHEMAS[name], preserve_index=False)
    pq.write_table(stored, results / name)


def write_score_result(results: Path, **options: object) -> Path:
    """Write an unsigned result whose manifest asks for both groups of metrics."""
    write_result(results)
    ask_for(results, "gradient", "fluency", **options)
    write_scores(results, GRADIENTS, gradient_table())
    write_scores(results, READ_BY_VANILLA, read_table())
    return remake(results)
