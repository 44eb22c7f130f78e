"""The column of a probe is recomputed from the stored answers like any other."""

import json

import pandas as pd
import pytest

from kit.digests import sha256_value
from kit.errors import VerificationError
from kit.verification.verify import verify
from tests.toys.signed_result import (
    ANSWERS,
    TRUSTED,
    copy_of,
    edit_table,
    forge,
    rejects,
    remake,
    write_result,
)

PROBE = {"name": "relations", "probe": "mmrel", "source": "tiny"}


def set_probes(result, probes):
    run = json.loads((result / "run.json").read_text(encoding="utf-8"))
    run["manifest"]["probes"] = probes
    run["manifest_digest"] = sha256_value(run["manifest"])
    run["guards"]["agreement"]["sample"] = 24  # of eight records instead of four
    (result / "run.json").write_text(json.dumps(run), encoding="utf-8")
    return result


@pytest.fixture(scope="module")
def probed(tmp_path_factory):
    """A signed result with four yes/no questions of a probe; NPO answers one of them rightly."""
    result = set_probes(write_result(tmp_path_factory.mktemp("probed") / "result"), [PROBE])
    records = pd.read_parquet(result / "records.parquet")
    sets = pd.read_parquet(result / "sets.parquet")
    answers = pd.read_parquet(result / ANSWERS)
    asked = [f"probe/relations/{n}" for n in range(4)]
    new = [
        {"id": name, "concept": "presence", "question": "Is it above?", "answer": "yes",
         "person": "", "event": "", "keywords": [], "candidates": [], "paraphrase": "",
         "group": "spatial", "image": ""} for name in asked
    ]  # fmt: skip
    said = [
        {"record_id": name, "system": system, "tokens": 2, "stop": "eos",
         "text": "yes" if system != "person-npo-s1" or name == asked[0] else "no"}
        for name in asked for system in answers["system"].unique()
    ]  # fmt: skip
    rows = [("person", "relations", "probe", name) for name in asked]
    pd.concat([records, pd.DataFrame(new)[records.columns]]).to_parquet(
        result / "records.parquet", index=False
    )
    pd.concat([sets, pd.DataFrame(rows, columns=sets.columns)]).to_parquet(
        result / "sets.parquet", index=False
    )
    pd.concat([answers, pd.DataFrame(said)[answers.columns]]).astype(
        {"tokens": "int32"}
    ).to_parquet(result / ANSWERS, index=False)
    forge(remake(result))
    return result


def test_the_column_is_in_the_table_the_rows_and_the_report_and_is_verified(probed):
    verify(probed, trusted=TRUSTED)
    rows = pd.read_parquet(probed / "rows.parquet")
    own = rows[(rows["column"] == "probe") & rows["headline"]].set_index("method")["value"]
    assert own.to_dict() == {"vanilla": 1.0, "npo": 0.25, "retain_only": 1.0}
    table = pd.read_csv(probed / "report/table1.csv")
    assert any("relations" in str(name) for name in [*table.columns, *table.to_numpy().ravel()])
    assert "relations between objects (MMRel)" in (probed / "report/report.html").read_text()


def test_it_enters_no_mark_and_no_number_of_a_whole_model(probed):
    report = json.loads((probed / "report/report.json").read_text(encoding="utf-8"))
    npo = next(line for line in report["tables"]["table1"] if line["label"] == "NPO")
    few = "four questions: Vanilla may have guessed, so nothing can be called destroyed"
    assert not npo["cells"]["P-relations"]["destroyed"], few
    assert npo["marks"] == {}
    assert npo["cells"]["E-relations"]["value"] is None, "the other target was not run"
    lines = {line["entry"]: line for line in report["whole"]["lines"]}
    # Efficacy, Retain and Scope were measured; the probe is not among what these numbers count.
    assert lines["npo"]["gap"]["n"] == 3
    rows = pd.read_parquet(probed / "rows.parquet")
    assert set(rows.loc[rows["part"] == "relations", "column"]) == {"probe"}


def test_a_changed_answer_to_a_probe_is_found(probed, tmp_path):
    result = copy_of(probed, tmp_path)
    answers = pd.read_parquet(result / ANSWERS)
    edit_table(result / ANSWERS, len(answers) - 1, "text", "no")
    forge(result)
    rejects(result, VerificationError, "rows")


@pytest.mark.parametrize(
    ("probes", "said"),
    [
        ([{**PROBE, "probe": "no-such"}], "no probe 'no-such'"),
        ([PROBE, PROBE], "taken"),
        ([{**PROBE, "name": "person"}], "taken"),
        ([{**PROBE, "probe": "../mmrel"}], "probes"),
        ("mmrel", "probes"),
        ([], "unknown part or column"),
    ],
)
def test_probes_that_no_version_has_are_no_valid_result(probed, tmp_path, probes, said):
    result = set_probes(copy_of(probed, tmp_path), probes)
    forge(result)
    rejects(result, VerificationError, said)
