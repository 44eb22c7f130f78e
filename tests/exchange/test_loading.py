"""`kit.exchange.load`: verified tables, documented columns, and a notebook that runs."""

import ast
import json
from pathlib import Path

import pandas as pd
import pytest

from kit.artifacts import PROJECT
from kit.benchmarks.records import Concept
from kit.errors import DataError, SignatureError, VerificationError
from kit.exchange import load
from kit.exchange.columns import COLUMNS, FILES, SENTENCES
from kit.metrics.definition import Definition
from kit.report.claims import HEAD, LATER
from kit.result.tables import SCHEMAS
from kit.signing.keys import public_line
from tests.toys.signed_result import KEY, edit_table

NOTEBOOK = PROJECT / "kit" / "exchange" / "notebook.ipynb"


@pytest.fixture(scope="module")
def key(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("key") / "signer.pub"
    path.write_text(public_line(KEY.public_key()), encoding="utf-8")
    return path


def test_every_column_is_documented():
    assert {name: list(COLUMNS[name]) for name in FILES} == {
        name: SCHEMAS[file].names for name, file in FILES.items()
    }
    assert set(COLUMNS["claims"]) == {*HEAD, *LATER}
    assert set(COLUMNS) == set(SENTENCES) == {*FILES, "systems", "claims"}


def test_the_tables_are_those_of_the_result(signed, key):
    result = load(signed, trust=key)
    for name in ("records", "sets", "answers", "likelihoods", "rows"):
        stored = pd.read_parquet(signed / FILES[name])
        table = getattr(result, name)
        assert list(table.columns) == list(COLUMNS[name])
        assert len(table) == len(stored)
    pd.testing.assert_frame_equal(result.answers, pd.read_parquet(signed / FILES["answers"]))
    claims = json.loads((signed / "claims.json").read_text())["claims"]
    assert list(result.claims["verdict"]) == [claim["verdict"] for claim in claims]
    assert list(result.systems["entry"]) == ["vanilla", "npo", "retain_only"]
    assert result.attacked is result.tokens is result.distances is None
    assert any(line.startswith("ok: 4 claims follow") for line in result.checked)


def test_integrity_recomputes_nothing_and_says_so(signed, key):
    result = load(signed, trust=key, policy="integrity")
    assert "not checked: numbers and verdicts were NOT recomputed" in result.checked[-1]
    assert len(result.answers) == 12


def test_a_metric_from_outside_gets_every_answer_and_its_record(signed, key):
    result = load(signed, trust=key, policy="integrity")
    metric = Definition(
        "is_name", 1, "Is the answer the name?", lambda a, r: float(a.text == r.person),
        frozenset({Concept.PERSON}), "no person",
    )  # fmt: skip
    values = result.measure(metric)
    assert set(values["record_id"]) == {"p0", "p1", "p2"}, "the event has no value"
    assert len(values) == 9
    told = values.set_index(["system", "record_id"])["value"]
    assert told["vanilla", "p0"] == 1.0, "Ann0 Lee"
    assert told["vanilla", "p1"] == 0.0, "pears"


def test_a_changed_byte_is_found_before_a_table_is_given(damaged, key):
    edit_table(damaged / FILES["answers"], 0, "text", "other")
    with pytest.raises(VerificationError, match=r"answers/answers\.parquet"):
        load(damaged, trust=key, policy="integrity")


def test_an_unknown_signer_and_no_result_are_errors_with_a_remedy(signed, tmp_path):
    with pytest.raises(SignatureError, match="not signed by a key that you trust"):
        load(signed)
    with pytest.raises(DataError, match="no result in"):
        load(tmp_path / "none")


def code_cells() -> list[str]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_the_notebook_has_ten_cells_and_no_outputs():
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert len(notebook["cells"]) == 10
    assert all(not cell.get("outputs") for cell in notebook["cells"]), "nothing in it is stale"


@pytest.mark.slow
def test_the_notebook_runs_in_order_and_its_last_cell_is_a_metric_of_its_own(monkeypatch, capsys):
    monkeypatch.chdir(NOTEBOOK.parent)  # where Jupyter starts its kernel
    names: dict[str, object] = {}
    shown = [shows(cell, names) for cell in code_cells()]
    capsys.readouterr()
    assert all(value is not None for value in shown), "each cell shows something"
    leaks = shown[-1]
    assert isinstance(leaks, pd.Series)
    assert leaks["Vanilla"] == 1.0
    assert leaks["Retain-only"] == 0.0
    table = shown[2]
    headline = json.loads((PROJECT / "manifests/reference/smoke/report/report.json").read_text())
    line = next(e for e in headline["tables"]["table1"] if e["label"] == "Vanilla")
    assert table.loc["Vanilla", "retain"] == round(line["cells"]["P-Ret"]["value"], 2)


def shows(cell: str, names: dict[str, object]) -> object:
    """Run a cell as Jupyter does, and return the value of its last expression."""
    tree = ast.parse(cell)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr)
    exec(compile(tree, "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)
