"""Results as the formats get them: a plain one, and one in which every text is an attack."""

import json

import pandas as pd
import pytest

from kit.digests import sha256_value
from kit.exchange.exported import Exported
from kit.signing.sign import sign
from kit.verification.verify import verify
from tests.toys.signed_result import KEY, TRUSTED, remake, write_result

SPECIALS = r"\input{x} $x$ & 50 % #1 _a_ ^b ~c {d} <script>alert(1)</script> `id` | -- ''"
BIDI = "\u202egnp\u2066 \u200b"
LONG = "very " * 2000


def exported(folder):
    return Exported.of(verify(folder, trusted=TRUSTED, keep=True), folder)


@pytest.fixture(scope="session")
def plain(signed) -> Exported:
    return exported(signed)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory) -> Exported:
    """A signed result whose title, label, claim, machine and answers are attacks.

    Hidden characters are in answers alone: `verify` refuses them in run.json.
    """
    result = write_result(tmp_path_factory.mktemp("hostile") / "tiny")
    path = result / "run.json"
    run = json.loads(path.read_text(encoding="utf-8"))
    manifest = run["manifest"]
    manifest["title"] = f"{SPECIALS} \U0001f600"
    manifest["claims"][0] |= {"text": SPECIALS, "location": "@me https://evil.example"}
    manifest["evaluation"]["max_new_tokens"] = 2048  # for LONG
    manifest["methods"][0]["label"] = run["systems"][1]["label"] = SPECIALS
    run["manifest_digest"] = sha256_value(manifest)
    run["environment"]["cpu"] = SPECIALS
    path.write_text(json.dumps(run), encoding="utf-8")
    answers = pd.read_parquet(result / "answers" / "answers.parquet")
    answers["text"] = [SPECIALS, BIDI + "\u2028\x85\n", LONG] * 4
    answers["tokens"] = answers["text"].str.count(r"\S+").astype("int32")
    answers.to_parquet(result / "answers" / "answers.parquet", index=False)
    sign(remake(result), key=KEY)
    return exported(result)
