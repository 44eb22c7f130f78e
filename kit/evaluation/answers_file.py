"""The stored answers of one system, `answers.parquet` in its artifact."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kit.evaluation.engines import Answer
from kit.plan.jobs import System
from kit.result.layout import ANSWERS
from kit.result.tables import SCHEMAS

FILE = "answers.parquet"


def write_answers(answers: Iterable[Answer], folder: Path) -> None:
    """Write answers sorted by system and record: equal answers give equal bytes."""
    frame = pd.DataFrame(
        [(a.record_id, a.system, a.text, a.tokens, a.stop) for a in answers],
        columns=["record_id", "system", "text", "tokens", "stop"],
    ).sort_values(["system", "record_id"], ignore_index=True)
    table = pa.Table.from_pandas(frame, schema=SCHEMAS[ANSWERS], preserve_index=False)
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata(None), folder / FILE)


def read_answers(systems: Iterable[System]) -> dict[tuple[str, str], str]:
    """Return (system, record id) -> the text of the stored answer."""
    stored = {}
    for system in systems:
        for row in pq.read_table(system.answers.path / FILE).to_pylist():
            stored[row["system"], row["record_id"]] = row["text"]
    return stored
