"""The page of answers holds what the result holds, fits, and is compared by what it unpacks to."""

import base64
import json
import re
import zlib
from collections import Counter
from dataclasses import replace

import pandas as pd
import pytest

from kit.errors import VerificationError
from kit.report import page_files, write_report
from kit.report.browser.data import answer_data
from kit.report.browser.packing import packed_answers, unpacked
from kit.report.browser.shown import Extent, Shown, Stored
from kit.report.contents import read_contents
from kit.report.pages import render_answers
from kit.verification.pages import require_pages
from tests.toys.results import write_toy_results

PAGE = "report/answers.html"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = write_toy_results(tmp_path_factory.mktemp("browser") / "toy", seeds=(1, 2))
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def contents(results):
    return read_contents(results)


@pytest.fixture(scope="module")
def table(results):
    return table_of((results / PAGE).read_bytes())


def table_of(page: bytes) -> dict:
    """Return the table of a page, found without the kit."""
    (block,) = re.findall(rb'<script type="text/plain" id="data">([^<]*)</script>', page)
    return json.loads(zlib.decompress(base64.b64decode(block)))


def answers_of(table: dict) -> Counter:
    """Return how often the table has each (label, target, seed, record, text)."""
    return Counter(
        (system["label"], system["target"], system["seed"], table["records"]["id"][record], text)
        for system, own in zip(table["systems"], table["answers"], strict=True)
        for record, text in zip(
            table["asked"][own["asked"]], (table["texts"][n] for n in own["texts"]), strict=True
        )
    )


def test_every_answer_of_the_result_is_in_the_page_once(results, table):
    run = json.loads((results / "run.json").read_text(encoding="utf-8"))
    systems = {system["name"]: system for system in run["systems"]}
    several = {"npo", "ga", "po", "prompt_only"}
    answers = pd.read_parquet(results / "answers" / "answers.parquet")
    stored = Counter(
        (s["label"], s["target"], s["seed"] if s["method"] in several else None, record, text)
        for name, record, text in answers[["system", "record_id", "text"]].itertuples(index=False)
        for s in [systems[name]]
    )
    assert answers_of(table) == stored


def test_a_value_is_how_far_the_answer_names_what_is_asked(results, table):
    """Of people, by hand: an answer is known if the name is in it."""
    texts, records = table["texts"], table["records"]
    checked = Counter()
    for system, own, values in zip(
        table["systems"], table["answers"], table["values"], strict=True
    ):
        said = dict(zip(table["asked"][own["asked"]], own["texts"], strict=True))
        for place, known in values:
            column = table["columns"][place]
            if column["part"] == "person" and column["metric"] in ("forget_rate", "name_hit"):
                for record, value in zip(column["records"], known, strict=True):
                    told = records["person"][record] in texts[said[record]]
                    assert value == 100 * told, (system, records["id"][record])
                    checked[column["forgotten"]] += 1
    assert min(checked[True], checked[False]) > 100


def test_the_order_of_the_tables_of_a_result_changes_nothing(results, contents, tmp_path):
    for name in ("answers/answers", "records", "sets"):
        path = results / f"{name}.parquet"
        shuffled = pd.read_parquet(path).sample(frac=1, random_state=3)
        target = tmp_path / f"{name}.parquet"
        target.parent.mkdir(exist_ok=True)
        shuffled.to_parquet(target, index=False)
    for name in ("run.json", "rows.parquet", "answers/likelihoods.parquet"):
        (tmp_path / name).write_bytes((results / name).read_bytes())
    assert read_contents(tmp_path).answers == contents.answers


def shown(results) -> Shown:
    from kit.metrics.rows import measure, read_inputs
    from tests.toys.results import PROTOCOL

    inputs = read_inputs(results)
    return Shown(measure(**inputs, protocol=PROTOCOL), {}, Stored(inputs["records"]))


