"""The report says what the rows say, in every format, and is equal byte for byte."""

import csv
import json
import math
import re
import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from kit.benchmarks.records import Column
from kit.errors import MissingStageError, VerificationError
from kit.metrics.intervals import Intervals
from kit.metrics.rows import measure, read_inputs, rows_of
from kit.report import write_report
from kit.report.cells import Cell, Slot, cell_of
from kit.report.contents import read_contents
from kit.report.damage import RULES, assess
from kit.report.figure import make_panels
from kit.report.glance import _of_table, at_chance
from kit.report.pages import markdown_cell, seconds
from kit.result.run_file import entry_of, labels
from tests.toys.results import PROTOCOL, write_toy_results

FILES = [
    "answers.html", "forget_retain.svg", "rank_agreement.csv", "report.html", "report.json",
    "report.md", "rows.csv", "table1.csv", "table2.csv", "whole_model.csv",
]  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = write_toy_results(tmp_path_factory.mktemp("report") / "toy")
    write_report(folder)
    return folder


@pytest.fixture
def copy(results, tmp_path):
    """A copy that a test may tamper with."""
    return Path(shutil.copytree(results, tmp_path / "copy"))


@pytest.fixture(scope="module")
def html(results):
    return (results / "report" / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def markdown(results):
    return (results / "report" / "report.md").read_text(encoding="utf-8")


def table(results, name):
    with (results / "report" / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def sentences(text: str) -> list[str]:
    """Return the lines of a page that say what was found."""
    own = text[text.index("What was found") :]
    return [line for line in own.splitlines() if line.startswith(("- ", "<li"))]


def slot(column, part="person", target="person"):
    return Slot(target, part, Column(column), PROTOCOL)


def test_every_file_is_written_and_named(results):
    assert [path.name for path in write_report(results)] == FILES


def test_a_report_written_twice_has_the_same_bytes(results, tmp_path):
    elsewhere = write_toy_results(tmp_path / "another name")
    write_report(elsewhere)
    for name in FILES:
        first = (results / "report" / name).read_bytes()
        assert (elsewhere / "report" / name).read_bytes() == first, name


def test_work_lost_to_an_interruption_is_named_beside_the_cost_that_methods_are_compared_by(
    copy, html, markdown
):
    run = json.loads((copy / "run.json").read_text())
    job = next(job for job in run["jobs"] if "-ga-" in job["name"])
    job["lost"] = {"steps": 12, "seconds": 3.25, "forward_passes": 1920}
    (copy / "run.json").write_text(json.dumps(run))
    write_report(copy)
    said = f"{job['name']}: 12 steps, 1,920 forward passes, 3.2 s"
    for name, before in (("report.html", html), ("report.md", markdown)):
        text = (copy / "report" / name).read_text(encoding="utf-8")
        assert said in text
        assert "done again" not in before
        rows = {line for line in before.splitlines() if line.startswith(("<tr><th>", "| "))}
        assert rows <= set(text.splitlines()), "and the sums are as they were"


@pytest.mark.parametrize("name", ["report.html", "forget_retain.svg"])
def test_a_page_requests_nothing_from_anywhere(results, name):
    text = (results / "report" / name).read_text(encoding="utf-8")
    references = re.findall(r"""(?:src|href|srcset|action|data)\s*=\s*["']([^"']*)""", text)
    # A link to the page beside it loads nothing before a reader follows it.
    assert all(each.startswith(("#", "answers.html")) for each in references)
    for loader in ("<script", "<link", "<iframe", "@import", "url(", "<image"):
        assert loader not in text
    assert re.findall(r"https?://[^\s\"'<]+", text.replace("http://www.w3.org/2000/svg", "")) == []


def test_table_one_has_the_shape_of_the_paper(results):
    lines = table(results, "table1.csv")
    names = ("Eff", "Gen", "Rew", "Ret", "Scope", "Real", "World")
    assert list(lines[0]) == ["Method", *(f"{half}-{name}" for half in "PE" for name in names)]
    methods = [line["Method"] for line in lines]
    assert methods == ["Vanilla", "NPO", "GA", "PO", "Prompt only", "Retain-only"]


def test_table_two_has_no_scope(results):
    assert not [name for name in table(results, "table2.csv")[0] if "Scope" in name]


def test_every_number_in_a_table_is_the_one_of_its_row(results):
    rows = pd.read_parquet(results / "rows.parquet")
    row = rows[(rows["system"] == "person-po-s1") & (rows["column"] == "retain") & rows["headline"]]
    printed = {line["Method"]: line for line in table(results, "table1.csv")}
    assert float(printed["PO"]["P-Ret"]) == pytest.approx(100 * row.iloc[0]["value"], abs=1e-3)


def test_all_tables_of_a_page_are_in_percent_and_csv_files_in_the_units_of_the_paper(
    results, html, markdown
):
    vanilla = next(line for line in markdown.splitlines() if line.startswith("| Vanilla"))
    cells = [cell.strip() for cell in vanilla.split("|")[2:-1]]
    assert re.fullmatch(r"\d+\.\d \[\d+\.\d, \d+\.\d\]", cells[0])  # P-Eff
    scope = re.fullmatch(r"(\d+\.\d) \[(\d+\.\d), (\d+\.\d)\]", cells[4])  # P-Scope
    assert f"{scope[1]}<small>[{scope[2]}, {scope[3]}]</small>" in html
    assert float(scope[1]) == pytest.approx(
        100 * float(table(results, "table1.csv")[0]["P-Scope"]), abs=0.06
    )


def test_collapse_and_over_forgetting_are_marked_and_the_rule_is_printed(results, html, markdown):
    report = json.loads((results / "report" / "report.json").read_text(encoding="utf-8"))
    marks = {line["entry"]: line["marks"] for line in report["tables"]["table1"]}
    halves = ["person", "event"]
    assert marks == {
        "vanilla": {}, "npo": {}, "ga": {"collapsed": halves}, "po": {"over-forgets": halves},
        "prompt": {"under-forgets": halves}, "retain_only": {},
    }  # fmt: skip
    for page in (html, markdown):
        text = " ".join(page.split())
        assert "is destroyed as well (World or Scope" in text
        assert "it under-forgets when it keeps more than 50 %" in text


@pytest.mark.parametrize(
    ("known", "mark"),
    [(1.0, "forgot nothing"), (0.9, "forgot nothing"), (0.6, "under-forgets"), (0.5, None),
     (0.0, None), (-0.1, None)],
)  # fmt: skip
def test_a_method_that_forgot_nothing_is_marked_whichever_direction_is_better(known, mark):
    """Vanilla has 0.2 and Retain-only 1.0 of forget_rate: `known` is the way back to Vanilla."""
    here = slot("efficacy")
    bounds = {here: Cell(here, 0.2)}, {here: Cell(here, 1.0)}
    method = [Cell(here, 1.0 - 0.8 * known)]
    marks = assess(method, *bounds, {("person", "person")}).marks
    assert marks == ({mark: ("person",)} if mark else {})
    assert assess(method, *bounds, set()).marks == {}, "nothing was eligible to be forgotten"
    assert assess(method, bounds[0]).marks == {}, "version 1 of the rule"


def test_a_method_equal_to_vanilla_forgot_nothing_and_the_first_page_says_so(copy):
    """The sign-flipped NPO of a real run looked like this, and stood unmarked."""
    answers = pd.read_parquet(copy / "answers" / "answers.parquet")
    vanilla = answers[answers["system"] == "vanilla"].set_index("record_id")["text"]
    mine = answers["system"] == "person-npo-s1"
    answers.loc[mine, "text"] = answers.loc[mine, "record_id"].map(vanilla)
    answers.to_parquet(copy / "answers" / "answers.parquet", index=False)
    rows = rows_of(measure(**read_inputs(copy), protocol=PROTOCOL), draws=200, seed=0)
    rows.to_parquet(copy / "rows.parquet", index=False)
    write_report(copy)
    text = (copy / "report" / "report.md").read_text(encoding="utf-8")
    assert "- Table 1: 1 of 4 methods forgot nothing: NPO." in sentences(text)
    assert "| NPO **forgot nothing** (person) |" in text


def test_the_first_line_says_whether_anything_can_be_forgotten(copy, markdown):
    first = next(line for line in markdown.splitlines() if line.startswith("- "))
    assert first.startswith("- Can a model forget what it has learnt, and keep everything else?")
    found = sentences(markdown)[0]
    assert found.startswith("- Vanilla knew what is to be forgotten, and Retain-only did not")
    assert "Forgetting people 87.5 % and 0.0 %; Forgetting events " in found
    answers = pd.read_parquet(copy / "answers" / "answers.parquet")
    answers.loc[answers["system"] == "vanilla", "text"] = "I do not know."
    answers.to_parquet(copy / "answers" / "answers.parquet", index=False)
    write_report(copy)
    for name in ("report.md", "report.html"):
        first = sentences((copy / "report" / name).read_text(encoding="utf-8"))[0]
        assert "NOT ELIGIBLE: Forgetting people: Vanilla does" in first
        assert "Retain-only (0.0 % and 0.0 %). No forgetting can be claimed here" in first
        assert name == "report.md" or first.startswith('<li class="alarm">')
    report = json.loads((copy / "report" / "report.json").read_text(encoding="utf-8"))
    assert [each["vanilla"] for each in report["eligibility"]] == [0.0] * 4


def test_a_prompt_is_behavioural_suppression_and_each_method_says_what_it_changes(html, markdown):
    assert "| Prompt only (behavioural suppression) **under-forgets** (person, event) |" in markdown
    assert "Prompt only is behavioural suppression: it changes the prompt, not the weights." in html
    assert "| Prompt only | prompt | 3 | none |" in markdown
    assert "| NPO | weights | 3 | 3 |" in markdown


def test_broken_text_is_visible_in_the_report(results):
    report = json.loads((results / "report" / "report.json").read_text(encoding="utf-8"))
    worst = {line["entry"]: line["worst"] for line in report["health"]["lines"]}
    assert worst["ga"]["person repetition"]["value"] == pytest.approx(0.8)
    assert worst["ga"]["person unterminated"]["value"] == 1.0
    assert worst["npo"]["person unterminated"]["value"] == 0.0


def test_an_absent_value_is_printed_as_absent_with_its_reason(copy):
    rows = pd.read_parquet(copy / "rows.parquet")
    gone = (rows["system"] == "person-npo-s1") & (rows["column"] == "real") & rows["headline"]
    rows.loc[gone, ["value", "low", "high"]] = None
    rows.loc[gone, "reason"] = "the real set <was not> fetched"
    rows.to_parquet(copy / "rows.parquet", index=False)
    write_report(copy)
    folder = copy / "report"
    assert table(copy, "table1.csv")[1]["P-Real"] == "absent (the real set <was not> fetched)"
    assert (
        "absent<small>the real set &lt;was not&gt; fetched" in (folder / "report.html").read_text()
    )
    assert r"absent (the real set \<was not\> fetched)" in (folder / "report.md").read_text()
    cell = json.loads((folder / "report.json").read_text())["tables"]["table1"][1]["cells"][
        "P-Real"
    ]
    assert (cell["value"], cell["reason"]) == (None, "the real set <was not> fetched")


def test_a_method_that_was_not_run_for_a_target_is_absent_there(copy):
    rows = pd.read_parquet(copy / "rows.parquet")
    rows[rows["system"] != "event-npo-s1"].to_parquet(copy / "rows.parquet", index=False)
    write_report(copy)
    assert table(copy, "table1.csv")[1]["E-Eff"] == "absent (not run)"
    assert table(copy, "table1.csv")[1]["P-Eff"] == "100"
    page = (copy / "report" / "report.html").read_text()
    first = page[page.index("<caption>In percent") :].partition("</table>")[0]
    groups = re.findall(r'scope="colgroup" class="group first" colspan="(\d+)">([^<]+)', first)
    assert groups == [("7", "Forgetting people"), ("7", "Forgetting events")]
    line = next(row for row in first.split("<tr") if ">NPO<" in row)
    cells = re.findall(r"<td[^>]*>[^<]*", line)
    assert cells[7:] == ['<td class="first absent" colspan="7">not run'], "one cell for all"
    assert "absent<small>not run" not in first


def test_what_a_model_answered_cannot_become_markup(copy):
    path = copy / "answers" / "answers.parquet"
    answers = pd.read_parquet(path)
    answers["text"] = "<script>alert(1)</script> | **x** \n# y"
    answers.to_parquet(path, index=False)
    write_report(copy)
    assert "<script" not in (copy / "report" / "report.html").read_text()
    assert (
        r"\<script\>alert(1)\</script\> \| \*\*x\*\* \# y"
        in (copy / "report" / "report.md").read_text()
    )


def test_every_line_of_a_markdown_table_has_the_same_number_of_cells(markdown):
    block: list[int] = []
    for line in [*markdown.splitlines(), ""]:
        if line.startswith("|"):
            block.append(len(re.findall(r"(?<!\\)\|", line)))
        else:
            assert len(set(block)) <= 1, line
            block = []


def test_definitions_are_printed_with_their_versions(html, markdown):
    for page in (html, markdown):
        for name in ("name_hit/1", "forget_rate/1", "rouge_l_f1/1", "presence_accuracy/1"):
            assert name in page


def test_few_people_are_flagged_beside_their_number(html, markdown):
    assert "16 (4*)" in markdown
    assert "Fewer than 8 clusters: the interval is right" in " ".join(html.split())


def test_the_distance_of_a_perfect_method_is_zero_and_of_vanilla_is_not(results):
    contents = read_contents(results)
    lines = {line.entry: line for line in contents.distances[0].lines}
    npo, vanilla = lines["npo"].cells[0], lines["vanilla"].cells[0]
    assert npo.value == 0.0
    assert npo.low == pytest.approx(-npo.high, abs=0.02), (
        "four people who agree leave as much open on both sides"
    )
    assert 0.4 < npo.high < 1.2
    assert vanilla.value < -0.8
    assert vanilla.low < vanilla.value < vanilla.high
    assert "retain_only" not in lines


def test_seeds_of_one_method_are_one_line_with_their_mean_and_widest_interval():
    rows = pd.DataFrame(
        {"value": [0.2, 0.4], "low": [0.1, 0.3], "high": [0.5, 0.6], "n": 8, "clusters": 4,
         "reason": ""}
    )  # fmt: skip
    cell = cell_of(slot("retain"), rows)
    assert (cell.value, cell.low, cell.high, cell.seeds) == (pytest.approx(0.3), 0.1, 0.6, 2)


def test_three_seeds_give_one_line_a_method(tmp_path):
    results = write_toy_results(tmp_path / "toy", seeds=(1, 2, 3))
    contents = read_contents(results)
    npo = contents.tables[0].lines[1]
    assert npo.label == "NPO"
    assert {cell.seeds for cell in npo.cells if cell.value is not None} == {3}
    assert len(contents.tables[0].lines) == 6


def test_the_interval_of_several_seeds_is_that_of_their_mean(tmp_path):
    """Two seeds, each wrong about other people: the interval is narrower than their span."""
    results = write_toy_results(tmp_path / "toy", seeds=(1, 2))
    answers = pd.read_parquet(results / "answers" / "answers.parquet")
    for seed, people in ((1, ("p04", "p05")), (2, ("p06", "p07", "p08", "p09"))):
        wrong = (answers["system"] == f"person-npo-s{seed}") & answers["record_id"].str.startswith(
            people
        )
        answers.loc[wrong, "text"] = "This is Ned Nobody."
    answers.to_parquet(results / "answers" / "answers.parquet", index=False)
    measured = measure(**read_inputs(results), protocol=PROTOCOL)
    rows = rows_of(measured, draws=200, seed=0)
    rows.to_parquet(results / "rows.parquet", index=False)
    lines = {line.entry: line for line in read_contents(results).tables[0].lines}
    cell = next(c for c in lines["npo"].cells if c.slot.key == "P-Ret")
    mine = rows[rows["headline"] & (rows["column"] == "retain") & (rows["target"] == "person")]
    seeds = mine[mine["method"] == "npo"]
    assert cell.value == pytest.approx(seeds["value"].mean())
    assert cell.seed_range == (
        pytest.approx(seeds["value"].min()), pytest.approx(seeds["value"].max())
    )  # fmt: skip
    place = next(g for g in measured.groups if (g.target, g.column) == ("person", "retain"))
    mean = sum(measured.scores.of(f"person-npo-s{seed}", "name_hit", place.ids) for seed in (1, 2))
    found = Intervals(200, 0).mean(mean / 2, place.clusters(measured.scores))
    assert (cell.low, cell.high) == (found.low, found.high)
    assert cell.high - cell.low < seeds["high"].max() - seeds["low"].min()
    write_report(results)
    for name in ("report.md", "report.html"):
        assert cell.of_seeds in (results / "report" / name).read_text(encoding="utf-8")
    assert re.fullmatch(r"2 seeds: \d\d\.\d to \d\d\.\d", cell.of_seeds)


def test_a_value_that_goes_with_the_size_of_clusters_is_marked_and_explained(copy, markdown):
    """Three of ten people have four questions, all wrong; the others one, right: p = 1 / 120."""
    many = ("p04", "p05", "p06")
    sets = pd.read_parquet(copy / "sets.parquet")
    other = sets["record_id"].str.slice(0, 3).isin([f"p{n:02}" for n in range(7, 14)])
    retain = (sets["part"] == "person") & (sets["column"] == "retain")
    sets[~(retain & other) | sets["record_id"].str.contains("-orchard-")].to_parquet(
        copy / "sets.parquet", index=False
    )
    answers = pd.read_parquet(copy / "answers" / "answers.parquet")
    right = pd.read_parquet(copy / "records.parquet").set_index("id")["answer"]
    npo = answers["system"] == "person-npo-s1"
    truth = answers["record_id"].map(right)
    wrong = answers["record_id"].str.startswith(many)
    answers.loc[npo, "text"] = truth.where(~wrong, "This is Ned Nobody.")
    answers.to_parquet(copy / "answers" / "answers.parquet", index=False)
    rows = rows_of(measure(**read_inputs(copy), protocol=PROTOCOL), draws=200, seed=0)
    rows.to_parquet(copy / "rows.parquet", index=False)
    write_report(copy)
    report = json.loads((copy / "report" / "report.json").read_text(encoding="utf-8"))
    cells = {line["entry"]: line["cells"]["P-Ret"] for line in report["tables"]["table1"]}
    assert [entry for entry, cell in cells.items() if cell.get("size_matters")] == ["npo"]
    text = (copy / "report" / "report.md").read_text(encoding="utf-8")
    assert re.search(r"\| NPO .*\]† \|", text)
    assert "† The value of a cluster depends on its size" in text
    assert "†" not in markdown


def test_an_entry_is_named_as_in_the_manifest():
    system = {"name": "person-npo-strong-s2", "target": "person", "method": "npo", "seed": 2}
    assert entry_of(system) == "npo-strong"


def test_two_entries_of_one_method_are_told_apart():
    systems = [
        {
            "name": f"person-{entry}-s1",
            "target": "person",
            "method": "npo",
            "label": "NPO",
            "seed": 1,
        }
        for entry in ("npo", "npo-strong")
    ]
    assert labels(systems) == {"npo": "NPO (npo)", "npo-strong": "NPO (npo-strong)"}


def test_without_a_retain_only_model_the_distance_is_absent_and_never_zero(copy):
    run = json.loads((copy / "run.json").read_text())
    gone = "retain_only-person"
    run["systems"] = [system for system in run["systems"] if system["name"] != gone]
    (copy / "run.json").write_text(json.dumps(run))
    for name in ("rows.parquet", "answers/answers.parquet"):
        stored = pd.read_parquet(copy / name)
        stored[stored["system"] != gone].to_parquet(copy / name, index=False)
    contents = read_contents(copy)
    cell = contents.distances[0].lines[1].cells[0]
    assert (cell.value, cell.reason) == (None, "there is no Retain-only model for this target")


@pytest.mark.parametrize(
    ("retain", "real", "world", "mark"),
    [
        (0.9, 0.9, 0.8, ""),
        (0.4, 0.9, 0.8, "over-forgets"),
        (0.4, 0.4, 0.8, "over-forgets"),  # Real asks for the same ability
        (0.4, 0.9, 0.5, "collapsed"),  # World at chance
        (0.4, 0.9, 0.7, "over-forgets"),  # half of the distance above chance is left
        (0.9, 0.1, 0.1, ""),  # what it should keep of its own concept is there
        (0.4, None, None, "over-forgets"),
    ],
)
def test_the_declared_rule_decides(retain, real, world, mark):
    vanilla = {slot(c): Cell(slot(c), v) for c, v in
               (("retain", 1.0), ("real", 1.0), ("world", 0.9))}  # fmt: skip
    cells = [Cell(slot("retain"), retain), Cell(slot("real"), real), Cell(slot("world"), world)]
    assert assess(cells, vanilla).marks == ({mark: ("person",)} if mark else {})


def test_a_lost_scope_is_a_collapse():
    vanilla = {slot(c): Cell(slot(c), 1.0) for c in ("retain", "scope")}
    cells = [Cell(slot("retain"), 0.1), Cell(slot("scope"), 0.1)]
    assert assess(cells, vanilla).marks == {"collapsed": ("person",)}


def test_where_nothing_else_is_asked_the_real_people_tell_a_collapse():
    vanilla = {slot(c): Cell(slot(c), 1.0) for c in ("retain", "real")}
    cells = [Cell(slot("retain"), 0.1), Cell(slot("real"), 0.1)]
    assert assess(cells, vanilla).marks == {"collapsed": ("person",)}


def test_of_a_table_without_methods_no_method_is_counted():
    """A target may be there for Vanilla and Retain-only alone."""
    table = SimpleNamespace(title="Table 2. Text", lines=[], parts=[])
    assert list(_of_table(table, {"collapsed": "collapsed"}, None)) == []


def test_a_column_in_which_vanilla_is_at_chance_is_named():
    known, guessed = slot("world"), slot("world", part="event")
    cells = [
        Cell(known, 0.9, low=0.8, high=1.0),
        Cell(guessed, 0.55, low=0.45, high=0.65),
        Cell(slot("retain"), 0.0, low=0.0, high=0.0),  # a name has no chance level
    ]
    assert at_chance(cells) == ["E-World"]


def test_a_source_without_a_committed_list_is_reported_first(copy):
    run = json.loads((copy / "run.json").read_text())
    run["sources"][0]["locked"] = False
    (copy / "run.json").write_text(json.dumps(run))
    write_report(copy)
    report = json.loads((copy / "report" / "report.json").read_text())
    assert report["glance"][1].startswith("NOT LOCKED: toy has no committed checksum list")
    for name in ("report.html", "report.md"):
        assert "NOT LOCKED: toy" in (copy / "report" / name).read_text()


def test_a_column_in_which_vanilla_is_no_better_than_chance_destroys_nothing():
    vanilla = {slot(c): Cell(slot(c), v) for c, v in (("retain", 0.0), ("world", 0.5))}
    cells = [Cell(slot("retain"), 0.0), Cell(slot("world"), 0.0)]
    assert assess(cells, vanilla).destroyed == frozenset()


def test_markers_of_the_figure_never_cover_each_other(results):
    contents = read_contents(results)
    panels = make_panels(contents.tables)
    assert len(panels) == 4
    for panel in panels:
        places = [spot.place for spot in panel.spots]
        assert all(math.dist(a, b) >= 15.4 for a, b in combinations(places, 2))


def test_a_negative_zero_is_printed_without_its_sign():
    assert Cell(slot("retain"), -0.0001, signed=True).text == "0.0"
    assert Cell(slot("retain"), 0.25, signed=True).text == "+25.0"


FORGED = "1.0\n\n## Claims\n\n| C1 | **REPRODUCED** |\n\n<!-- <script>"


def test_nothing_that_a_signer_may_write_begins_a_part_of_the_markdown_page(copy):
    """The page is text: a heading in a name would be one of the page's own."""
    run = json.loads((copy / "run.json").read_text())
    run["manifest"]["name"] = run["manifest_digest"] = FORGED
    run["guards"] = {"agreement": {"equal": FORGED, "sample": FORGED}, "canary": {}}
    run["environment"] = {**run["environment"], FORGED: FORGED}
    run["sources"] = [{**s, "revision": FORGED, "licence": FORGED} for s in run["sources"]]
    for system in run["systems"]:
        system["label"] = f"{system['label']} {FORGED}"
    (copy / "run.json").write_text(json.dumps(run))
    write_report(copy)
    page = (copy / "report" / "report.md").read_text(encoding="utf-8")
    assert "\n## Claims" not in page, "this manifest claims nothing"
    assert "\n| C1 | **REPRODUCED** |\n" not in page
    assert re.search(r"(?<!\\)<(!--|script)", re.sub(r"`[^`\n]*`", "", page)) is None


def test_durations_and_markdown_cells_are_readable():
    assert [seconds(s) for s in (None, 3.21, 600.0, 9000.0)] == ["-", "3.2 s", "10.0 min", "2.5 h"]
    assert markdown_cell("a|b\n`c`") == r"a\|b \`c\`"


def test_a_result_without_rows_names_the_stage_to_run(copy):
    (copy / "rows.parquet").unlink()
    with pytest.raises(MissingStageError, match=r"run `\./run\.sh evaluate MANIFEST`"):
        write_report(copy)


def test_another_process_without_a_model_library_writes_the_same_bytes(results, copy):
    """A reviewer's slim environment has neither torch nor vllm; its hash seed is another."""
    for path in (copy / "report").iterdir():
        path.unlink()
    code = (
        "import sys, pathlib; from kit.report import write_report; "
        f"write_report(pathlib.Path({str(copy)!r})); "
        "print(sorted({'torch', 'vllm', 'transformers', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    for name in FILES:
        assert (copy / "report" / name).read_bytes() == (results / "report" / name).read_bytes()


@pytest.mark.parametrize(("rule", "destroyed"), [(2, {"world"}), (3, set())])
def test_where_vanilla_may_be_at_chance_a_column_is_not_assessed_since_rule_3(rule, destroyed):
    vanilla = {slot("world"): Cell(slot("world"), 0.55, low=0.5, high=0.6)}
    found = assess([Cell(slot("world"), 0.5)], vanilla, rule=rule).destroyed
    assert {each.column for each in found} == destroyed
    clear = {slot("world"): Cell(slot("world"), 0.56, low=0.51, high=0.61)}
    assert assess([Cell(slot("world"), 0.5)], clear, rule=rule).destroyed == {slot("world")}


def test_an_earlier_result_keeps_the_rule_of_damage_that_it_was_made_with(copy):
    def reported(marks):
        run = json.loads((copy / "run.json").read_text())
        run["versions"].pop("marks", None)
        run["versions"] |= {} if marks is None else {"marks": marks}
        (copy / "run.json").write_text(json.dumps(run))
        write_report(copy)
        return json.loads((copy / "report" / "report.json").read_text())["rule"]

    assert reported(None) == RULES[2]
    assert reported(2) == RULES[2]
    assert reported(3) == RULES[3]
    for unknown in (1, 4):
        with pytest.raises(VerificationError, match="a rule that this kit does not know"):
            reported(unknown)
