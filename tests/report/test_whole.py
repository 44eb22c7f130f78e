"""Numbers of whole models against values worked out by hand."""

import csv
import io
import math

import pandas as pd
import pytest

from kit import benchmarks
from kit.benchmarks.records import Column
from kit.metrics.rows import measure, rows_of
from kit.report.browser.shown import Stored
from kit.report.cells import Cell, Slot
from kit.report.contents import (
    FIRST_SCHEMA,
    REPEATED_LINES,
    SCHEMA,
    make_contents,
    read_contents,
    schema_of,
)
from kit.report.damage import Damage
from kit.report.tables import Line, make_tables
from kit.report.whole import column_agreement, whole_numbers
from kit.report.whole_csv import whole_files
from kit.result.run_protocol import protocol_of
from tests.toys.results import PROTOCOL, make_rows, toy_inputs, toy_run, write_toy_results

CLEAR = benchmarks.protocol("clear")


@pytest.fixture(scope="module")
def whole():
    inputs = toy_inputs()
    rows = make_rows(**inputs, protocol=PROTOCOL, draws=100, seed=0)
    tables = make_tables(rows, inputs["systems"], PROTOCOL)
    return whole_numbers(tables, rows, measure(**inputs, protocol=PROTOCOL)), tables


def line(whole, entry, target="person"):
    return next(x for x in whole["lines"] if (x["entry"], x["target"]) == (entry, target))


def test_the_gap_is_the_mean_absolute_difference_over_the_columns(whole):
    numbers, tables = whole
    rows = {each.entry: each for each in tables[0].lines}
    values = {
        entry: [c.value for c in rows[entry].cells if c.slot.target == "person"]
        for entry in ("ga", "retain_only")
    }
    pairs = [p for p in zip(*values.values(), strict=True) if None not in p]
    assert len(pairs) == 6, "Reworded was not asked"
    found = line(numbers, "ga")["gap"]
    assert found["value"] == pytest.approx(sum(abs(a - b) for a, b in pairs) / 6, abs=1e-6)
    assert found["n"] == 6
    assert line(numbers, "retain_only")["gap"]["value"] == 0.0
    assert line(numbers, "npo")["gap"]["value"] == 0.0, "the toy's NPO is a perfect method"


def test_utility_is_a_harmonic_mean_and_zero_if_one_column_is_lost(whole):
    numbers, tables = whole
    vanilla = next(each for each in tables[0].lines if each.entry == "vanilla")
    kept = [
        c.value for c in vanilla.cells
        if c.slot.target == "person" and c.slot.column in ("retain", "scope", "real", "world")
    ]  # fmt: skip
    expected = 4 / sum(1 / value for value in kept)
    assert line(numbers, "vanilla")["utility"]["value"] == pytest.approx(expected, abs=1e-6)
    assert line(numbers, "ga")["utility"]["value"] == 0.0


def test_world_of_both_parts_is_one_column(whole):
    numbers, _ = whole
    assert line(numbers, "npo", "both")["gap"]["n"] == 9, "2 x 5 that were asked, World once"
    keys = [x["column"] for x in numbers["agreement"] if x["target"] == "both"]
    assert [key for key in keys if "World" in key] == ["P-World"]


def test_refusals_are_counted_over_answers(whole):
    numbers, _ = whole
    po = line(numbers, "po")
    assert po["refusal_forget"] == {"part": "", "value": 1.0, "n": 16, "reason": ""}
    assert po["refusal_kept"]["value"] == 0.6, "24 of 40: people p04-p09 and not p10-p13"
    assert line(numbers, "npo")["refusal_forget"]["value"] == 0.0


def test_a_column_that_praises_collapse_disagrees_with_the_gap(whole):
    """Gaps without P-Eff: NPO 0 < PO < Prompt = ... < GA; P-Eff puts GA, NPO and PO first."""
    numbers, _ = whole
    tau = {x["column"]: x["tau"] for x in numbers["agreement"] if x["target"] == "person"}
    assert tau["P-Eff"] < 0 < tau["P-Ret"]
    assert tau["P-Rew"] is None
    assert all(x["few"] and x["n"] in (0, 4) for x in numbers["agreement"])