def test_a_page_that_would_be_too_large_shows_less_and_says_so(results):
    everything = shown(results)
    whole = packed_answers(everything)
    found = []
    for most in (len(whole) - 1, len(whole) // 4):
        packed = packed_answers(everything, most)
        assert len(packed) <= most
        found.append(json.loads(zlib.decompress(base64.b64decode(packed))))
    first, second = found
    assert first["left_out"] == {"systems": 12, "records": 0}, "the second seed of 3 x 4 methods"
    shown_records = len(second["records"]["id"])
    assert second["left_out"]["records"] == len(everything.stored.records) - shown_records > 0


def test_a_text_is_cut_where_it_is_longer_than_allowed_and_its_length_is_stated(results):
    data = answer_data(shown(results), Extent(characters=5))
    longer = {text for text in data["texts"] if len(text) == 5}
    assert longer
    assert data["lengths"]
    assert all(len(data["texts"][n]) == 5 < length for n, length in data["lengths"].items())


def signed(results) -> dict[str, bytes]:
    return {f"report/{path.name}": path.read_bytes() for path in (results / "report").iterdir()}


def repacked(page: bytes, change=lambda table: table, level: int = 1, more: bytes = b"") -> bytes:
    (block,) = re.findall(rb'id="data">([^<]*)</script>', page)
    table = change(zlib.decompress(base64.b64decode(block)))
    packed = base64.b64encode(zlib.compress(table, level) + more)
    assert packed != block
    return page.replace(block, packed)


def test_a_page_packed_by_another_zlib_is_the_same_page(results, contents):
    files = signed(results)
    files[PAGE] = repacked(files[PAGE])
    require_pages(contents, files)


@pytest.mark.parametrize(
    "change",
    [
        lambda page: repacked(page, lambda t: t.replace(b"This is Ned Nobody.", b"This is Ned.")),
        lambda page: repacked(page, more=b"hidden"),
        lambda page: repacked(page, lambda t: t + b" " * (64 << 20)),
        lambda page: page.replace(b'id="data">', b'id="data">!'),
        lambda page: page.replace(b"default-src 'none'", b"default-src *"),
        lambda page: page.replace(b"</script>", b"</script><script>fetch('x')</script>", 1),
    ],
    ids=["another answer", "bytes behind", "a bomb", "no base64", "another policy", "a script"],
)
def test_a_page_that_says_something_else_is_refused(results, contents, change):
    files = signed(results)
    files[PAGE] = change(files[PAGE])
    with pytest.raises(VerificationError, match="pages of the report do not follow") as refused:
        require_pages(contents, files)
    assert "answers.html" in refused.value.found


def test_a_report_without_the_page_is_refused_where_this_kit_rendered_it(results, contents):
    files = signed(results)
    del files[PAGE]
    with pytest.raises(VerificationError, match="pages of the report do not follow"):
        require_pages(contents, files)


def test_nothing_is_unpacked_beyond_the_limit():
    bomb = base64.b64encode(zlib.compress(b"0" * 1000))
    page = b'<script type="text/plain" id="data">' + bomb + b"</script>"
    assert unpacked(page, 1000).count(b"0") >= 1000
    with pytest.raises(ValueError, match="cut off, too long"):
        unpacked(page, 999)


def test_the_policy_names_the_script_and_the_style_of_the_page_and_allows_nothing_else(contents):
    import hashlib

    page = render_answers(contents)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    (script,), (style,) = (
        re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL) for tag in ("script", "style")
    )
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (script, style)
    ]
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{hashes[0]}'; style-src 'sha256-{hashes[1]}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"<(link|iframe|object|img)\b| on\w+=| style=", page.replace(script, ""))


def test_a_result_without_pictures_or_attacks_still_has_the_page(contents):
    page = page_files(replace(contents, answers=contents.answers))["answers.html"]
    table = table_of(page)
    assert table["pictures"] == []
    assert table["attacks"] == []
