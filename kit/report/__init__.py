"""From a result folder to its report: a pure function of the stored files."""

from pathlib import Path

from kit.digests import canonical_json
from kit.names import printable
from kit.report.attack_grid import attack_drawing, attack_files, make_grids
from kit.report.claims import claims_csv
from kit.report.contents import REPEATED_LINES, Contents, read_contents
from kit.report.csv_cells import csv_frame
from kit.report.drawing import Drawing
from kit.report.figure import trade_off
from kit.report.pages import render, render_answers, svg_file, table_csv
from kit.report.tables import part_titles
from kit.report.whole_csv import whole_files

__all__ = ["figures", "number_files", "page_files", "write_files", "write_report"]


def write_report(results: Path) -> list[Path]:
    """Write `results`/report and return its files, sorted.

    Reads run.json, claims.json, rows.parquet and the answers; imports neither torch nor vllm. The
    same inputs give the same bytes: nothing in a report depends on the clock, the machine or the
    folder.

    Raises:
        MissingStageError: `evaluate` has not finished for this result.
        DataError: the stored answers do not fit the stored records and sets.
    """
    contents = read_contents(results)
    folder = results / "report"
    folder.mkdir(exist_ok=True)
    return write_files(contents, folder)


def write_files(contents: Contents, folder: Path) -> list[Path]:
    """Write all files of a report into an existing folder, and return them, sorted."""
    files = number_files(contents) | page_files(contents)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return sorted(folder / name for name in files)


def number_files(contents: Contents) -> dict[str, bytes]:
    """Return {name: bytes} of the files for programs: report.json, and every table as CSV."""
    texts = {
        "report.json": printable(canonical_json(contents.as_json()).decode()) + "\n",
        "rows.csv": csv_frame(contents.rows).to_csv(index=False, lineterminator="\n"),
        **{f"{table.name}.csv": table_csv(table) for table in contents.tables},
    }
    if contents.facts["claims"]:
        texts["claims.csv"] = claims_csv(contents.facts["claims"])
    if "whole" in contents.facts:
        repeated = contents.schema == REPEATED_LINES
        texts |= whole_files(contents.facts["whole"], repeated=repeated)
    if "attacks" in contents.facts:
        texts |= attack_files(contents.facts["attacks"])
    return {name: text.encode() for name, text in texts.items()}


def page_files(contents: Contents) -> dict[str, bytes]:
    """Return {name: bytes} of the files for people: the page as HTML and Markdown, the figures."""
    return {
        **{f"{name}.svg": svg_file(each).encode() for name, each in figures(contents).items()},
        "answers.html": render_answers(contents).encode(),
        "report.html": render("report.html.j2", contents).encode(),
        "report.md": render("report.md.j2", contents).encode(),
    }


def figures(contents: Contents) -> dict[str, Drawing]:
    """Return {name: figure} of the figures of a report that are files of their own."""
    found = {"forget_retain": trade_off(contents.tables)}
    if "attacks" in contents.facts:
        titles = part_titles(contents.tables)
        found["attacks"] = attack_drawing(make_grids(contents.facts["attacks"], titles))
    return found
