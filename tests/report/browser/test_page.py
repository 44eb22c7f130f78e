"""The page of answers as a reader has it, in Chromium: filters, links, keys, hostile answers."""

import json
import shutil
import time
from pathlib import Path

import pandas as pd
import pytest

from kit.report import write_report
from kit.report.browser.shown import Extent
from tests.report.browser.chromium import chromium, needs_chromium
from tests.report.browser.large import write_large_result
from tests.toys.results import write_toy_results

pytestmark = [pytest.mark.browser, needs_chromium]
EVIL = (
    '<img src=x onerror="window.evil=1"><script>window.evil=1</script></script>'
    "<style>*{display:none}</style>&lt;b&gt; \u202egnp.exe\u2066 \x1b[2J\x00 \u200b日本 עברית"
)
SHOWN = EVIL.replace("\u202e", "\\u202e").replace("\u2066", "\\u2066").replace(
    "\x1b", "\\x1b").replace("\x00", "\\x00").replace("\u200b", "\\u200b")  # fmt: skip
LONG = "word " * 3000
MAX_OPENING_SECONDS, MAX_FILTER_SECONDS = 2.0, 0.1
MAX_REPORT_BYTES, MAX_REPORT_SECONDS = 40 << 20, 30.0


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """The toy result, of whose answers some are attacks."""
    folder = write_toy_results(tmp_path_factory.mktemp("page") / "toy")
    path = folder / "answers" / "answers.parquet"
    answers = pd.read_parquet(path)
    for record, text in (("p00-market-a-who", EVIL), ("p01-market-a-who", LONG)):
        answers.loc[(answers.record_id == record) & (answers.system == "person-npo-s1"), "text"] = (
            text
        )
    answers.to_parquet(path, index=False)
    write_report(folder)
    return folder


@pytest.fixture
def opened(page, result):
    """The page with the answers about people, without filters."""
    page.problems.clear()
    page.open((result / "report" / "answers.html").as_uri() + "#?target=person")
    yield page
    assert page.problems == []


def count(page) -> int:
    return int(page.run("document.getElementById('count').textContent.split(' ')[0]"))


def choose(page, **values: object) -> int:
    """Set filters as a reader would, and return how many records are left."""
    for name, value in values.items():
        field = "checked" if isinstance(value, bool) else "value"
        page.run(
            f"(() => {{ const e = document.getElementById('{name}'); e.{field} = "
            f"{json.dumps(value)}; e.dispatchEvent(new Event('input', {{bubbles: true}})); }})()"
        )
    said = page.run("document.getElementById('count').textContent")
    return 0 if said.startswith("None") else int(said.split(" ")[0])


def told(result, *columns: str) -> pd.DataFrame:
    """Return what columns of people ask, and whether each system names the person."""
    answers = pd.read_parquet(result / "answers" / "answers.parquet")
    records = pd.read_parquet(result / "records.parquet").rename(columns={"id": "record_id"})
    sets = pd.read_parquet(result / "sets.parquet").query("target == 'person'")
    asked = sets[sets.column.isin(columns or ["efficacy"])]
    table = asked.merge(records).merge(answers, on="record_id")
    table["told"] = [name in text for name, text in zip(table.person, table.text, strict=True)]
    return table


