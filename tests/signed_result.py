"""A small result folder that `verify` accepts once it is signed, and ways to tamper with it."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit.digests import canonical_json, sha256_value
from kit.envelope import open_envelope, seal
from kit.errors import KitError
from kit.report import write_report
from kit.result_tree import ENVELOPE
from kit.rows import make_rows
from kit.trust import GIVEN, TrustedKey
from kit.verification import verify
from tests.toy_results import NO_LIKELIHOODS, PROTOCOL

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TRUSTED = (TrustedKey(KEY.public_key(), GIVEN, "signer.pub"),)
DRAWS, SEED = 100, 7
ANSWERS = "answers/answers.parquet"
ADAPTER = "adapters/person-npo-s1/adapter_model.safetensors"

SYSTEMS = [
    {"name": "vanilla", "target": None, "method": "vanilla", "label": "Vanilla", "seed": None},
    {
        "name": "person-npo-s1",
        "target": "person",
        "method": "npo",
        "label": "NPO",
        "seed": 1,
    },
]


def write_result(results: Path) -> Path:
    """Write an unsigned result: three people, two systems, one adapter."""
    (results / "answers").mkdir(parents=True)
    adapter = results / "adapters" / "person-npo-s1"
    adapter.mkdir(parents=True)
    (adapter / "adapter_model.safetensors").write_bytes(bytes(64))
    (adapter / "card.json").write_text('{"method": "npo"}\n', encoding="utf-8")
    records, sets, answers = _tables()
    records.to_parquet(results / "records.parquet", index=False)
    sets.to_parquet(results / "sets.parquet", index=False)
    answers.to_parquet(results / "answers" / "answers.parquet", index=False)
    rows = make_rows(
        records, sets, answers, NO_LIKELIHOODS, SYSTEMS, protocol=PROTOCOL, draws=DRAWS, seed=SEED
    )
    NO_LIKELIHOODS.to_parquet(results / "answers" / "likelihoods.parquet", index=False)
    rows.to_parquet(results / "rows.parquet", index=False)
    (results / "run.json").write_text(json.dumps(_run()), encoding="utf-8")
    write_report(results)
    return results


def _run() -> dict[str, object]:
    manifest = {
        "name": "tiny",
        "benchmark": {"loader": "pebench"},
        "report": {"bootstrap_draws": DRAWS, "seed": SEED},
    }
    return {
        "schema": "pebench-kit/run/1",
        "manifest": manifest,
        "manifest_digest": sha256_value(manifest),
        "kit_version": "0.1.0",
        "environment": {"python": "3.11.2", "torch_threads": 2, "packages": {"numpy": "2.3.5"}},
        "systems": SYSTEMS,
        "stages": [],
        "jobs": [],
        "guards": {"canary": {}, "agreement": {"sample": 4, "equal": 4}},
        "attempts": [],
        "sources": [{"name": "tiny", "locked": True, "list_digest": "ab" * 32}],
    }


def _tables() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    names = [f"Ann{number} Lee" for number in range(3)]
    records = pd.DataFrame(
        [(f"p{n}", "person", "Who?", name, name, "", [], "") for n, name in enumerate(names)]
        + [("e0", "event", "What?", "pears in rain", names[0], "m", ["pears", "rain"], "")],
        columns=["id", "concept", "question", "answer", "person", "event", "keywords", "image"],
    )
    records = records.assign(candidates=[[]] * len(records), paraphrase="", group="")
    records["image"] = records.pop("image")  # the last column, as a result has it
    sets = pd.DataFrame(
        [
            ("person", "person", "efficacy", "p0"),
            ("person", "person", "efficacy", "p1"),
            ("person", "person", "retain", "p2"),
            ("person", "person", "scope", "e0"),
        ],
        columns=["target", "part", "column", "record_id"],
    )
    answers = pd.DataFrame(
        [
            (record, system["name"], "Ann0 Lee" if record == "p0" else "pears", 2, "eos")
            for system in SYSTEMS
            for record in records["id"]
        ],
        columns=["record_id", "system", "text", "tokens", "stop"],
    ).astype({"tokens": "int32"})
    return records, sets, answers


def copy_of(results: Path, folder: Path) -> Path:
    """Return a copy of a result that a test may damage."""
    return Path(shutil.copytree(results, folder / "copy", symlinks=True))


def edit_json(path: Path, **changes: object) -> None:
    """Set keys of a JSON object on disk."""
    value = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(value | changes), encoding="utf-8")


def edit_table(path: Path, row: int, column: str, value: object) -> None:
    """Set one cell of a parquet file."""
    table = pd.read_parquet(path)
    table.loc[row, column] = value
    table.to_parquet(path, index=False)


def statement_of(results: Path) -> dict[str, object]:
    """Return the signed statement of a result."""
    return json.loads(open_envelope((results / ENVELOPE).read_bytes()).payload)


def reseal(results: Path, statement: dict[str, object] | bytes) -> None:
    """Sign another statement, or other bytes, with the trusted key."""
    payload = statement if isinstance(statement, bytes) else canonical_json(statement)
    (results / ENVELOPE).write_bytes(seal(payload, KEY))


def rejects(results: Path, error: type[KitError], reason: str) -> str:
    """Assert that `verify` fails with `error` and a message that matches; return the message."""
    with pytest.raises(error, match=reason) as caught:
        verify(results, trusted=TRUSTED)
    return str(caught.value)
