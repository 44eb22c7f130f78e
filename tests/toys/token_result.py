"""The small signed result with a table of tokens: what a manifest asks for beside its tables."""

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kit.digests import sha256_value
from kit.result.layout import TOKENS
from kit.result.tables import SCHEMAS
from tests.toys.signed_result import SYSTEMS, edit_json, remake, write_result

# Log-probability of both words of the reference, by system and record; p2 is the holdout.
WORDS = {
    "vanilla": {"p0": -0.5, "p1": -1.5, "p2": -1.0, "e0": -2.0},
    "person-npo-s1": {"p0": -4.0, "p1": -0.25, "p2": -1.0, "e0": -2.0},
    "retain_only-person": {"p0": -3.0, "p1": -0.5, "p2": -1.0, "e0": -2.0},
}
TEXTS = {"p0": "Ann0 Lee", "p1": "Ann1 Lee", "p2": "Ann2 Lee", "e0": "pears in rain"}


def token_table() -> pd.DataFrame:
    """Return tokens.parquet: two words and an end token that is certain."""
    rows = [
        (record, system["name"], "answer", text, 16, [found, found, 0.0],
         [1 if found > -1 else 3, 1, 1], [1.0, 1.0, 0.0], [0.5, 0.5, 0.0])
        for system in SYSTEMS
        for record, text in TEXTS.items()
        for found in [WORDS[system["name"]][record]]
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=SCHEMAS[TOKENS].names)


def write_tokens(results: Path, table: pd.DataFrame) -> None:
    """Write tokens.parquet into a result."""
    pq.write_table(
        pa.Table.from_pandas(table, schema=SCHEMAS[TOKENS], preserve_index=False), results / TOKENS
    )


def ask_for(results: Path, *families: str, **options: object) -> None:
    """Let the manifest in run.json ask for families of metrics."""
    manifest = json.loads((results / "run.json").read_text(encoding="utf-8"))["manifest"]
    manifest["evaluation"]["metrics"] = list(families)
    manifest["benchmark"]["options"] = options
    edit_json(results / "run.json", manifest=manifest, manifest_digest=sha256_value(manifest))


def write_token_result(results: Path, **options: object) -> Path:
    """Write an unsigned result whose manifest asks for the metrics of likelihood."""
    write_result(results)
    ask_for(results, "likelihood", **options)
    write_tokens(results, token_table())
    return remake(results)
