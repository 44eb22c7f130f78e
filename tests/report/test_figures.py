"""Figures: crowded markers stay apart, charts show what they are given, colours can be read."""

import math
import re
import xml.etree.ElementTree as ElementTree
from itertools import combinations

import pytest

from kit.benchmarks.records import Column
from kit.report.cells import Cell, Slot
from kit.report.curves import loss_chart, relearning_chart
from kit.report.damage import Damage
from kit.report.drawing import STYLES, css
from kit.report.figure import APART, LEFT, RADIUS, SIDE, TOP, make_panels, trade_off
from kit.report.pages import TEMPLATES, svg_file
from kit.report.tables import Line, Table
from kit.result.losses import MOST_POINTS, curve_of, curves_of
from tests.toys.results import PROTOCOL

SLOTS = tuple(Slot("person", "person", c, PROTOCOL) for c in (Column.EFFICACY, Column.RETAIN))
NAMES = ("efficacy", "retain")


def table(points):
    """Return a table of methods with (forgotten, kept); the first line is Vanilla."""
    lines = [
        Line("vanilla" if not n else f"m{n}", f"Method {n}", "" if n else "bound",
             tuple(Cell(slot, value, low=value, high=value) for slot, value in
                   zip(SLOTS, point, strict=True)), Damage())
        for n, point in enumerate(points)
    ]  # fmt: skip
    return Table("table1", "Table 1. People", SLOTS, tuple(lines))


def test_thirty_methods_in_one_corner_are_all_seen_and_lead_to_their_point():
    (panel,) = make_panels([table([(0.0, 1.0)] + [(1.0, 1.0)] * 31)])
    places = [spot.place for spot in panel.spots]
    assert all(math.dist(a, b) >= APART - 0.1 for a, b in combinations(places, 2))
    for x, y in places:
        assert LEFT + RADIUS <= x <= LEFT + SIDE - RADIUS
        assert TOP + RADIUS <= y <= TOP + SIDE - RADIUS
    assert len({spot.point for spot in panel.spots[1:]}) == 1
    assert [spot.sign for spot in panel.spots] == ["V", *map(str, range(1, 32))]
    lines = [shape for shape in panel.plane.shapes if shape.style == "tether"]
    assert len(lines) == 30, "one marker of the 31 stands at the point itself"
    assert {line.points[0] for line in lines} == {panel.spots[1].point}


def test_a_method_that_stands_alone_is_not_moved():
    (panel,) = make_panels([table([(0.0, 1.0), (0.5, 0.5), (1.0, 0.25)])])
    assert all(spot.place == spot.point for spot in panel.spots)
    half = panel.spots[1].point
    assert half == (LEFT + SIDE / 2, TOP + SIDE / 2)


def test_the_figure_is_an_svg_of_its_own_and_names_every_value_for_those_who_do_not_see_it():
    figure = ElementTree.fromstring(svg_file(trade_off([table([(0.0, 1.0), (0.5, 0.75)])])))
    assert figure.get("role") == "img"
    (panel,) = make_panels([table([(0.0, 1.0), (0.5, 0.75)])])
    assert "Method 1 50.0 and 75.0" in panel.plane.alt


def test_a_loss_curve_has_the_means_of_equal_stretches_of_steps():
    data = b"".join(b'{"loss": %d, "step": %d}\n' % (n, n) for n in range(1, 161))
    curve = curve_of(data)
    assert len(curve) == MOST_POINTS
    assert curve[0] == (2, 1.5)
    assert curve[-1] == (160, 159.5)
    assert curve_of(b'{"loss": 0.5}\n{"loss": -3}\n') == ((1, 0.5), (2, -3.0))


@pytest.mark.parametrize(
    "data",
    [b"", b"\x1b[2J\n", b'{"loss": "low"}\n', b'{"loss": true}\n', b'{"loss": NaN}\n', b"[1]\n",
     b'{"loss": 1}\n{"step": 2}\n', b'{"loss": 1e999}\n'],
)  # fmt: skip
def test_what_is_no_list_of_losses_has_no_curve(data):
    assert curve_of(data) == ()
    assert curves_of({"adapters/a/losses.jsonl": data, "run.json": b"{}"}) == {}


def test_charts_name_their_range_and_draw_one_line_for_each_seed():
    chart = loss_chart([((1, 4.0), (60, -1e6)), ((1, 2.0), (60, 0.5))])
    assert "between -1e+06 and 4" in chart.alt
    assert [shape.style for shape in chart.shapes].count("curve") == 2
    flat = loss_chart([((1, 2.0),)])
    assert all(math.isfinite(x) and math.isfinite(y) for s in flat.shapes for x, y in s.points)


def test_a_relearning_chart_begins_without_the_attack():
    chart = relearning_chart("Relearning", [(0.0, 0.0), (0.5, 0.25), (1.0, 1.0)], [(0.0, 0.0)])
    (own,) = [shape for shape in chart.shapes if shape.style == "curve"]
    (x0, y0), (x1, y1), (x2, y2) = own.points
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert (y0 - y1) / (y0 - y2) == pytest.approx(0.25, abs=0.01)
    assert "25 % at 0.5" in chart.alt
    texts = [shape.text for shape in chart.shapes if shape.kind == "text"]
    assert texts[0] == "Relearning: known, %"
    assert chart.alt.endswith("; the dashed line is Retain-only")
    assert [shape.style for shape in chart.shapes if shape.kind == "path"] == ["control", "curve"]
    assert STYLES["control"].dashes != (0, 0)
    assert STYLES["curve"].dashes == (0, 0)


def luminance(colour):
    """Return the relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_texts_of_pages_and_figures_have_the_contrast_of_wcag_aa(theme):
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    root = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[theme]
    colours = dict(re.findall(r"--(\w+): (#\w+)", root))
    colours = {k: v if len(v) == 7 else "#" + "".join(2 * c for c in v[1:])
               for k, v in colours.items()}  # fmt: skip
    pairs = [("ink", "page"), ("ink", "tint"), ("soft", "page"), ("soft", "tint"),
             ("accent", "page"), ("accent", "tint"), ("lostink", "lost"), ("lostink", "tint"),
             ("heldink", "held"), ("page", "lostink")]  # fmt: skip
    for text, behind in pairs:
        assert contrast(colours[text], colours[behind]) >= 4.5, (text, behind)
    for name in ("text", "title", "dim", "losttext", "number"):
        assert contrast(STYLES[name].fill[theme], colours["page"]) >= 4.5, name
    for name in ("sound", "damaged"):
        assert contrast(STYLES["inverse"].fill[theme], STYLES[name].fill[theme]) >= 4.5, name


def test_a_figure_for_paper_has_no_dark_colours():
    assert "prefers-color-scheme" in css()
    assert "prefers-color-scheme" not in css(dark=False)
