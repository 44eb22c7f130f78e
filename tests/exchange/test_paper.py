"""Tables and figures for a paper: the numbers of the CSV files, safe LaTeX, pictures that open."""

import csv
import io
import re
import shutil
import subprocess
from types import SimpleNamespace

import pandas as pd
import pytest
from PIL import Image

from kit.exchange.paper import (
    MAX_LINES,
    PACKAGES,
    PaperLine,
    PaperTable,
    paper_files,
    table_latex,
)
from kit.exchange.png import SCALE, to_png
from kit.report import number_files
from kit.report.contents import read_contents
from kit.report.drawing import Drawing, box, line, marker, words
from tests.toys.results import write_toy_results

PDFLATEX = shutil.which("pdflatex")


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    folder = write_toy_results(tmp_path_factory.mktemp("paper") / "toy")
    for name in ("rows.parquet", "sets.parquet"):
        stored = pd.read_parquet(folder / name)
        stored[stored["target"] == "person"].to_parquet(folder / name, index=False)
    return read_contents(folder)


@pytest.fixture(scope="module")
def files(contents):
    return dict(paper_files(SimpleNamespace(contents=contents)))


def cells(latex: str) -> list[list[str]]:
    """Return the cells of each line of a tabular."""
    body = latex[latex.index(r"\toprule") + 8 : latex.index(r"\bottomrule")]
    body = body.replace(r"\midrule", "")
    lines = (part.strip() for part in body.split(r"\\"))
    return [[c.strip() for c in re.split(r"(?<!\\)&", each)] for each in lines if "&" in each]


def test_each_part_that_was_run_is_a_table_and_a_figure(files):
    assert sorted(files) == [
        "forget_retain_person_person.png", "forget_retain_person_person.svg",
        "table1_distance_person_person.md", "table1_distance_person_person.tex",
        "table1_person_person.md", "table1_person_person.tex",
    ]  # fmt: skip


def test_the_values_are_those_of_the_csv_file_in_percent(files, contents):
    stored = number_files(contents)["table1.csv"].decode()
    lines = list(csv.DictReader(io.StringIO(stored)))
    found = cells(files["table1_person_person.tex"].decode())
    head = found[0]
    for stored_line, shown in zip(lines, found[1::2], strict=True):
        assert re.sub(r"\\textsuperscript\{\w+\}|[{}]", "", shown[0]) == stored_line["Method"]
        for key, value in zip(head[1:], shown[1:], strict=True):
            percent = 1 if key in ("P-Eff", "P-Gen", "P-Ret", "P-Real", "P-World") else 100
            if value == "absent":
                assert stored_line[key].startswith("absent (")
            else:
                assert float(value) == pytest.approx(percent * float(stored_line[key]), abs=0.06)


def test_marks_stand_behind_the_names_and_are_explained(files):
    text = files["table1_person_person.tex"].decode()
    assert r"GA\textsuperscript{c}" in text
    assert r"\caption{Forgetting people. " in text
    assert "Marks: c: collapsed, o: over-forgets, u: under-forgets." in text
    assert "| GA (c) |" in files["table1_person_person.md"].decode()


def test_every_line_of_a_table_has_as_many_cells_as_its_head(files):
    for name, data in files.items():
        text = data.decode() if name.endswith((".md", ".tex")) else ""
        if name.endswith(".tex"):
            assert len({len(each) for each in cells(text)}) == 1
            assert text.count("{") == text.count("}")
        elif name.endswith(".md"):
            rows = [each for each in text.splitlines() if each.startswith("|")]
            assert len({len(re.findall(r"(?<!\\)\|", each)) for each in rows}) == 1


def test_what_a_stranger_calls_a_method_is_printed_and_does_not_act():
    hostile = PaperLine(r"[9cm]\input{x} & $y$ \\ %", "", (("1.0", "[0.0, 2.0]"),))
    text = table_latex(PaperTable("t", "#1 {", ("A",), (hostile,))).decode()
    assert r"\input{x}" not in text
    assert "\n{}[9cm]" in text, "a bracket after a line break would be its length"
    assert [len(each) for each in cells(text)] == [2, 2, 2]
    assert r"\caption{\#1 \{}" in text