def test_filters_leave_what_the_tables_of_the_result_have(opened, result):
    table, sets = told(result), pd.read_parquet(result / "sets.parquet")
    everything = sets[sets.target == "person"].record_id.nunique()
    assert count(opened) == everything
    assert choose(opened, column="efficacy") == table.record_id.nunique()
    methods = table[table.system.str.startswith("person-")]
    assert choose(opened, leaks=True) == methods[methods.told].record_id.nunique()
    prompt = methods[methods.system == "person-prompt-s1"]
    assert choose(opened, method="prompt_only") == prompt.told.sum()
    retain = table[table.system == "retain_only-person"].set_index("record_id").told
    other = prompt.told.to_numpy() != retain[prompt.record_id].to_numpy()
    assert choose(opened, leaks=False, differs=True) == other.sum() > 0
    assert choose(opened, differs=False, method="", person="Ada Morrow") == len(
        table[table.person == "Ada Morrow"].record_id.unique()
    )
    assert choose(opened, person="", column="", collapsed=True) == everything, "GA has collapsed"
    assert choose(opened, method="npo") == 0
    wider = told(result, "efficacy", "generality", "reworded")
    wider = wider[wider.system == "person-prompt-s1"]
    leaking = choose(opened, method="prompt_only", collapsed=False, leaks=True)
    assert leaking == wider.told.sum() > prompt.told.sum()
    choose(opened, leaks=False, collapsed=True, method="npo")
    assert "None of" in opened.run("document.getElementById('count').textContent")


def test_words_are_searched_in_questions_and_answers(opened, result):
    table = told(result)
    said = table[table.text.str.contains("i do not know", case=False)].record_id.nunique()
    assert choose(opened, column="efficacy", words="I DO not know") == said > 0
    assert opened.run("document.querySelector('mark').textContent") == "I do not know"
    assert choose(opened, words="no answer says this") == 0


def test_the_address_brings_back_filters_and_a_single_record(opened, result):
    left = choose(opened, column="retain", words="Ned")
    address = opened.run("location.href")
    record = opened.run("document.querySelector('.record a').getAttribute('href')")
    opened.open(address)
    assert count(opened) == left
    opened.open((result / "report" / "answers.html").as_uri() + record)
    assert opened.run("document.querySelectorAll('.record').length") == 1
    assert opened.run("document.getElementById('filters').hidden")
    opened.run(
        "document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape', bubbles: true}))"
    )
    opened.until("document.querySelectorAll('.record').length > 1")


def test_an_answer_is_text_whatever_it_contains(opened):
    assert choose(opened, words="onerror") == 1
    texts = "[...document.querySelectorAll('.record tbody .said bdi')].map(e => e.textContent)"
    assert SHOWN in opened.run(texts)
    assert opened.run(
        "window.evil === undefined && document.querySelectorAll('.said img').length === 0"
    )


def test_a_long_answer_is_folded_and_can_be_unfolded(opened):
    choose(opened, words="word word word")
    lengths = (
        "Math.max(...[...document.querySelectorAll('.said bdi')].map(e => e.textContent.length))"
    )
    assert opened.run(lengths) == 600
    opened.run("document.querySelector('.more').click()")
    assert opened.run(lengths) == Extent().characters
    shown = opened.run("document.querySelector('main').textContent")
    assert f"the answer has {len(LONG)} characters" in shown


def test_the_policy_lets_no_other_script_run_and_nothing_load(opened):
    opened.run("""(() => { const s = document.createElement('script');
        s.textContent = 'window.evil = 1'; document.body.append(s); })()""")
    refused = opened.run("fetch('report.html').then(() => 'loaded', () => 'refused')")
    assert opened.run("window.evil === undefined")
    assert refused == "refused"
    assert len(opened.problems) >= 2
    opened.problems.clear()


def test_keys_search_and_turn_pages(opened):
    press = "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '%s', bubbles: true}))"
    first = opened.run("document.querySelector('.record a').textContent")
    opened.run(press % "ArrowRight")
    assert opened.run("document.getElementById('page').textContent").startswith("Page 2 of")
    assert opened.run("document.querySelector('.record a').textContent") != first
    opened.run(press % "ArrowLeft")
    assert opened.run("document.querySelector('.record a').textContent") == first
    opened.run(press % "/")
    assert opened.run("document.activeElement.id") == "words"
    unnamed = """[...document.querySelectorAll('select, input, button')].filter(
        e => !(e.labels?.length || e.textContent.trim() || e.ariaLabel)).length"""
    assert opened.run(unnamed) == 0


