"""From a result folder to its report: a pure function of the stored files, equal byte for byte."""

from pathlib import Path

from kit.digests import canonical_json
from kit.metrics.rows import Measured
from kit.report.claims import claims_csv
from kit.report.contents import read_contents
from kit.report.pages import render, render_svg, table_csv

__all__ = ["write_report"]


def write_report(results: Path, measured: Measured | None = None) -> list[Path]:
    """Write `results`/report and return its files, sorted.

    Reads run.json, claims.json, rows.parquet and the answers; imports neither torch nor vllm. The
    same inputs give the same bytes: nothing in a report depends on the clock, the machine or the
    folder.

    Args:
        results: the result folder.
        measured: its answers and their values; without them they are read and measured here.

    Raises:
        MissingStageError: `evaluate` has not finished for this result.
        DataError: the stored answers do not fit the stored records and sets.
    """
    contents, rows = read_contents(results, measured)
    texts = {
        "report.html": render("report.html.j2", contents),
        "report.md": render("report.md.j2", contents),
        "report.json": canonical_json(contents.as_json()).decode() + "\n",
        "forget_retain.svg": render_svg(contents, standalone=True),
        "rows.csv": rows.to_csv(index=False, lineterminator="\n"),
    }
    texts |= {f"{table.name}.csv": table_csv(table) for table in contents.tables}
    if contents.facts["claims"]:
        texts["claims.csv"] = claims_csv(contents.facts["claims"])
    folder = results / "report"
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode())
    return sorted(folder / name for name in texts)