def test_many_methods_become_tables_that_fit_a_page_and_none_is_lost():
    count = 2 * MAX_LINES + 1
    lines = [PaperLine(f"Method {n}", "", (("1.0", ""),)) for n in range(count)]
    text = table_latex(PaperTable("t", "Forgetting", ("A",), tuple(lines))).decode()
    assert re.findall(r"\\caption\{(.*)\}", text) == [f"Forgetting ({n} of 3)" for n in (1, 2, 3)]
    assert re.findall(r"Method \d+", text) == [line.label for line in lines]
    sizes = [len(re.findall(r"Method \d+", part)) for part in text.split(r"\end{table}")]
    assert sizes == [MAX_LINES, MAX_LINES, 1, 0]


def test_a_long_heading_takes_several_lines():
    long = PaperTable("t", "c", ("Relearning the forget set [2]",), ())
    text = table_latex(long).decode()
    assert r"\shortstack[r]{{}Relearning the\\{}forget set [2]}" in text


@pytest.mark.skipif(PDFLATEX is None, reason="pdflatex is not here")
def test_latex_sets_every_table_within_its_page(files, tmp_path):
    wide = tuple(("-100.0", "[-137.6, 137.6]") for _ in range(10))
    lines = tuple(PaperLine(rf"[9cm]\x{{}} #{n}", "c", wide) for n in range(3 * MAX_LINES))
    heads = tuple("[1] Relearning the forget set %&_" for _ in wide)
    tables = {n: d for n, d in files.items() if n.endswith(".tex")}
    tables["wide.tex"] = table_latex(PaperTable("wide", "50 % {", heads, lines))
    text = [r"\documentclass{article}", *(rf"\usepackage{each}" for each in PACKAGES)]
    text += [r"\begin{document}", *(rf"\input{{{n}}}\clearpage" for n in tables)]
    for name, data in tables.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "all.tex").write_text("\n".join([*text, r"\end{document}"]))
    done = subprocess.run(
        [str(PDFLATEX), "-draftmode", "-halt-on-error", "-interaction=nonstopmode", "all.tex"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert not re.findall("Overfull.*|Float too large.*", done.stdout)


def test_equal_results_give_equal_bytes(files, contents):
    again = dict(paper_files(SimpleNamespace(contents=contents)))
    assert again == files


def test_a_picture_has_the_size_and_the_shapes_of_the_figure():
    shapes = (
        box("damaged", 10, 10, 20, 20), marker("sound", "disc", 60, 20, 8),
        line("curve", (0, 45), (100, 45)), words("text", 5, 58, "→ é \uffff", turn=0),
        words("text", 95, 50, "up", turn=-90),
    )  # fmt: skip
    picture = Image.open(io.BytesIO(to_png(Drawing(100, 60, "", shapes))))
    assert picture.size == (100 * SCALE, 60 * SCALE)
    assert picture.getpixel((20 * SCALE, 20 * SCALE)) == (0xA8, 0x3A, 0x09)
    assert picture.getpixel((60 * SCALE, 20 * SCALE)) == (0x0B, 0x5C, 0xAD)
    assert picture.getpixel((50 * SCALE, 45 * SCALE)) == (0x0B, 0x5C, 0xAD)
    assert picture.getpixel((45 * SCALE, 5 * SCALE)) == (255, 255, 255)
    written = picture.crop((0, 48 * SCALE, 40 * SCALE, 60 * SCALE))
    assert written.convert("L").getextrema()[0] < 80
    turned = picture.crop((80 * SCALE, 25 * SCALE, 100 * SCALE, 42 * SCALE))
    assert turned.convert("L").getextrema()[0] < 120


def test_a_very_large_figure_is_drawn_coarser_and_not_refused():
    picture = Image.open(io.BytesIO(to_png(Drawing(3000, 12000, "", ()))))
    assert picture.size[0] < 3000 * SCALE
    assert picture.size[1] / picture.size[0] == pytest.approx(4, rel=0.01)
