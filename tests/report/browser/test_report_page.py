"""The page of a report as a reader has it, in Chromium: wide and narrow, light and dark."""

import pytest

from kit.report import write_report
from tests.report.browser.chromium import chromium, needs_chromium
from tests.toys.odd_results import EVIL, LONG, write_odd_result
from tests.toys.results import write_toy_results

pytestmark = [pytest.mark.browser, needs_chromium]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = write_toy_results(tmp_path_factory.mktemp("page") / "toy")
    write_report(folder)
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        page.address = (folder / "report" / "report.html").as_uri()
        yield page


# Of tables: cells whose first one, which stays in place, hides a number beside it.
HIDDEN = """
  [...document.querySelectorAll('.wide')].flatMap((wide) => {
    const range = document.createRange();
    const heads = wide.querySelectorAll('tbody > tr > th:first-child:not([colspan])');
    return [...heads].filter((head) => {
      range.selectNodeContents(head);
      return range.getBoundingClientRect().right > head.getBoundingClientRect().right + 1
        || head.getBoundingClientRect().width > wide.clientWidth / 2;
    }).map((head) => head.textContent.slice(0, 60));
  })
"""


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """Results without a method, with fifty, and with labels and answers of a stranger."""
    folder = tmp_path_factory.mktemp("odd")
    labels = {
        "none": [],
        "fifty": [f"Method {number}" + " of a sweep" * (number % 3) for number in range(50)],
        "strange": [EVIL, LONG, "L" * 150, "Retain fine-tuning"],
    }
    return {
        name: write_odd_result(folder / name, each, answer=EVIL + LONG if name == "strange" else "")
        for name, each in labels.items()
    }


@pytest.mark.parametrize("width", [1300, 400])
@pytest.mark.parametrize("name", ["none", "fifty", "strange"])
def test_odd_results_fit_their_window_and_no_label_covers_a_number(page, odd, name, width):
    page.problems.clear()
    page.send("Emulation.setDeviceMetricsOverride", width=width, height=900,
              deviceScaleFactor=1, mobile=width < 600)  # fmt: skip
    for file in ("report.html", "answers.html"):
        page.send("Page.navigate", url="about:blank")
        page.send("Page.navigate", url=(odd[name] / "report" / file).as_uri())
        page.until("document.readyState === 'complete' && !!document.querySelector('h1')")
        page.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        if file == "answers.html":
            page.until("!!document.querySelector('.record')")
        assert page.run("document.documentElement.scrollWidth") <= width, file
        assert page.run(HIDDEN) == [], file
        assert page.run("window.evil === undefined"), file
    assert page.problems == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1300, 400])
def test_the_page_fits_its_window_and_breaks_no_rule_of_its_policy(page, width, dark):
    page.problems.clear()
    page.send("Emulation.setDeviceMetricsOverride", width=width, height=900,
              deviceScaleFactor=1, mobile=width < 600)  # fmt: skip
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    page.send("Emulation.setEmulatedMedia", features=[scheme])
    page.send("Page.navigate", url=page.address)
    page.until("document.readyState === 'complete' && document.title.startsWith('Toy')")
    page.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.run("document.documentElement.scrollWidth") <= width, "only tables scroll"
    assert page.run("document.querySelectorAll('svg').length") == 8, (
        "a plane and a list for each part"
    )
    behind = page.run("getComputedStyle(document.body).backgroundColor")
    assert behind == ("rgb(20, 24, 31)" if dark else "rgb(255, 255, 255)")
    assert page.problems == []
