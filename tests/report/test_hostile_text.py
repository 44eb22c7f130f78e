"""What a stranger wrote reaches no terminal, spreadsheet or browser as more than text."""

import csv
import io
import json
import re
import unicodedata
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from transformers.utils import logging as transformers_logging

from kit.cli.entry import main
from kit.names import printable, show
from kit.report.csv_cells import csv_cell
from kit.report.pages import markdown_cell
from kit.verification.csv_numbers import same_cell
from tests.toys.dataset import TOY
from tests.toys.signed_result import remake, write_result

EVIL = "\x1b[2J\x00\x9b31m\u202egnp.exe\u2066\u200bok\x7f"
LINKS = "see https://evil.example or www.evil.example, @octocat <b>x</b> [a](b) a@b.example"
RAW = {"Cc", "Cf", "Cs", "Co"}


def raw(text: str) -> set[str]:
    """Return the characters that a terminal or browser acts on, but line breaks and tabs."""
    return {c for c in text if unicodedata.category(c) in RAW and c not in "\n\t"}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    """A result whose title, labels, answers, claims, origins and environment are attacks."""
    result = write_result(tmp_path_factory.mktemp("hostile") / "tiny")
    path = result / "run.json"
    run = json.loads(path.read_text(encoding="utf-8"))
    said = f"{LINKS} {EVIL}"
    run["manifest"]["title"] = said
    run["manifest"]["claims"][0] |= {"text": f"=cmd {EVIL} {LINKS}", "location": f"@x {EVIL}"}
    for system in run["systems"]:
        system["label"] = f"=cmd|'/c calc'!A1 {EVIL} {system['label']}"
    run["manifest"]["methods"][0]["label"] = run["systems"][1]["label"]
    for source in run["sources"]:
        source |= {"origin": said, "licence": said}
    run["environment"] |= {"cpu": said}
    path.write_text(json.dumps(run), encoding="utf-8")
    answers = pd.read_parquet(result / "answers" / "answers.parquet")
    answers["text"] = f"+1 {EVIL} {LINKS}"
    answers.to_parquet(result / "answers" / "answers.parquet", index=False)
    return remake(result)


def written(hostile: Path) -> list[Path]:
    pages = [*(hostile / "report").iterdir(), *hostile.glob("adapters/*/README.md")]
    return [path for path in pages if path.suffix != ".json"]


def test_no_page_or_table_has_a_character_that_acts(hostile):
    assert len(written(hostile)) >= 8
    for path in written(hostile):
        assert raw(path.read_text(encoding="utf-8")) == set(), path.name
    assert r"\\x1b\[2J" in (hostile / "report" / "report.md").read_text(encoding="utf-8")


def test_no_cell_is_a_formula(hostile):
    for path in (hostile / "report").glob("*.csv"):
        for line in csv.reader(io.StringIO(path.read_text(encoding="utf-8"))):
            for cell in line:
                assert cell[:1] not in ("=", "+", "-", "@") or re.fullmatch(r"-?[\d.e-]+", cell)


def test_markdown_makes_no_link_and_no_mention(hostile):
    for path in [hostile / "report" / "report.md", *hostile.glob("adapters/*/README.md")]:
        text = path.read_text(encoding="utf-8")
        _, _, body = text.partition("\n# ")
        outside_code = re.sub(r"`[^`\n]*`", "", body)
        assert not re.search(r"https?://evil|www\.evil|(?<!\\)@octocat|a@b", outside_code), path
        assert "<b>" not in outside_code


def test_the_page_may_load_and_run_nothing_and_isolates_answers(hostile):
    page = (hostile / "report" / "report.html").read_text(encoding="utf-8")
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert not re.search(r"<(script|img|link|iframe|object|form|b)\b| on\w+=| src=", page)
    for text in re.findall(r"<bdi>(.*?)</bdi>", page, re.DOTALL):
        assert "<" not in text
    answers = page[page.index('id="samples"') :]
    assert answers.count("<bdi>") == answers.count("</bdi>") > 5


@pytest.mark.parametrize(
    ("cell", "right"),
    [
        ("=1+1", "'=1+1"), ("+HYPERLINK(1)", "'+HYPERLINK(1)"), ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"), ("\tx", "'\tx"), ("-0.5", "-0.5"), ("+1e-3", "+1e-3"),
        ("-", "'-"), ("NPO", "NPO"), ("\u202e=x", "\\u202e=x"),
        ("", ""), (None, None), (-1.5, -1.5),
    ],
)  # fmt: skip
def test_a_cell_is_safe_and_stays_as_it_is_when_it_passes_again(cell, right):
    assert csv_cell(cell) == right
    assert csv_cell(csv_cell(cell)) == right


def test_a_formula_in_an_old_result_still_compares():
    assert same_cell("label", "=cmd", csv_cell("=cmd"), raw=True)
    assert not same_cell("label", "=cmd", csv_cell("=other"), raw=True)
    assert not same_cell("label", "=cmd", csv_cell("=cmd"), raw=False)
    assert same_cell("value", "-0.50", "-0.5", raw=False)


@pytest.mark.parametrize(
    ("text", "line"),
    [("café", "café"), ("a\x1b[2J", "a\\x1b[2J"), ("\x9b", "\\u009b"), ("a\nb", "a\\x0ab"),
     ("\u202eevil", "\\u202eevil"), ("\U000e0041", "\\udb40\\udc41"), ("日本", "日本")],
)  # fmt: skip
def test_an_escape_stands_for_what_would_act_and_everything_else_stays(text, line):
    assert show(text) == line
    assert show(line) == line
    assert printable(text) == (text if text == "a\nb" else line)


def test_words_of_a_cell_stay_words():
    assert markdown_cell("R&D: a_b *c* `d`\n|e|") == r"R\&D: a\_b \*c\* \`d\` \|e\|"


@pytest.mark.parametrize("verb", ["plan", "doctor"])
def test_a_title_is_one_line_on_a_terminal(tmp_path, capsys, verb):
    text = TOY.read_text(encoding="utf-8")
    title = re.search(r"^title = .*$", text, re.MULTILINE)[0]
    forged = 'title = "\\u001b[2J\\u202e\\nresult: forged"'
    (tmp_path / "mine.toml").write_text(text.replace(title, forged), encoding="utf-8")
    # `doctor` loads a model. Another test may have imported transformers, with its bars, before.
    transformers_logging.disable_progress_bar()
    with suppress(SystemExit):
        main([verb, str(tmp_path / "mine.toml")])
    said = capsys.readouterr()
    assert raw(said.out + said.err) == set()
    assert "\nresult: forged" not in said.out
