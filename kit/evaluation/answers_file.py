"""The stored answers of one system: `answers.parquet`, and their tokens beside it.

The tokens are for the second look (kit/evaluation/guards/agreement.py), not for the result: a text
can be tokenised in another way than it was generated.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kit.errors import GuardError
from kit.evaluation.engines import Answer
from kit.plan.systems import System
from kit.result.layout import ANSWERS
from kit.result.tables import SCHEMAS

FILE = "answers.parquet"
TOKENS = "tokens.parquet"
TOKENS_SCHEMA = pa.schema([("record_id", pa.string()), ("ids", pa.list_(pa.int32()))])


def write_answers(answers: Iterable[Answer], folder: Path) -> None:
    """Write answers sorted by system and record: equal answers give equal bytes."""
    ordered = sorted(answers, key=lambda answer: (answer.system, answer.record_id))
    frame = pd.DataFrame(
        [(a.record_id, a.system, a.text, len(a.ids), a.stop) for a in ordered],
        columns=["record_id", "system", "text", "tokens", "stop"],
    )
    table = pa.Table.from_pandas(frame, schema=SCHEMAS[ANSWERS], preserve_index=False)
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata(None), folder / FILE)
    tokens = [{"record_id": answer.record_id, "ids": list(answer.ids)} for answer in ordered]
    pq.write_table(pa.Table.from_pylist(tokens, TOKENS_SCHEMA), folder / TOKENS)


def read_columns(system: System, *names: str) -> list[dict[str, Any]]:
    """Return columns of the stored answers of a system, one row for each answer.

    Raises:
        GuardError: the file is missing or damaged.
    """
    with _undamaged(system):
        rows: list[dict[str, Any]] = pq.read_table(
            system.answers.path / FILE, columns=list(names)
        ).to_pylist()
        if not rows or rows[0].keys() != set(names):
            raise ValueError(f"{FILE} has no answers with {', '.join(names)}")
    return rows


def read_token_ids(system: System) -> dict[str, tuple[int, ...]]:
    """Return record id -> the tokens that the engine generated, the end token included.

    Raises:
        GuardError: the file is missing or damaged, or is not of the answers beside it.
    """
    answers = read_columns(system, "record_id", "tokens")
    with _undamaged(system):
        rows = pq.read_table(system.answers.path / TOKENS, schema=TOKENS_SCHEMA).to_pylist()
        ids = {row["record_id"]: tuple(row["ids"]) for row in rows}
        lengths = {row["record_id"]: row["tokens"] for row in answers}
        if {name: len(each) for name, each in ids.items()} != lengths or 0 in lengths.values():
            raise ValueError(f"{TOKENS} and {FILE} are not of the same answers")
    return ids


@contextmanager
def _undamaged(system: System) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, TypeError, pa.ArrowException) as error:
        raise GuardError(
            f"the stored answers of {system.name} are damaged, so they cannot be used",
            expected=f"{FILE} and {TOKENS} in {system.answers.path}",
            found=str(error).splitlines()[0][:300],
            remedy="remove this folder and run `./run.sh evaluate`: it asks these questions again",
        ) from None
