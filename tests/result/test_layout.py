"""Tables have the targets and columns of a result alone, and a result says which it lacks."""

import json
import shutil

import pytest

from kit.benchmarks.records import Column
from kit.errors import VerificationError
from kit.metrics.rows import read_inputs
from kit.report import write_report
from kit.result.run_protocol import layout_json, protocol_of
from tests.toys.results import PROTOCOL, make_rows, toy_run, toy_systems, write_toy_results
from tests.toys.signed_result import edit_json, forge, rejects

WHY = "no World columns: there is no such data"
ABSENT = {("person", "world"): WHY, ("event", "world"): WHY}
PEOPLE_ALONE = {"targets": ["person"], "absent": {"person/world": WHY, "event/world": WHY}}


def run_with(layout, targets=("person",)):
    run = toy_run([s for s in toy_systems() if s["target"] in (None, *targets)])
    run["manifest"]["targets"] = list(targets)
    return {**run, "layout": layout} if layout is not None else run


def test_whole_tables_are_not_mentioned():
    assert layout_json(PROTOCOL, list(PROTOCOL.targets), {}) == {}
    assert protocol_of(run_with(None)) is PROTOCOL or protocol_of(run_with(None)) == PROTOCOL


def test_what_is_written_is_what_is_read():
    written = layout_json(PROTOCOL, ["person"], ABSENT)
    assert written == {"layout": PEOPLE_ALONE}
    found = protocol_of(run_with(written["layout"]))
    assert list(found.targets) == ["person"]
    columns = [column for _, column in found.targets["person"].columns]
    assert columns == [c for c in Column if c not in (Column.WORLD, Column.PROBE)]
    assert [(table.title, table.targets) for table in found.tables] == [
        ("Table 1. Forgetting people", ("person",))
    ]
    assert Column.WORLD not in found.headings
    assert found.comparability[-1] == WHY
    assert found.comparability.count(WHY) == 1


def test_a_column_that_one_part_alone_lacks_keeps_its_heading():
    found = PROTOCOL.restricted(list(PROTOCOL.targets), {("event", "real"): "no descriptions"})
    assert found.headings == PROTOCOL.headings
    assert ("person", Column.REAL) in found.targets["both"].columns
    assert ("event", Column.REAL) not in found.targets["both"].columns
    assert found.tables == PROTOCOL.tables


@pytest.mark.parametrize(
    "layout",
    [
        [], {}, {"targets": ["person"]}, {"targets": ["event"], "absent": {}},
        {"targets": "person", "absent": {}},
        {"targets": ["person"], "absent": {"person/wrld": WHY}},
        {"targets": ["person"], "absent": {"person/world": 3}},
        {"targets": ["person"], "absent": {"person/world": "x" * 501}},
    ],
)  # fmt: skip
def test_a_layout_that_does_not_fit_is_refused(layout):
    with pytest.raises(VerificationError, match=r"run\.json"):
        protocol_of(run_with(layout))


def test_a_report_of_people_alone_has_no_column_without_data(tmp_path):
    results = write_toy_results(tmp_path / "toy")
    for name in ("records", "sets", "answers"):
        path = results / ("answers/answers.parquet" if name == "answers" else f"{name}.parquet")
        frame = read_inputs(results)[name]
        if name == "sets":
            frame = frame[(frame["target"] == "person") & (frame["column"] != "world")]
        if name == "answers":
            frame = frame[~frame["system"].str.contains("event|both")]
        frame.to_parquet(path, index=False)
    run = run_with(PEOPLE_ALONE)
    (results / "run.json").write_text(json.dumps(run), encoding="utf-8")
    rows = make_rows(**read_inputs(results), protocol=protocol_of(run), draws=200, seed=0)
    assert set(rows["target"]) == {"person"}
    assert "world" not in set(rows["column"])
    rows.to_parquet(results / "rows.parquet", index=False)
    write_report(results)
    page = (results / "report" / "report.md").read_text(encoding="utf-8")
    for absent in ("P-World (", "E-Eff (", "World**", "not run"):
        assert absent not in page
    assert page.count(WHY) == 1
    head = (results / "report" / "table1.csv").read_text(encoding="utf-8").splitlines()[0]
    assert "World" not in head
    assert "E-" not in head
    shutil.rmtree(results)


def test_records_of_a_column_cannot_be_hidden_by_calling_it_absent(damaged):
    layout = {"targets": ["person"], "absent": {"person/efficacy": "there is none"}}
    edit_json(damaged / "run.json", layout=layout)
    forge(damaged)
    rejects(
        damaged, VerificationError, "person/efficacy is absent, but sets.parquet has records of it"
    )
