"""`compare --html` writes what `compare` prints as one page, and breaks no result."""

import json
import re
from html import unescape

import pytest

from kit.cli.entry import main
from kit.comparison.compare import compare
from kit.comparison.page import comparison_page
from kit.report.claims import in_percent
from kit.result.stored import read_result
from tests.toys.signed_result import write_result


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    return write_result(folder / "mine"), write_result(folder / "theirs")


def run(*arguments: object) -> int:
    try:
        main([str(each) for each in arguments])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_the_page_has_each_claim_with_its_verdict_and_values(results):
    found = compare(*(read_result(each, pages=False) for each in results))
    page = comparison_page(found, ("mine", "theirs"))
    assert found.reproduced is False
    assert "<h1>A does not reproduce B</h1>" in page
    rows = re.findall(r"<strong>(.*?)</strong> <span[^>]*>(.*?)</span> <bdi>.*?</td>"
                      r"<td>(.*?)</td><td>(.*?)</td>", page)  # fmt: skip
    assert [row[:2] for row in rows] == [(c.claim.id, str(c.outcome)) for c in found.claims]
    for row, claim in zip(rows, found.claims, strict=True):
        share = 100 if in_percent(claim.claim.metric) else 1
        for shown, value in zip(row[2:], (claim.value, claim.reference), strict=True):
            known = shown if value is None else float(shown)
            assert known == ("-" if value is None else pytest.approx(share * value, abs=0.05))
        assert unescape(claim.claim.text) in unescape(page)


def test_a_stranger_s_texts_are_text_and_nothing_is_loaded(results):
    found = compare(*(read_result(each, pages=False) for each in results))
    page = comparison_page(found, ("<script>x</script>\u202e", 'a" onload="x'))
    assert "<script" not in page
    assert "\u202e" not in page
    assert not re.search(r"<(link|img|iframe)\b| on\w+=\"| src=", page)
    assert "default-src 'none'" in page


def test_the_verb_writes_the_page_beside_what_it_prints(results, tmp_path, capsys):
    file = tmp_path / "page.html"
    assert run("compare", *results, "--html", file) == 1, "as without a page"
    said = capsys.readouterr()
    assert "A does not reproduce B" in said.out
    assert "mine</code>" in file.read_text(encoding="utf-8")
    assert run("compare", *results, "--html", file) == 7
    assert "exists" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["compare", "board", "report"])
def test_a_page_that_cannot_be_written_is_refused_before_the_work(results, tmp_path, capsys, verb):
    (tmp_path / "file").touch()
    page = tmp_path / "file" / "page.html"
    words = {
        "compare": [*results, "--html", page],
        "board": [results[0], "--reference", results[1], "--to", page],
        "report": [results[0], "--to", page],
    }
    assert run(verb, *words[verb], "--json") in (2, 7), "no other verb than compare has --json"
    assert run(verb, *words[verb]) == 7
    *_, event = capsys.readouterr().out.splitlines()
    assert json.loads(event)["id"] in ("PE-0701", "PE-0207")
    assert run(verb, *words[verb]) == 7
    said = capsys.readouterr().err
    assert f"{page} cannot be written" in said
    assert f"found: {tmp_path / 'file'}: Not a directory" in said
    assert "checking" not in said, "no work was done"


def test_no_page_is_put_into_a_result(results, capsys):
    inside = results[0] / "report" / "page.html"
    assert run("compare", *results, "--html", inside) == 7
    assert "would break the result's signature" in capsys.readouterr().err
    assert not inside.exists()
