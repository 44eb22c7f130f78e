"""The page of a report: its order, what it leaves out, and its panels of methods and of people."""

import html as escapes
import json
import re
import shutil

import pandas as pd
import pytest

from kit.metrics.rows import measure, read_inputs, rows_of
from kit.report import write_report
from kit.report.contents import read_contents
from kit.report.notes import TERMS
from tests.toys.results import PROTOCOL, write_toy_results

ORDER = [
    "found", "tables", "tradeoff", "distance", "whole", "methods", "people", "health", "samples",
    "costs", "metrics", "guards", "compare", "sources", "environment", "signature", "terms",
]  # fmt: skip


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A result that keeps the losses of two adapters."""
    folder = write_toy_results(tmp_path_factory.mktemp("page") / "toy")
    for name, first in (("person-npo-s1", 4.0), ("vanilla", 2.0)):
        own = folder / "adapters" / name
        own.mkdir(parents=True)
        lines = [json.dumps({"step": n, "loss": first / n}) for n in range(1, 61)]
        (own / "losses.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def page(toy):
    return (toy / "report" / "report.html").read_text(encoding="utf-8")


def test_the_page_begins_with_the_question_and_ends_with_the_glossary(page):
    ids = [name for name in re.findall(r'id="(\w+)"', page) if name in ORDER]
    assert ids == ORDER
    assert re.findall(r'<a href="#(\w+)">', page[page.index("<nav") :]) == ORDER[1:]
    assert set(re.findall(r'href="#(\w+)"', page)) <= set(re.findall(r'id="(\w+)"', page))


def test_the_question_is_told_in_the_numbers_of_this_result(page, toy):
    sets = pd.read_parquet(toy / "sets.parquet").query("target == 'event' and part == 'event'")
    kept = (sets.column == "retain").sum()
    asked = (sets.column == "efficacy").sum()
    assert (
        f"Forgetting events: 2 events ({asked} questions) are to be forgotten, 2 events "
        f"({kept} questions) to be kept."
    ) in page
    answers = len(pd.read_parquet(toy / "answers" / "answers.parquet"))
    assert "4 methods were tried: forgetting people, forgetting events and forgetting both" in page
    assert f"16 systems gave {answers:,} answers." in page


def test_only_methods_without_a_mark_are_called_near_to_retain_only(page):
    near = re.findall(
        r"<li>Table 1, forgetting people: of the methods without a mark, (.*?)</li>", page
    )
    assert near == ["nearest to Retain-only over all columns (mean distance in points): NPO 0.0."]


def test_the_words_that_puzzled_readers_are_in_the_glossary():
    words = " ".join(TERMS).lower()
    for word in ("cluster", "resampled", "detectable", "canary", "agreement", "equivalence",
                 "governed", "headline"):  # fmt: skip
        assert word in words


def test_a_target_that_was_not_run_has_no_column_and_is_named(toy, tmp_path):
    copy = shutil.copytree(toy, tmp_path / "copy")
    for name in ("rows.parquet", "sets.parquet"):
        stored = pd.read_parquet(copy / name)
        stored[stored["target"] == "person"].to_parquet(copy / name, index=False)
    write_report(copy)
    page = (copy / "report" / "report.html").read_text(encoding="utf-8")
    assert "Not run, and left out: Forgetting events." in page
    assert ">P-Eff<" in page
    assert ">E-Eff<" not in page
    assert "target: event" not in page
    text = (copy / "report" / "report.md").read_text(encoding="utf-8")
    assert "E-Eff |" not in text
    stored = json.loads((copy / "report" / "report.json").read_text(encoding="utf-8"))
    assert stored["tables"]["table1"][0]["cells"]["E-Eff"]["reason"] == "not run"


def test_a_budget_of_its_own_and_a_base_in_full_are_said_on_the_pages(toy, tmp_path):
    copy = shutil.copytree(toy, tmp_path / "copy")
    run = json.loads((copy / "run.json").read_text(encoding="utf-8"))
    entry = {"name": "npo", "label": "NPO", "rank": 4, "alpha": 4.0, "batch_size": 16}
    run["manifest"] |= {
        "unlearn": {"rank": 16, "alpha": 16.0, "batch_size": 16},
        "methods": [entry],
        "model": {"quantization": "none"},
    }
    run["guards"]["agreement"] = {
        "sample": 9, "tokens": 99, "largest_nats": 0.001, "limit_nats": 0.01
    }  # fmt: skip
    (copy / "run.json").write_text(json.dumps(run), encoding="utf-8")
    write_report(copy)
    for name in ("report.html", "report.md"):
        before = (toy / "report" / name).read_text(encoding="utf-8")
        after = (copy / "report" / name).read_text(encoding="utf-8")
        assert "NPO (rank 4 instead of 16, alpha 4 instead of 16)" in escapes.unescape(after)
        assert "budget of these methods differs" not in before
        assert "transformers, unquantised base with stacked adapters" in after
    assert "rank 4 instead of 16" in panel(
        (copy / "report" / "report.html").read_text(encoding="utf-8"), "NPO"
    )


def test_a_panel_says_how_a_method_is_trained_for_each_target_and_of_a_prompt_nothing(
    toy, tmp_path
):
    copy = shutil.copytree(toy, tmp_path / "copy")
    run = json.loads((copy / "run.json").read_text(encoding="utf-8"))
    shared = {"steps": 60, "target_steps": {"both": 120}, "learning_rate": 0.001, "stop": "never"}
    targets = ["person", "event", "both"]
    run["manifest"] |= {
        "unlearn": shared,
        "methods": [
            {"name": "npo", "label": "NPO", "method": "npo", "targets": targets},
            {"name": "ga", "label": "GA", "method": "grad_ascent", "targets": ["both"], "steps": 9},
            {"name": "prompt", "label": "Prompt only", "method": "prompt_only", "targets": targets},
        ],
    }
    (copy / "run.json").write_text(json.dumps(run), encoding="utf-8")
    write_report(copy)
    page = (copy / "report" / "report.html").read_text(encoding="utf-8")
    assert "<dt>Steps</dt><dd>60 (both: 120)</dd>" in panel(page, "NPO")
    assert "<dt>Steps</dt><dd>9</dd>" in panel(page, "GA"), "its own steps hold for all targets"
    assert not {"Steps", "Learning rate", "Stop"} & set(
        re.findall("<dt>(.*?)</dt>", panel(page, "Prompt only"))
    )


def test_a_result_of_one_system_without_gpu_is_told_in_words(toy, tmp_path):
    copy = shutil.copytree(toy, tmp_path / "copy")
    run = json.loads((copy / "run.json").read_text(encoding="utf-8"))
    run["systems"] = [each for each in run["systems"] if each["method"] == "vanilla"]
    run["environment"]["gpus"] = []
    (copy / "run.json").write_text(json.dumps(run), encoding="utf-8")
    for name in ("rows", "answers/answers"):
        rows = pd.read_parquet(copy / f"{name}.parquet")
        rows[rows.system == "vanilla"].to_parquet(copy / f"{name}.parquet", index=False)
    write_report(copy)
    page = (copy / "report" / "report.html").read_text(encoding="utf-8")
    text = (copy / "report" / "report.md").read_text(encoding="utf-8")
    assert "· 1 system</p>" in page
    assert ", 1 system." in text
    assert "<tr><th>gpus</th><td>none</td></tr>" in page
    assert "| gpus | none |" in text


def test_what_is_known_of_each_person_is_what_the_answers_say(toy):
    """By another route: names are looked for in the answers, with pandas."""
    tables = {(t.target, t.part): t for t in read_contents(toy).people}
    assert set(tables) == {("person", "person"), ("event", "event"), ("both", "person"),
                           ("both", "event")}  # fmt: skip
    people = tables["person", "person"]
    answers = pd.read_parquet(toy / "answers" / "answers.parquet")
    records = pd.read_parquet(toy / "records.parquet").rename(columns={"id": "record_id"})
    sets = pd.read_parquet(toy / "sets.parquet").query("target == 'person' and part == 'person'")
    for column, forgotten in (("efficacy", True), ("retain", False)):
        asked = sets[sets.column == column].merge(records, on="record_id")
        mine = asked.merge(answers[answers.system == "person-prompt-s1"], on="record_id")
        mine["told"] = [a in b for a, b in zip(mine.person, mine.text, strict=True)]
        told = mine.groupby("person").told.agg(["mean", "size"])
        own = {o.name: o for o in people.owners if o.forgotten is forgotten}
        assert set(own) == set(told.index)
        for name, owner in own.items():
            assert owner.known["prompt"] == pytest.approx(told.loc[name, "mean"], abs=1e-6)
            assert owner.questions == told.loc[name, "size"]


def test_a_name_leads_to_the_answers_about_it(page):
    assert 'href="answers.html#?target=person&amp;person=Ada%20Morrow">Ada Morrow</a>' in page
    assert 'href="answers.html#?target=event&amp;event=market">market</a>' in page


def panel(page, label):
    start = page.index(f'<details class="method"><summary>{label}')
    return page[start : page.index('<details class="method">', start + 9)]


def test_a_panel_has_the_loss_curve_where_losses_are_kept_and_says_where_not(page):
    assert panel(page, "NPO").count('aria-label="Loss of 1 training runs') == 1
    assert panel(page, "NPO").count("No curve: the result keeps no losses") == 2
    assert "Loss of" not in panel(page, "GA")
    assert panel(page, "Vanilla").count("Loss of 1 training runs") == 1, "one model, one curve"


def test_a_panel_names_whom_a_method_knows_least_and_most(page, toy):
    people = next(t for t in read_contents(toy).people if t.target == "person")
    shares = people.of("prompt", forgotten=True)
    text = escapes.unescape(panel(page, "Prompt only"))
    assert f"least known: {shares[0][1]} {100 * shares[0][0]:.0f} %" in text
    assert f"most known: {shares[-1][1]} {100 * shares[-1][0]:.0f} %" in text


def test_a_result_of_one_person_and_one_record_is_shown(toy, tmp_path):
    copy = shutil.copytree(toy, tmp_path / "copy")
    sets = pd.read_parquet(copy / "sets.parquet")
    mine = (sets.target == "person") & (sets.part == "person")
    one = sets[mine & (sets.column == "efficacy")].iloc[:1]
    one.to_parquet(copy / "sets.parquet", index=False)
    rows = rows_of(measure(**read_inputs(copy), protocol=PROTOCOL), draws=200, seed=0)
    rows.to_parquet(copy / "rows.parquet", index=False)
    write_report(copy)
    page = (copy / "report" / "report.html").read_text(encoding="utf-8")
    assert "No part has both columns, so there is no figure." in page
    assert "1 person (1 question) is to be forgotten" in page


def test_what_scrolls_is_reached_by_keyboard_and_has_a_name(page):
    for part in re.findall(r'<div class="wide"[^>]*>', page):
        assert 'tabindex="0"' in part
        assert re.search(r'role="region" aria-label="[^"]+"', part)
    assert len(re.findall(r"<svg [^>]*aria-label=", page)) == page.count("<svg ")
    assert page.count("<h1>") == 1