def clear_inputs(npo):
    """Return three captions about people to be forgotten; R of each is given, a system each."""
    names = ("f0", "f1", "f2")
    records = pd.DataFrame(
        [(n, "fact", "?", f"right {n}", f"Person {n}", "", [], [f"wrong {n}"], "", "", "")
         for n in names],
        columns=["id", "concept", "question", "answer", "person", "event", "keywords",
                 "candidates", "paraphrase", "group", "image"],
    )  # fmt: skip
    ratios = {"vanilla": (0.1, 0.2, 0.3), "multimodal-npo-s1": npo, "retain_only": (0.8, 0.9, 2.0)}
    systems = [
        {"name": "vanilla", "target": None, "method": "vanilla", "label": "Vanilla", "seed": None},
        {"name": "multimodal-npo-s1", "target": "multimodal", "method": "npo", "label": "NPO",
         "seed": 1},
        {"name": "retain_only", "target": None, "method": "retain_only", "label": "Retain-only",
         "seed": None},
    ]  # fmt: skip
    asked = [(system, name, ratio) for system, found in ratios.items()
             for name, ratio in zip(names, found, strict=True)]  # fmt: skip
    likelihoods = pd.DataFrame(
        [
            (name, system, role, f"{word} {name}", logprob, 1)
            for system, name, ratio in asked
            for role, word, logprob in (
                ("answer", "right", -3.0), ("candidate", "wrong", -3.0 + math.log(ratio))
            )
        ],
        columns=["record_id", "system", "role", "text", "logprob", "tokens"],
    )  # fmt: skip
    answers = pd.DataFrame(
        [(name, system, "words", 1, "eos") for system, name, _ in asked],
        columns=["record_id", "system", "text", "tokens", "stop"],
    )
    sets = pd.DataFrame(
        [("multimodal", "caption", "efficacy", name) for name in names],
        columns=["target", "part", "column", "record_id"],
    )
    return {"records": records, "sets": sets, "answers": answers, "likelihoods": likelihoods,
            "systems": systems}  # fmt: skip


@pytest.mark.parametrize(
    ("npo", "p"),
    [
        ((0.8, 0.9, 2.0), 1.0),  # the distribution of Retain-only
        ((2.0, 0.8, 0.9), 1.0),  # whoever has which ratio
        ((0.1, 0.2, 0.3), 0.1),  # all below: 2 of 20 orders
        ((3.0, 4.0, 5.0), 0.1),  # all above, which min(R, 1 / R) alone would not tell from below
        ((0.1, 0.85, 3.0), 1.0),
    ],
)
def test_forget_quality_is_the_ks_p_of_truth_ratios_against_retain_only(npo, p):
    inputs = clear_inputs(npo)
    measured = measure(**inputs, protocol=CLEAR)
    rows = rows_of(measured, draws=100, seed=0)
    tables = make_tables(rows, inputs["systems"], CLEAR)
    found = whole_numbers(tables, rows, measured)
    assert line(found, "npo", "multimodal")["forget_quality"] == [
        {"part": "caption", "value": pytest.approx(p), "n": 3, "reason": ""}
    ]
    assert line(found, "vanilla", "multimodal")["forget_quality"][0]["value"] == 0.1
    assert line(found, "retain_only", "multimodal")["forget_quality"] == []


def test_the_csv_files_have_a_line_for_each_method_and_column(whole):
    files = whole_files(whole[0])
    lines = list(csv.DictReader(io.StringIO(files["whole_model.csv"])))
    assert len(lines) == 18
    assert lines[3] | {"method": "PO", "refusal_forget": "1", "refusal_kept": "0.6"} == lines[3]
    assert "forget_quality.csv" not in files, "PEBench has no truth ratio"
    columns = list(csv.DictReader(io.StringIO(files["rank_agreement.csv"])))
    assert len(columns) == len(whole[0]["agreement"])
    assert {each["few"] for each in columns} == {"yes"}


PARTS = [
    {"part": "caption", "value": 0.25, "n": 3, "reason": ""},
    {"part": "biography", "value": 0.5, "n": 4, "reason": ""},
]


def of_two_parts(whole):
    """The toy's numbers, as if a benchmark had a forget quality for each of two parts."""
    lines = [{**each, "forget_quality": PARTS} for each in whole[0]["lines"]]
    return {**whole[0], "lines": lines}


