"""The stored answers of one attack on one system: `attacked.parquet`."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kit.result.layout import ATTACKED
from kit.result.tables import SCHEMAS

FILE = "attacked.parquet"
COLUMNS = SCHEMAS[ATTACKED].names
ORDER = ["system", "target", "attack", "level", "record_id"]


def write_attacked(rows: list[tuple[object, ...]], folder: Path) -> None:
    """Write answers under attack, sorted: equal answers give equal bytes.

    Args:
        rows: one for each answer, with the values of `COLUMNS`.
    """
    frame = pd.DataFrame(rows, columns=COLUMNS).sort_values(ORDER, ignore_index=True)
    table = pa.Table.from_pandas(frame, schema=SCHEMAS[ATTACKED], preserve_index=False)
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata(None), folder / FILE)
