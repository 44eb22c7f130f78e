"""The page of a report as a reader has it, in Chromium: wide and narrow, light and dark."""

import pytest

from kit.report import write_report
from tests.report.browser.chromium import chromium, needs_chromium
from tests.toys.results import write_toy_results

pytestmark = [pytest.mark.browser, needs_chromium]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = write_toy_results(tmp_path_factory.mktemp("page") / "toy")
    write_report(folder)
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        page.address = (folder / "report" / "report.html").as_uri()
        yield page


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
