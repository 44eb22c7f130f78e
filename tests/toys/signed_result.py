"""A small result folder that `verify` accepts once it is signed, and ways to tamper with it."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit import __version__
from kit.artifacts import PROJECT
from kit.digests import canonical_json, format_checksums, sha256_bytes, sha256_file, sha256_value
from kit.errors import KitError, SignatureError
from kit.metrics.attacked import with_attacks
from kit.metrics.intervals import INTERVAL
from kit.metrics.rows import measure, read_inputs, rows_of
from kit.report import write_report
from kit.report.damage import RULE as DAMAGE_RULE
from kit.report.metadata import write_metadata
from kit.report.renderer import renderer_digest
from kit.result.layout import ATTACKED, ENVELOPE, SIGNATURES, SSH_SIGNATURE, SUMS, TEST_RESULT
from kit.result.run_file import SCHEMA, claims_of
from kit.result.run_protocol import protocol_of
from kit.signing.allowed_signers import TrustedKey
from kit.signing.claim_attestation import TEST_RESULT_TYPE, attest
from kit.signing.envelope import open_envelope, seal
from kit.signing.predicate import PREDICATE_TYPE
from kit.signing.sign import sign
from kit.signing.sshsig import sign_bytes
from kit.signing.statement import build
from kit.signing.trust import GIVEN
from kit.verdicts.claims_file import to_json
from kit.verdicts.judging import judge_claims
from kit.verification.verify import verify
from tests.toys.adapter import MODULES, write_adapter
from tests.toys.results import NO_LIKELIHOODS, PROTOCOL

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TRUSTED = (TrustedKey(KEY.public_key(), GIVEN, "signer.pub"),)
DRAWS, SEED = 100, 7
KIT = {"version": __version__, "revision": "c0" * 20, "renderer": renderer_digest()}
ANSWERS = "answers/answers.parquet"
ADAPTER = "adapters/person-npo-s1/adapter_model.safetensors"
CARD = "adapters/person-npo-s1/card.json"

SYSTEMS = [
    {"name": "vanilla", "target": None, "method": "vanilla", "label": "Vanilla", "seed": None},
    {
        "name": "person-npo-s1",
        "target": "person",
        "method": "npo",
        "label": "NPO",
        "seed": 1,
    },
    {"name": "retain_only-person", "target": "person", "method": "retain_only",
     "label": "Retain-only", "seed": None},
]  # fmt: skip

ADAPTER_FACTS = {
    "name": "person-npo-s1",
    "stage": "unlearn",
    "target": "person",
    "seed": 1,
    "steps": 30,
    "stopped": "forget loss above log V",
    "seconds": 12.5,
    "micro_batch_size": 16,
    "needs": {"forget": True, "retain": True, "reference_scalars": True, "refusals": False,
              "training": True},
    "digest": "cd" * 32,
}  # fmt: skip

JOB = ("name", "stage", "digest", "seconds", "steps", "stopped", "needs", "micro_batch_size")
LEARNING = {"forget": False, "retain": True, "training": True}
FINETUNED = {
    name: {"name": name, "stage": "finetune", "target": target, "seed": 1, "steps": 5,
           "stopped": None, "seconds": 40.0, "needs": LEARNING, "digest": digest * 32}
    for name, target, digest in (("vanilla", None, "ab"), ("retain_only-person", "person", "bc"))
}  # fmt: skip
LISTS = {"tiny": "checksums/smoke.sha256", "base": "checksums/smoke-base.sha256"}
_EFFICACY = {
    "target": "person", "part": "person", "column": "efficacy", "metric": "forget_rate/1",
}  # fmt: skip
CLAIMS = [
    {"id": "C1", "text": "Vanilla forgets at most nine in ten.", "kind": "bound",
     "system": "vanilla", "at_most": 0.9, "unit": "record", **_EFFICACY},
    {"id": "C2", "text": "NPO forgets more.", "kind": "difference", "system": "npo",
     "other": "vanilla", "direction": "higher", "margin": 0.1, **_EFFICACY},
    {"id": "C3", "text": "NPO keeps names.", "kind": "bound", "system": "npo", "at_least": 0.99,
     **_EFFICACY, "column": "retain", "metric": "name_hit/1"},
    {"id": "C4", "text": "DPO forgets.", "kind": "bound", "system": "dpo", "at_least": 0.5,
     **_EFFICACY},
]  # fmt: skip


def write_result(results: Path) -> Path:
    """Write an unsigned result: three people, three systems, an adapter of each."""
    (results / "answers").mkdir(parents=True)
    for seed, facts in enumerate((*FINETUNED.values(), ADAPTER_FACTS)):
        folder = results / "adapters" / str(facts["name"])
        alpha = 2.0 if facts["stage"] == "unlearn" else 4.0
        write_adapter(folder, seed=seed, steps=int(str(facts["steps"])), alpha=alpha)
        (folder / "card.json").write_text(json.dumps(facts), encoding="utf-8")
    records, sets, answers = _tables()
    records.to_parquet(results / "records.parquet", index=False)
    sets.to_parquet(results / "sets.parquet", index=False)
    answers.to_parquet(results / "answers" / "answers.parquet", index=False)
    NO_LIKELIHOODS.to_parquet(results / "answers" / "likelihoods.parquet", index=False)
    (results / "run.json").write_text(json.dumps(_run()), encoding="utf-8")
    return remake(results)


def remake(results: Path) -> Path:
    """Write all that follows from run.json, records and answers, as the kit does."""
    run = json.loads((results / "run.json").read_text(encoding="utf-8"))
    measured = measure(**read_inputs(results), protocol=protocol_of(run))
    if (results / ATTACKED).is_file():
        measured = with_attacks(measured, pd.read_parquet(results / ATTACKED))
    settings = run["manifest"]["report"]
    rows = rows_of(measured, draws=settings["bootstrap_draws"], seed=settings["seed"])
    rows.to_parquet(results / "rows.parquet", index=False)
    verdicts = judge_claims(claims_of(run), measured, seed=settings["seed"])
    (results / "claims.json").write_bytes(to_json(verdicts))
    write_report(results)
    write_metadata(results)
    return results


def _run() -> dict[str, object]:
    manifest = {
        "name": "tiny",
        "seeds": [1],
        "targets": ["person"],
        "benchmark": {"loader": "pebench"},
        "finetune": {"seed": None, "steps": 5, "batch_size": 8, "rank": 2, "alpha": 4.0},
        "report": {"bootstrap_draws": DRAWS, "seed": SEED, "adapters": "all"},
        "evaluation": {"engine": "vllm", "agreement_sample": 4, "agreement_nats": None,
                       "max_new_tokens": 16},
        "claims": CLAIMS,
        "methods": [{"name": "npo", "label": "NPO", "method": "npo", "targets": ["person"],
                     "options": {"beta": 0.2},
                     "steps": 40, "learning_rate": None, "stop": None}],
        "model": {"source": {"name": "base", "repo": "org/base", "repo_type": "model",
                             "checksums": LISTS["base"]},
                  "quantization": "nf4", "lora_modules": MODULES, "compute_dtype": "float32"},
        "sources": [{"name": "tiny", "repo": None, "repo_type": "dataset",
                     "embedded": "pebench", "checksums": LISTS["tiny"]}],
        "split": {"seed": 3, "forget_percent": 5, "max_per_column": 64},
        "unlearn": {"steps": 60, "batch_size": 16, "stop": "uniform", "checkpoint_every": 10,
                    "rank": 2, "alpha": 2.0},
    }  # fmt: skip
    return {
        "schema": SCHEMA,
        "kit": KIT,
        "manifest": manifest,
        "manifest_digest": sha256_value(manifest),
        "environment": {"python": "3.11.2", "torch_threads": 2, "packages": {"numpy": "2.3.5"}},
        "systems": SYSTEMS,
        "versions": {"protocol": PROTOCOL.version, "interval": INTERVAL, "marks": DAMAGE_RULE},
        "stages": [],
        "jobs": [
            *({name: facts[name] for name in JOB if name in facts}
              for facts in (*FINETUNED.values(), ADAPTER_FACTS)),
        ],
        "guards": {"canary": {system["name"]: 0.5 for system in SYSTEMS},
                   "agreement": {"sample": 12, "tokens": 24, "largest_nats": 0.002,
                                 "limit_nats": 0.01}},
        "attempts": [
            {"event": "started", "utc": "2026-01-02T03:04:05+00:00", "verb": "all"},
            {"event": "cut off", "line": "{"},
            {"event": "started", "utc": "2026-01-02T04:00:00+00:00", "verb": "all"},
        ],
        "written": "2026-01-02T04:05:06+00:00",
        "sources": [
            _source("tiny", origin="drawn by the kit"),
            _source("base", repo="org/base", revision="c0" * 20, licence="none stated",
                    origin="https://hub.example.org"),
        ],
    }  # fmt: skip


def _source(name: str, **told: object) -> dict[str, object]:
    unsaid = {"repo": None, "revision": None, "licence": "", "hosts": {}}
    listed = {"checksums": LISTS[name], "list_digest": sha256_file(PROJECT / LISTS[name])}
    return {"name": name, "locked": True, **listed, **unsaid, **told}


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


def statement_of(results: Path, name: str = ENVELOPE) -> dict[str, object]:
    """Return a signed statement of a result."""
    return json.loads(open_envelope((results / name).read_bytes()).payload)


def reseal(results: Path, statement: dict[str, object] | bytes, name: str = ENVELOPE) -> None:
    """Sign another statement, or other bytes, with the trusted key."""
    payload = statement if isinstance(statement, bytes) else canonical_json(statement)
    (results / name).write_bytes(seal(payload, KEY))


def forge(results: Path) -> None:
    """Sign whatever is there with the trusted key, as a signer would who refuses nothing."""
    try:
        sign(results, key=KEY)
    except SignatureError:
        said = statement_of(results)["predicate"]
        files = {p.relative_to(results).as_posix(): p for p in results.rglob("*") if p.is_file()}
        digests = {n: sha256_file(p) for n, p in files.items() if n not in SIGNATURES | {SUMS}}
        sums = format_checksums(digests).encode()
        digests[SUMS] = sha256_bytes(sums)
        (results / SUMS).write_bytes(sums)
        (results / SSH_SIGNATURE).write_bytes(sign_bytes(sums, KEY))
        reseal(results, build(digests, PREDICATE_TYPE, said))
        reseal(results, build(digests, TEST_RESULT_TYPE, attest(said, digests)), TEST_RESULT)


def rejects(results: Path, error: type[KitError], reason: str) -> str:
    """Assert that `verify` fails with `error` and a message that matches; return the message."""
    with pytest.raises(error, match=reason) as caught:
        verify(results, trusted=TRUSTED)
    return str(caught.value)
