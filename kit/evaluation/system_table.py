"""One small table of one system, written alike by all that measure beside its likelihoods."""

import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kit.artifacts import Artifact
from kit.errors import GuardError
from kit.result.tables import SCHEMAS

DECIMALS = 6
KEYS = ("record_id", "reply")


def require_finite(system: str, found: Mapping[str, float]) -> None:
    """Check the numbers of a system, by record.

    Raises:
        GuardError: one is not finite.
    """
    if odd := [name for name, number in found.items() if not math.isfinite(number)]:
        raise GuardError(
            f"{system} gives no numbers",
            expected=f"a finite one for the answer to {odd[0]}",
            found=found[odd[0]],
            remedy="its weights have diverged: lower the learning rate or the number of steps of "
            "its method",
        )


def publish_table(rows: Sequence[tuple[object, ...]], name: str, artifact: Artifact) -> None:
    """Publish a table, sorted by record and rounded: equal values give equal bytes.

    Args:
        rows: values in the order of the table's columns; the first is the record's id.
        name: of the table in a result (`kit.result.layout`).
    """
    shutil.rmtree(artifact.partial, ignore_errors=True)
    artifact.partial.mkdir(parents=True)
    frame = pd.DataFrame(rows, columns=SCHEMAS[name].names)
    frame = frame.sort_values([key for key in KEYS if key in frame])
    table = pa.Table.from_pandas(frame.round(DECIMALS), schema=SCHEMAS[name], preserve_index=False)
    pq.write_table(table.replace_schema_metadata(None), artifact.partial / Path(name).name)
    artifact.publish({"stage": "evaluate", "answers": len(rows)})
