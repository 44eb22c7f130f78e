"""A signed result outlives the wording of the kit, and no longer: its numbers stay checked."""

import json
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from kit.artifacts import PROJECT
from kit.digests import sha256_file
from kit.errors import VerificationError
from kit.report import write_report
from kit.report.metadata import write_metadata
from kit.result.layout import BILL, CRATE
from kit.signing.sign import sign
from kit.verification.case import NOT_CHECKED
from kit.verification.csv_numbers import csv_faults
from kit.verification.verify import verify
from tests.compat import FOLDER, RESULT
from tests.toys.signed_result import CARD, KEY, KIT, TRUSTED, edit_json, remake

OTHER = KIT | {"revision": None, "renderer": "ab" * 32}
REFERENCE = "manifests/reference/smoke"
# What a later version of the kit may word differently: (file, text, other text).
REWORDED = (
    ("kit/report/notes.py", "paired on the same records", "paired by record"),
    ("kit/report/templates/report.md.j2", "## Broken text", "## Text quality"),
    ("kit/report/templates/report.html.j2", "</title>", " (report)</title>"),
    ("kit/report/templates/adapter.md.j2", "## Intended use", "## What it is for"),
    ("kit/report/claims.py", "A claim is REPRODUCED if", "We call a claim REPRODUCED if"),
    ("kit/report/glance.py", "methods {verb}: ", "of the methods {verb}: "),
    ("kit/report/file_descriptions.py", "The records: questions", "Records: questions"),
    ("kit/metrics/__init__.py", "Share of answers that contain", "How many answers contain"),
    ("kit/verdicts/judging.py", "leave the other side possible", "do not rule out the other side"),
)


@pytest.fixture
def foreign(damaged):
    """A result whose pages another renderer made, in its own words; signed."""
    edit_json(damaged / "run.json", kit=OTHER)
    remake(damaged)
    for name in ("report.html", "report.md"):
        (damaged / "report" / name).write_text("Other words about the same numbers.\n")
    return signed_again(damaged)


def signed_again(result):
    """Let crate and cards follow from the other files, as an honest kit does, and sign."""
    write_metadata(result)
    sign(result, key=KEY)
    return result


def refused(result, reason):
    with pytest.raises(VerificationError, match=reason) as caught:
        verify(result, trusted=TRUSTED)
    assert caught.value.remedy


def test_pages_of_another_renderer_are_not_compared_and_the_output_says_so(foreign):
    found = verify(foreign, trusted=TRUSTED)
    (said,) = [each for each in found.findings if each.outcome == NOT_CHECKED]
    assert said.check == "pages"
    assert re.search(
        r"kit 0\.5\.0 \(renderer abababababab\) rendered them, and this is", said.message
    )
    assert "numbers in report.json and the CSV files were checked" in said.message


def test_a_renderer_that_claims_to_be_this_one_is_held_to_it(foreign):
    edit_json(foreign / "run.json", kit=KIT)
    remake(foreign)
    (foreign / "report" / "report.md").write_text("Other words about the same numbers.\n")
    signed_again(foreign)
    refused(foreign, "pages of the report do not follow(.|\n)*report.md: line 1 is")


def test_pages_of_this_renderer_and_another_version_of_the_kit_contradict_each_other(damaged):
    edit_json(damaged / "run.json", kit=KIT | {"version": "9.9.9"})
    remake(damaged)
    sign(damaged, key=KEY)
    refused(damaged, r"kit.renderer is the code of version .*, but kit.version is 9.9.9")


def test_a_hostile_report_is_refused_at_its_first_faults(foreign):
    json_edit(lambda v: v.update({f"x{n}": n for n in range(100)}))(foreign)
    signed_again(foreign)
    refused(foreign, r"x1 is 1, (.|\n)*and more\n")


def test_a_number_in_a_page_of_this_renderer_that_is_not_in_report_json_is_refused(damaged):
    page = damaged / "report" / "report.html"
    text = page.read_text(encoding="utf-8")
    assert "50.0" in text
    page.write_text(text.replace("50.0", "51.0", 1), encoding="utf-8")
    signed_again(damaged)
    refused(damaged, r"report.html: line \d+ is .*51\.0.*recomputed .*50\.0")