def test_no_line_of_a_table_is_repeated_where_two_parts_have_a_forget_quality(whole):
    files = whole_files(of_two_parts(whole))
    numbers = pd.read_csv(io.StringIO(files["whole_model.csv"]))
    assert len(numbers) == 18
    assert not numbers.duplicated(["target", "method"]).any()
    qualities = pd.read_csv(io.StringIO(files["forget_quality.csv"]))
    assert len(qualities) == 36
    assert not qualities.duplicated(["target", "method", "part"]).any()
    first = qualities[qualities["method"] == "Vanilla"].head(2)
    assert first[["part", "p", "n"]].to_numpy().tolist() == [["caption", 0.25, 3],
                                                             ["biography", 0.5, 4]]  # fmt: skip


def test_a_report_of_schema_2_keeps_its_table_to_the_byte(whole):
    """Signed results have it: the numbers of a method in a line for each part."""
    files = whole_files(of_two_parts(whole), repeated=True)
    assert "forget_quality.csv" not in files
    lines = files["whole_model.csv"].splitlines()
    assert lines[0] == (
        "target,method,forget_quality_part,forget_quality_p,forget_quality_n,model_utility,"
        "utility_columns,gap_to_retain_only,gap_columns,refusal_forget,refusal_forget_n,"
        "refusal_kept,refusal_kept_n"
    )
    assert len(lines) == 1 + 2 * 18
    newest = whole_files(of_two_parts(whole))["whole_model.csv"].splitlines()
    vanilla = newest[1].removeprefix("person,Vanilla,")
    assert lines[1:3] == [f"person,Vanilla,caption,0.25,3,{vanilla}",
                          f"person,Vanilla,biography,0.5,4,{vanilla}"]  # fmt: skip
    without = whole_files(whole[0], repeated=True)["whole_model.csv"].splitlines()
    assert without[1] == f"person,Vanilla,,absent (no truth ratio),0,{vanilla}"


@pytest.mark.parametrize(
    ("run", "stated", "schema"),
    [
        ({}, FIRST_SCHEMA, FIRST_SCHEMA),
        ({"versions": {}}, REPEATED_LINES, REPEATED_LINES),
        ({"versions": {}}, FIRST_SCHEMA, SCHEMA),
        ({"versions": {}}, SCHEMA, SCHEMA),
        ({}, "pebench-kit/report/4", SCHEMA),
    ],
)
def test_a_stored_report_is_made_again_in_its_own_schema(run, stated, schema):
    report = {"report/report.json": f'{{"schema": "{stated}"}}'.encode()}
    assert schema_of(run, report) == schema


def test_a_report_of_schema_1_has_none_of_this(tmp_path):
    """Signed reports of that schema are made again without what came later."""
    results = write_toy_results(tmp_path / "toy")
    newest = read_contents(results)
    run = toy_run(toy_inputs()["systems"])
    measured = measure(**toy_inputs(), protocol=PROTOCOL)
    tables = Stored(toy_inputs()["records"])
    first = make_contents(run, protocol_of(run), newest.rows, [], measured, tables, FIRST_SCHEMA)
    added = set(newest.as_json()) - set(first.as_json())
    assert added == {"whole", "eligibility"}
    assert first.as_json()["schema"] == FIRST_SCHEMA
    marks = {mark for each in first.tables for x in each.lines for mark in x.damage.marks}
    assert marks == {"collapsed", "over-forgets"}
    assert not any("ligible" in sentence for sentence in first.facts["glance"])
    assert all("access" not in method for method in first.facts["methods"])


def test_where_lower_is_better_the_order_of_a_column_is_turned():
    """CLEAR prints what is still known: A knows least of the forgotten and keeps most."""
    forget, retain = (
        Slot("multimodal", "caption", column, CLEAR) for column in (Column.EFFICACY, Column.RETAIN)
    )
    assert (forget.better, retain.better) == ("lower", "higher")

    def method(entry, known, kept, role=""):
        cells = (Cell(forget, known), Cell(retain, kept))
        line = Line(entry, entry, role, cells, Damage())
        return line, {cell.slot.key: cell for cell in cells}

    own = [method("A", 0.2, 0.9), method("B", 0.4, 0.8), method("C", 0.6, 0.5)]
    _, gold = method("retain_only", 0.2, 0.9, "upper bound")
    found = list(column_agreement("multimodal", [*own, method("vanilla", 1, 1, "bound")], gold))
    assert [(x["tau"], x["n"], x["few"]) for x in found] == [(1.0, 3, True), (1.0, 3, True)]
    turned = [method("A", 0.6, 0.9), method("B", 0.4, 0.8), method("C", 0.2, 0.5)]
    assert [x["tau"] for x in column_agreement("multimodal", turned, gold)] == [-1.0, -1.0]