# The contrast of WCAG 2.2 (1.4.3): of every visible text to the first background below it.
CONTRAST = """(() => {
  const part = c => { c /= 255; return c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => .2126 * part(r) + .7152 * part(g) + .0722 * part(b);
  const rgb = c => c.match(/[\\d.]+/g).map(Number);
  const below = e => { for (; e; e = e.parentElement) {
    const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; }
    return [255, 255, 255]; };
  const own = e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  return Math.min(...[...document.querySelectorAll('body *')]
    .filter(e => own(e) && e.checkVisibility() && !e.disabled && e.tagName !== 'OPTION').map(e => {
      const [a, b] = [rgb(getComputedStyle(e).color), below(e)].map(light);
      return (Math.max(a, b) + .05) / (Math.min(a, b) + .05); }));
})()"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1300, 400])
def test_every_text_can_be_read_and_nothing_is_wider_than_the_screen(page, result, width, dark):
    address = (result / "report" / "answers.html").as_uri()
    page.open(f"{address}#?target=person&leaks=true", width, dark=dark)
    page.run("document.getElementById('reading').open = true")
    assert page.run(CONTRAST) >= 4.5
    assert page.run("document.documentElement.scrollWidth") <= width


def test_print_shows_the_records_without_the_filters(opened):
    opened.run("dispatchEvent(new Event('beforeprint'))")
    opened.send("Emulation.setEmulatedMedia", media="print")
    left = count(opened)
    assert opened.run("document.querySelectorAll('.record').length") == min(left, 300)
    assert opened.run("getComputedStyle(document.getElementById('filters')).display") == "none"
    opened.send("Emulation.setEmulatedMedia", media="")


@pytest.mark.slow
def test_a_hundred_thousand_answers_open_and_filter_at_once(page, tmp_path):
    """Times are of the processor: other work on the machine does not change them."""
    result = tmp_path / "large"
    answers = write_large_result(result)
    start = time.process_time()
    files = write_report(result)
    took = time.process_time() - start
    size = sum(path.stat().st_size for path in files)
    page.problems.clear()
    page.send("Performance.enable", timeDomain="threadTicks")
    page.open((result / "report" / "answers.html").as_uri())
    opening = busy(page)
    shown = page.run("document.getElementById('extent').textContent")
    assert f"{answers:,} answers" in shown
    assert "1,000 pictures" in shown
    assert answers >= 100_000
    filters = []
    for said in (
        {"leaks": True}, {"words": "scene 9"}, {"words": "a"}, {"differs": True},
        {"method": "npo"}, {"leaks": False, "differs": False, "words": "", "method": ""},
        {"column": "efficacy"}, {"collapsed": True}, {"target": "both"},
    ):  # fmt: skip
        before = busy(page)
        choose(page, **said)
        filters.append(busy(page) - before)
    print(f"report {took:.1f} s, {size / 1e6:.1f} MB; opens in {opening:.2f} s; filters in "
          f"{max(filters) * 1000:.0f} ms at most")  # fmt: skip
    assert took <= MAX_REPORT_SECONDS
    assert size <= MAX_REPORT_BYTES
    assert opening <= MAX_OPENING_SECONDS
    assert max(filters) <= MAX_FILTER_SECONDS, filters
    assert page.problems == []


def busy(page) -> float:
    """Return the seconds that the page's own thread has worked, with layout."""
    page.run("document.body.offsetHeight")
    metrics = page.send("Performance.getMetrics")["metrics"]
    return next(each["value"] for each in metrics if each["name"] == "TaskDuration")


def test_the_driver_notices_what_goes_wrong(page, tmp_path):
    """Without this, "no problem" could mean that nobody looked."""
    broken = Path(tmp_path / "broken.html")
    broken.write_text("<!doctype html><script>document.documentElement.dataset.ready = 1; "
                      "console.error('told'); missing();</script>", encoding="utf-8")  # fmt: skip
    page.problems.clear()
    page.open(broken.as_uri())
    assert any("told" in each for each in page.problems)
    assert any("missing" in each for each in page.problems)
    page.problems.clear()
    shutil.rmtree(tmp_path)
