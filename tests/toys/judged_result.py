"""The small signed result with a judge: what it says of every answer."""

import json
from math import log
from pathlib import Path

import pandas as pd

from kit.digests import sha256_value
from kit.result.layout import JUDGED
from kit.result.tables import SCHEMAS
from tests.toys.score_result import write_scores
from tests.toys.signed_result import LISTS, SYSTEMS, _source, edit_json, remake, write_result
from tests.toys.token_result import ask_for

REPLIES = {"Yes": 1.0, "No": 0.0}
# Log-probabilities of Yes and No, by system and record.
EVEN = (log(0.1), log(0.1))
JUDGED_LOGPROBS = {
    "vanilla": {"p0": (log(0.6), log(0.2)), "p1": EVEN, "p2": EVEN, "e0": EVEN},
    "person-npo-s1": {"p0": (-9.0, -1.0), "p1": (-3.0, -0.5), "p2": EVEN, "e0": EVEN},
    "retain_only-person": {"p0": (-8.0, -1.0), "p1": EVEN, "p2": EVEN, "e0": EVEN},
}


def judged_table() -> pd.DataFrame:
    """Return judged.parquet."""
    rows = [
        (record, system["name"], reply, logprob)
        for system in SYSTEMS
        for record, logprobs in JUDGED_LOGPROBS[system["name"]].items()
        for reply, logprob in zip(REPLIES, logprobs, strict=True)
    ]
    return pd.DataFrame(rows, columns=SCHEMAS[JUDGED].names)


def write_judged_result(results: Path) -> Path:
    """Write an unsigned result with a judge."""
    write_result(results)
    ask_for(results, "judge")
    run = json.loads((results / "run.json").read_text(encoding="utf-8"))
    source = {"name": "judge", "repo": "org/judge", "repo_type": "model",
              "checksums": LISTS["base"]}  # fmt: skip
    judge = {
        "source": source,
        "compute_dtype": "float32",
        "prompt": "{question} {reference} {answer}",
        "replies": REPLIES,
    }
    manifest = {**run["manifest"], "judge": judge}
    told = _source("base", repo="org/judge", revision="c1" * 20, licence="none stated",
                   origin="https://hub.example.org")  # fmt: skip
    edit_json(
        results / "run.json",
        manifest=manifest,
        manifest_digest=sha256_value(manifest),
        sources=[*run["sources"], {**told, "name": "judge"}],
    )
    write_scores(results, JUDGED, judged_table())
    return remake(results)
