"""From contents to text: Jinja2 templates for the pages, and the CSV tables."""

import base64
import csv
import hashlib
import io
import json
import re
from collections.abc import Collection
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from kit.names import printable
from kit.report import attack_grid, figure, notes
from kit.report.cells import NO_NUMBER
from kit.report.claims import printed
from kit.report.contents import Contents
from kit.report.csv_cells import csv_cell
from kit.report.drawing import Drawing, css, short
from kit.report.further import FurtherCell
from kit.report.glance import ALARMS
from kit.report.tables import Table, part_titles

# What a Markdown renderer makes a link or a mention of without any markup.
_LINKED = re.compile(r"@|://|www\.|mailto:|xmpp:", re.IGNORECASE)
TEMPLATES = Path(__file__).parent / "templates"
STYLES = ("style.css", "answers.css")
SCRIPTS = ("answers_table.js", "answers_cards.js", "answers.js")  # one script, in this order


def render(template: str, contents: Contents) -> str:
    """Return one page; Jinja2 escapes HTML, the filters `cell` and `code` escape Markdown."""
    run = set(contents.rows["target"])
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    return page(
        template,
        tables=[table.only(run) for table in contents.tables],
        distances=[table.only(run) for table in contents.distances],
        not_run=_not_run(contents, run),
        targets=[target for target in contents.facts["health"]["targets"] if target in run],
        facts=contents.facts,
        asked=contents.asked,
        alarms=ALARMS,
        intervals=contents.intervals,
        claims=[printed(entry, percent=True) for entry in contents.facts["claims"]],
        notes=notes,
        protocol=contents.protocol,
        style=Markup(style + css()),
        panels=[
            (drawn(panel.plane), drawn(panel.intervals))
            for panel in figure.make_panels(contents.tables)
        ],
        people=contents.people,
        methods=contents.panels,
        drawn=drawn,
        **_of_attacks(contents),
    )


def _not_run(contents: Contents, run: Collection[str]) -> list[str]:
    """Return the titles of the targets that a table has columns for and that were not run."""
    named = (target for table in contents.tables for target in table.targets)
    targets = contents.protocol.targets
    return [targets[target].title for target in dict.fromkeys(named) if target not in run]


def render_answers(contents: Contents) -> str:
    """Return the answer browser: one page that loads nothing and runs its own script alone."""
    style, script = (
        "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in names)
        for names in (STYLES, SCRIPTS)
    )
    return page(
        "answers.html.j2",
        facts=contents.facts,
        notes=notes,
        data=Markup(contents.answers),
        style=Markup(style), style_hash=_source_hash(style),
        script=Markup(script), script_hash=_source_hash(script),
    )  # fmt: skip


def _source_hash(text: str) -> str:
    """Return the name that a content security policy has for an inline script or style."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _of_attacks(contents: Contents) -> dict[str, object]:
    if "attacks" not in contents.facts:
        return {}
    grids = attack_grid.make_grids(contents.facts["attacks"], part_titles(contents.tables))
    removed = attack_grid.removed_note(contents.facts["manifest"])
    return {"grids": grids, "attack_svg": drawn(attack_grid.attack_drawing(grids)),
            "attack_rule": notes.ATTACK_RULES[contents.attack_rule],
            "is_marked": attack_grid.is_marked, "removed": removed}  # fmt: skip


def drawn(drawing: Drawing) -> Markup:
    """Return a figure as the SVG of a page, whose style sheet has the styles of all figures."""
    return Markup(page("drawing.svg.j2", drawing=drawing, standalone=False))


def svg_file(drawing: Drawing, *, dark: bool = True) -> str:
    """Return a figure as a file of its own, with its styles; `dark`: also those of dark pages."""
    return page("drawing.svg.j2", drawing=drawing, standalone=True, css=css(dark))


def page(template: str, **values: object) -> str:
    """Return a template filled with values.

    Raises:
        jinja2.TemplateError: the template uses a value that is missing.
    """
    return _environment().get_template(template).render(**values)


def table_csv(table: Table) -> str:
    """Return a table as CSV: one line per method, values in the units of the printed table."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["Method", *(slot.key for slot in table.slots)])
    for line in table.lines:
        cells = (line.label, *(cell.number for cell in line.cells))
        writer.writerow([csv_cell(cell) for cell in cells])
    return stream.getvalue()


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=jinja2.select_autoescape(["html.j2", "svg.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_finalize,
    )
    environment.filters |= {
        "cell": markdown_cell,
        "code": markdown_code,
        "further": further_cell,
        "short": short,
        "seconds": seconds,
        "mebibytes": lambda value: _number(value, 2**20, "{:,.0f}"),
        "count": lambda value: _number(value, 1, "{:,.0f}"),
        "p": lambda value: f"{value:.2g}" if value >= 1e-6 else "< 1e-6",
        "pretty": lambda value: json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False),
    }
    return environment


def _finalize(value: object) -> object:
    """Return a value as a page prints it: no character that a terminal or a browser would act on.

    Jinja2 calls this for every value that a template prints, before it escapes HTML.
    """
    return printable(value) if type(value) is str else value


def markdown_cell(text: object) -> str:
    """Escape text for a Markdown table: it cannot end a cell or a line, nor start markup.

    An address and an @mention become code, because renderers would make links of them.
    """
    parts = (
        markdown_code(word) if _LINKED.search(word) else _escaped(word)
        for word in printable(str(text)).split()
    )
    return " ".join(parts)


def _escaped(word: str) -> str:
    return "".join("\\" + c if c in "\\`*_~<>|[]#&" else c for c in word)


def markdown_code(text: object) -> str:
    """Return text as a code span for a Markdown table: it cannot end the span or the cell."""
    flat = " ".join(printable(str(text)).split()).replace("`", "'").replace("|", "\\|")
    return f"`{flat}`"


def further_cell(cell: FurtherCell) -> str:
    """Return a value of a further metric with its interval and its count as printed."""
    if cell["value"] is None:
        return "absent"
    text = f"{cell['value']:.3g}"
    if cell["low"] is not None and cell["high"] is not None:
        text += f" [{cell['low']:.2g}, {cell['high']:.2g}]"
    return f"{text} ({cell['n']})"


def seconds(value: float | None) -> str:
    """Return a duration: in seconds below 2 minutes, in minutes below 2 hours, else in hours."""
    if value is None:
        return NO_NUMBER
    if value < 120:
        return f"{value:.1f} s"
    return f"{value / 60:.1f} min" if value < 7200 else f"{value / 3600:.1f} h"


def _number(value: float | None, unit: float, form: str) -> str:
    return NO_NUMBER if value is None else form.format(value / unit)
