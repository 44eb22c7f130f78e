"""The measured values of a system as the model-index of its card, which the Hugging Face hub reads.

The form is that of `huggingface_hub.EvalResult`. Values are those of rows.parquet, unrounded.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypedDict

import pyarrow as pa
import pyarrow.compute as pc

from kit.report.run_types import Run


class Row(TypedDict):
    """A headline row with a value; `low` and `high` are None where it has no interval."""

    target: str
    part: str
    column: str
    metric: str
    version: int
    value: float
    n: int
    low: float | None
    high: float | None


class Entry(TypedDict):
    """One metric of the index; its texts are JSON, which is YAML as well."""

    dataset: str
    type: str
    value: str
    args: str


Measurements = Mapping[str, Sequence[Row]]  # by system


def headline_rows(rows: pa.Table) -> Measurements:
    """Return the headline rows that have a value, by system, in the order of the table."""
    found: dict[str, list[Row]] = {}
    printed = rows.filter(pc.and_(rows["headline"], pc.is_valid(rows["value"])))
    names = ["system", *Row.__annotations__]
    for row in printed.select(names).to_pylist():
        found.setdefault(row.pop("system"), []).append(row)
    return found


def model_index(rows: Sequence[Row], run: Run) -> Iterator[Entry]:
    """Yield an entry for each headline value: what was asked, the metric, and its value."""
    manifest = run["manifest"]
    base = manifest["model"]["source"]["name"]
    data = [source for source in run["sources"] if source["name"] != base]
    repos = [source for source in data if source["repo"]]
    known = repos[0] if len(data) == len(repos) == 1 else None
    for row in rows:
        dataset = {
            "type": known["repo"] if known else manifest["benchmark"]["loader"],
            "name": manifest.get("title") or manifest["name"],
            "config": f"{row['target']}/{row['part']}/{row['column']}",
            **({"revision": known["revision"]} if known and known["revision"] else {}),
        }
        numbers: list[tuple[str, float]] = [("version", row["version"]), ("n", row["n"])]
        ends = [
            (name, end)
            for name, end in (("low", row["low"]), ("high", row["high"]))
            if end is not None
        ]
        yield {
            "dataset": json.dumps(dataset, ensure_ascii=False),
            "type": json.dumps(row["metric"], ensure_ascii=False),
            "value": _number(row["value"]),
            "args": ", ".join(f'"{name}": {_number(number)}' for name, number in [*numbers, *ends]),
        }


def _number(value: float) -> str:
    """Return a number that YAML reads as that number; it takes 1e-05 for a text."""
    text = json.dumps(value)
    if "e" in text and "." not in text:
        text = text.replace("e", ".0e")
    return text