@pytest.mark.slow
def test_a_change_of_wording_refuses_no_result_that_was_signed_before(signed, tmp_path):
    """The kit is copied, eight sentences in it are reworded, and old results are verified."""
    shutil.copytree(PROJECT / "kit", tmp_path / "kit", ignore=shutil.ignore_patterns("base"))
    shutil.copytree(PROJECT / "checksums", tmp_path / "checksums")
    for name, text, other in REWORDED:
        before = (tmp_path / name).read_text(encoding="utf-8")
        assert text in before, f"{name} no longer says {text!r}"
        (tmp_path / name).write_text(before.replace(text, other), encoding="utf-8")
    (tmp_path / "key.pem").write_text((FOLDER / "0.1.0" / "key.pub").read_text())
    # The small result of 0.1.0 says nothing of its lists, guards and adapters.
    passed = {PROJECT / REFERENCE: 13, signed: 11, FOLDER / "0.1.0" / RESULT: 8}
    for result, checks in passed.items():
        done = subprocess.run(
            [sys.executable, "-m", "kit", "verify", str(result), "--trust", "key.pem"],
            cwd=tmp_path, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert "rendered them, and this is kit" in done.stdout
        assert done.stdout.count("ok  ") == checks, done.stdout


def json_edit(change):
    def edit(result):
        path = result / "report" / "report.json"
        value = json.loads(path.read_text(encoding="utf-8"))
        change(value)
        path.write_text(json.dumps(value), encoding="utf-8")

    return edit


def text_edit(name, old, new):
    def edit(result):
        path = result / "report" / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return edit


def cell(value):
    return value["tables"]["table1"][1]["cells"]["P-Eff"]


def in_the_first(part, **changes):
    return json_edit(lambda value: value[part][0].update(changes))


NUMBERS = {
    "value": (json_edit(lambda v: cell(v).update(value=0.75)),
              r"report.json: tables.table1.1.cells.P-Eff.value is 0.75, recomputed 0.5"),
    "end of an interval": (json_edit(lambda v: cell(v).update(high=0.9)), "P-Eff.high is 0.9"),
    "number as text": (json_edit(lambda v: cell(v).update(value="0.5")), "P-Eff.value is '0.5'"),
    "number as truth": (json_edit(lambda v: cell(v).update(n=True)), "P-Eff.n is True"),
    "no value": (json_edit(lambda v: cell(v).pop("value")), "P-Eff.value is missing"),
    "more than follows": (json_edit(lambda v: cell(v).update(best=1)), "best is 1, recomputed no"),
    "metric": (json_edit(lambda v: cell(v).update(metric="forget_rate/2")), "P-Eff.metric is"),
    "label": (json_edit(lambda v: v["tables"]["table1"][1].update(label="Ours")), "label is 'Ours"),
    "mark": (json_edit(lambda v: v["tables"]["table1"][1].update(marks={"x": []})), "marks.x is"),
    "method left out": (json_edit(lambda v: v["tables"]["table1"].pop()), "tables.table1 is"),
    "table left out": (json_edit(lambda v: v["tables"].pop("table1")), "table1 is missing"),
    "number in a sentence": (json_edit(lambda v: v["glance"].__setitem__(
        0, re.sub(r"\d+\.\d", "99.9", v["glance"][0]))), "glance is .*another number in the same"),
    "sentences that are a number": (json_edit(lambda v: v.update(glance=7)),
                                   "glance is 7, recomputed a list of sentences"),
    "verdict": (in_the_first("claims", verdict="REPRODUCED"), "claims.0.verdict is"),
    "records of a column": (in_the_first("columns", n=2000), "columns.0.n is 2000"),
    "steps": (in_the_first("jobs", seconds=1.0), "jobs.0.seconds is 1.0"),
    "answer": (json_edit(lambda v: v["samples"][0]["answers"][0].update(text="x")), "text is 'x'"),
    "manifest": (json_edit(lambda v: v["manifest"].update(seeds=[2])), "manifest.seeds.0 is 2"),
    "version": (json_edit(lambda v: v.update(kit_version="9")), "kit_version is '9'"),
    "earlier schema": (json_edit(lambda v: v.update(schema="pebench-kit/report/1")),
                       "schema is 'pebench-kit/report/1', recomputed 'pebench-kit/report/3'"),
    "gap of a model": (json_edit(lambda v: v["whole"]["lines"][1]["gap"].update(value=0.9)),
                       "whole.lines.1.gap.value is 0.9"),
    "agreement of a column": (json_edit(lambda v: v["whole"]["agreement"][0].update(tau=1.0)),
                              "whole.agreement.0.tau is 1.0"),
    "eligibility": (json_edit(lambda v: v["eligibility"][0].update(reason="")),
                    "eligibility.0.reason is ''"),
    "whole models left out": (json_edit(lambda v: v.pop("whole")), "whole is missing"),
    "whole model of a CSV": (text_edit("whole_model.csv", "person,NPO,", "person,GA,"),
                             "whole_model.csv: line 3, method is 'GA'"),
    "later schema": (json_edit(lambda v: v.update(schema="pebench-kit/report/4")),
                     "report.json is of a later version of the kit"),
    "prose that is a number": (json_edit(lambda v: v.update(rule=1)), "rule is 1, recomputed .A c"),
    "prose that is no text": (json_edit(lambda v: v.update(comparability=[{"x": 1}])),
                              "comparability is "),
    "sentences taken away": (json_edit(lambda v: v.update(glance=[])), r"glance is \["),
    "definition twice": (json_edit(lambda v: v["definitions"].insert(
        0, v["definitions"][0] | {"unit": "points"})), r"definitions is \["),
    "definitions by id": (json_edit(lambda v: v.update(definitions={
        each["id"]: each for each in v["definitions"]})), "definitions is "),
    "role taken away": (json_edit(lambda v: v["tables"]["table1"][0].update(role="")),
                        "role is ''"),
    "no JSON": (text_edit("report.json", "{", "["), "report.json cannot be used"),
    "a list": (lambda r: (r / "report/report.json").write_text("[]"), "not a JSON object"),
    "row of a CSV": (text_edit("rows.csv", "0.5", "0.75"), r"rows.csv: line \d+, value is '0.75'"),
    "cell of a table": (text_edit("table1.csv", "50", "75"), "table1.csv: line .*, recomputed '50"),
    "claim of a CSV": (text_edit("claims.csv", "NOT_REPR", "REPR"), "claims.csv: line .* verdict"),
    "name of a column": (text_edit("table1.csv", "P-Eff", "P-Ret"), "table1.csv: line 1"),
    "line left out": (text_edit("table1.csv", "NPO,", "NPO\n"), "table1.csv: line 3 is missing"),
    "no CSV": (lambda r: (r / "report/rows.csv").write_bytes(b"a,\0\n\xff"), "read as CSV"),
    "CSV removed": (lambda r: (r / "report/rows.csv").unlink(), "rows.csv: missing"),
    "report.json removed": (lambda r: (r / "report/report.json").unlink(), "report.json: missing"),
    "CSV added": (lambda r: (r / "report/best.csv").write_text("1"), "best.csv: no file of a rep"),
    "page in a folder": (lambda r: ((r / "report/x").mkdir(), (r / "report/x/y.js").touch()),
                         "y.js: no file of a report"),
    "document in a folder": (lambda r: ((r / "report/x").mkdir(), (r / "report/x/y.md").touch()),
                             "report/x/y.md: no file of a report"),
    "formula in a CSV": (text_edit("table1.csv", "NPO,", "=NPO(),"), "Method is '=NPO"),
    "words of a column": (text_edit("claims.csv", ",reason,", ",best paper,"),
                          "claims.csv: line 1 is .*not the names of the columns"),
    "quotes in a CSV": (text_edit("rows.csv", ",NPO,", ',"N"PO,'), "its quotes or line ends"),
    "line ends of a CSV": (text_edit("rows.csv", "\n", "\r\n"), "its quotes or line ends"),
}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
def test_a_changed_number_is_refused_whoever_rendered_the_pages(foreign, name):
    change, reason = NUMBERS[name]
    change(foreign)
    signed_again(foreign)
    refused(foreign, reason)


@pytest.mark.parametrize(
    "change",
    [
        json_edit(lambda v: v.update(rule="Another sentence.", comparability=["One.", "Two."])),
        json_edit(lambda v: v["glance"].__setitem__(0, "Other words, and 12 of them.")),
        json_edit(lambda v: v["definitions"].reverse()),
        in_the_first("definitions", sentence="Other words."),
        json_edit(
            lambda v: v["definitions"][0].update(sentence=v["definitions"][0]["sentence"] + " 1")
        ),
        in_the_first("samples", why="another name of the column"),
        text_edit("rows.csv", "0.5", "0.50"),
        lambda r: (r / "report/overview.html").write_text("One more page."),
        lambda r: (r / "report/forget_retain.svg").unlink(),
    ],
    ids=[
        "sentences",
        "other sentence",
        "order",
        "definition",
        "source",
        "why",
        "digits",
        "page",
        "figure",
    ],
)
def test_words_order_of_definitions_and_pages_of_another_renderer_are_free(foreign, change):
    change(foreign)
    signed_again(foreign)
    verify(foreign, trusted=TRUSTED)


def test_pages_that_this_kit_does_not_know_are_named(foreign):
    def said():
        return next(f.message for f in verify(foreign, trusted=TRUSTED).findings
                    if f.check == "pages")  # fmt: skip

    assert said().endswith("--to FOLDER")
    for name in ("award.html", "best.svg"):
        (foreign / "report" / name).write_text("Best paper.", encoding="utf-8")
    (foreign / "report" / "report.md").unlink()
    signed_again(foreign)
    assert "This kit makes no page named award.html, best.svg. A page of every" in said()
    assert said().endswith("is missing: report.md")


def test_a_formula_of_an_early_result_stays_valid():
    """Kit 0.2 and earlier wrote texts into CSV files as they were."""
    stored, made = b"label\n=1+1\n", b"label\n'=1+1\n"
    assert list(csv_faults(stored, made, raw=True)) == []
    assert list(csv_faults(stored, made, raw=False))


def crate_edit(change):
    def edit(result):
        value = json.loads((result / CRATE).read_text(encoding="utf-8"))
        change(value["@graph"])
        (result / CRATE).write_text(json.dumps(value), encoding="utf-8")

    return edit


def entity(graph, name):
    return next(each for each in graph if each["@id"] == name)


def bill_edit(change):
    def edit(result):
        value = json.loads((result / BILL).read_text(encoding="utf-8"))
        change(value["components"])
        (result / BILL).write_text(json.dumps(value), encoding="utf-8")
        graph = crate_edit(lambda g: entity(g, BILL).pop("sha256"))
        graph(result)

    return edit


METADATA = {
    "digest in the crate": (crate_edit(lambda g: entity(g, "run.json").update(sha256="0" * 64)),
                            "run.json.sha256 is 0000"),
    "file left out of the crate": (crate_edit(lambda g: g.remove(entity(g, "run.json"))),
                                   "run.json.sha256 is missing"),
    "file added to the crate": (
        crate_edit(lambda g: g.append({"@id": "best.csv", "@type": "File", "sha256": "0" * 64})),
        "best.csv.sha256 is 0.* but no signed file follows"),
    "file twice in the crate": (
        crate_edit(lambda g: g.append({"@id": "run.json", "@type": ["File"], "sha256": "0" * 64})),
        "run.json is listed twice"),
    "file in two spellings in the crate": (
        crate_edit(lambda g: g.insert(0, {"@id": "run%2Ejson", "@type": "File", "sha256": "0"})),
        "run.json is listed twice"),
    "file without a digest added to the crate": (
        crate_edit(lambda g: g.append({"@id": "best.csv", "@type": "File"})),
        "best.csv.sha256 is None, but no signed file follows"),
    "no graph": (lambda r: (r / CRATE).write_text("{}"), "it has no @graph"),
    "package in the SBOM": (bill_edit(lambda c: c[1].update(version="9")), "numpy: 9, run.json"),
    "package twice": (bill_edit(lambda c: c.append(c[1])), "numpy is listed twice"),
    "steps of a card": (lambda r: edit_json(r / CARD, steps=4), "card.json says something else"),
    "card of a list": (lambda r: (r / CARD).write_text("[]"), "card.json cannot be used"),
}  # fmt: skip


@pytest.mark.parametrize("name", METADATA)
def test_digests_packages_and_cards_are_checked_whoever_wrote_them(foreign, name):
    change, reason = METADATA[name]
    change(foreign)
    sign(foreign, key=KEY)
    refused(foreign, reason)


def test_wording_of_crate_and_cards_is_free_where_another_renderer_wrote_them(foreign):
    crate_edit(lambda g: entity(g, "run.json").update(description="The run."))(foreign)
    readme = (foreign / CARD).with_name("README.md")
    readme.write_text("# An adapter\n")
    digest = sha256_file(readme)
    name = readme.relative_to(foreign).as_posix()
    crate_edit(lambda g: entity(g, name).update(sha256=digest))(foreign)
    sign(foreign, key=KEY)
    verify(foreign, trusted=TRUSTED)


def test_reasons_of_rows_and_verdicts_may_be_worded_by_another_version(foreign):
    rows = pd.read_parquet(foreign / "rows.parquet")
    empty = rows["reason"] != ""
    assert empty.any()
    rows.loc[empty, "reason"] = "nothing to measure"
    rows.to_parquet(foreign / "rows.parquet", index=False)
    claims = json.loads((foreign / "claims.json").read_text(encoding="utf-8"))
    for claim in claims["claims"]:
        claim["reason"] = claim["reason"] and "for another reason"
    (foreign / "claims.json").write_text(json.dumps(claims), encoding="utf-8")
    write_report(foreign)
    signed_again(foreign)
    verify(foreign, trusted=TRUSTED)
