"""PEBench's CSV: what is read, and what every wrong file says."""

import csv
import io
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.benchmarks.pebench.columns import columns_block
from kit.benchmarks.pebench.csv import Reading, read_lines
from kit.benchmarks.pebench.table import read_pictures
from kit.errors import DataError, ManifestError
from kit.experiment.manifest import Columns
from tests.toys.dataset import (
    HEADER,
    PEOPLE,
    loaded,
    refused,
    replaced,
    rewritten,
    rows,
    write_table,
)

pytest_plugins = ["tests.toys.pebench_fixtures"]

OTHER_HEADER = ["Image Path", "person_name", "event", "caption", "keywords"]
MAPPED = {"file": "Image Path", "person": "person_name", "description": "caption"}


def test_a_byte_order_mark_is_not_part_of_the_first_column(root):
    expected = loaded(root)
    assert loaded(replaced(root, rows(), mark="\ufeff")) == expected


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_table_of_utf_16_with_a_mark_is_read(root, encoding):
    table = [[*row[:3], "größer", row[4]] for row in rows()]
    expected = loaded(replaced(root, table))
    rewritten(root, lambda data: ("\ufeff" + data.decode()).encode(encoding))
    assert loaded(root) == expected


def test_half_a_character_of_utf_16_is_an_error(root):
    rewritten(root, lambda data: b"\xff\xfe" + data.decode().encode("utf-16-le")[:-1])
    assert "not UTF-16" in refused(root).what


def option(remedy):
    """Return the option that a remedy says to add, as TOML reads it."""
    return tomllib.loads(remedy.rpartition("[benchmark]: ")[2].split(";")[0])


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_another_encoding_names_byte_line_and_the_option_which_leads_on(root, mark):
    table = [*rows()[:4], [*rows()[4][:3], "José", rows()[4][4]], *rows()[5:]]
    expected = loaded(replaced(root, table))
    rewritten(root, lambda data: mark + data.decode().encode("cp1252"))
    error = refused(root)
    assert error.what == "PEBench.csv, line 6: byte 0xe9 is not UTF-8"
    data = (root / "PEBench.csv").read_bytes()
    offset = data.index(b"\xe9")
    assert error.found.startswith(f"byte 0xe9 at offset {offset}; this place is ")
    assert "José" in error.found
    assert option(error.remedy) == {"encoding": "cp1252"}
    if not mark:
        assert loaded(root, benchmark={"options": option(error.remedy)}) == expected


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "cp1250", "gb18030", "utf-16-le"])
def test_a_declared_encoding_is_used_for_what_is_not_certain_alone(root, encoding):
    options = {"options": {"encoding": encoding}}
    text = "李 größer" if encoding in ("gb18030", "utf-16-le") else "größer"
    table = [[*row[:3], text, row[4]] for row in rows()]
    expected = loaded(replaced(root, table))
    assert loaded(root, benchmark=options) == expected, "UTF-8 is certain"
    rewritten(root, lambda data: data.decode().encode(encoding))
    assert loaded(root, benchmark=options) == expected


def test_a_byte_that_the_declared_encoding_does_not_have_is_an_error(root):
    rewritten(root, lambda data: data + b"\x81\xff")
    error = refused(root, benchmark={"options": {"encoding": "cp1252"}})
    assert "byte 0x81 is not CP1252" in error.what


@pytest.mark.parametrize(
    ("option", "value"),
    [("encoding", "utf8x"), ("encoding", 7), ("encoding", "hex"), ("delimiter", ";;"),
     ("delimiter", "a"), ("delimiter", "")],
)  # fmt: skip
def test_a_wrong_option_is_named(root, option, value):
    with pytest.raises(
        ManifestError, match=f"option '{option}' of benchmark 'pebench' is not valid"
    ):
        loaded(root, benchmark={"options": {option: value}})


@pytest.mark.parametrize("delimiter", [";", "\t", "|", ","])
@pytest.mark.parametrize(
    ("quoting", "ending", "above"),
    [
        (csv.QUOTE_MINIMAL, "\n", ""),
        (csv.QUOTE_ALL, "\r\n", "\ufeff"),
        (csv.QUOTE_ALL, "\r", ""),
        (csv.QUOTE_MINIMAL, "\r\n", "sep={}\r\n"),
    ],
)
def test_any_delimiter_is_recognised(root, benchmark, delimiter, quoting, ending, above):
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, quoting=quoting, lineterminator=ending)
    writer.writerows([HEADER, *rows()])
    text = above.format(delimiter) + stream.getvalue()
    rewritten(root, lambda data: text.encode())
    assert loaded(root) == benchmark


def test_a_delimiter_in_texts_and_names_of_columns_does_not_mislead(root):
    header = [*HEADER, "a, b", "c|d"]
    table = [[*row[:3], "one, two; three\tfour", row[4], "x;y", "p,q"] for row in rows()]
    expected = loaded(replaced(root, table, header))
    stream = io.StringIO()
    csv.writer(stream, delimiter=";").writerows([header, *table])
    rewritten(root, lambda data: stream.getvalue().encode())
    assert loaded(root) == expected


def test_where_the_delimiter_is_not_certain_the_option_names_it_and_leads_on(root, benchmark):
    columns = {"columns": {"file": "a;b", "person": "name", "description": "text"}}
    text = (root / "PEBench.csv").read_text(encoding="utf-8")
    text = text.replace("file,name,event,description", "a;b,name,event,text")
    rewritten(root, lambda data: text.encode())
    assert loaded(root, benchmark=columns) == benchmark, "the mapping decides"
    error = refused(root)
    assert "not certain what separates the cells" in error.what
    first, _, second = error.remedy.rpartition("[benchmark]: ")[2].partition(" or ")
    assert [tomllib.loads(each)["delimiter"] for each in (first, second)] == [",", ";"]
    assert "has no column 'file'" in refused(root, benchmark={"options": tomllib.loads(first)}).what
    both = columns | {"options": tomllib.loads(first)}
    assert loaded(root, benchmark=both) == benchmark


def test_rows_and_columns_without_any_text_are_none(root, benchmark):
    lines = (root / "PEBench.csv").read_text(encoding="utf-8").splitlines()
    text = "\n".join(f"{line},," for line in lines) + "\n,,,,,,\n , ,\n"
    rewritten(root, lambda data: text.encode())
    assert loaded(root) == benchmark


def test_blanks_around_names_of_columns_do_not_count(root, benchmark):
    rewritten(root, lambda data: data.replace(b"file,name,event", b"file , name,event", 1))
    assert loaded(root) == benchmark


def test_a_quote_that_is_never_closed_names_the_row_that_opens_it(root):
    rewritten(root, lambda data: data.replace(b"doing event 1,", b'"doing event 1,', 1))
    error = refused(root)
    assert "line 3: the row that begins here" in error.what
    assert "quote" in error.remedy


def test_the_line_of_a_row_behind_a_text_of_several_lines_is_the_line_of_the_file(root):
    table = rows()
    table[0][3] = "first\nsecond\nthird"
    table[2][3] = ""
    assert "line 6: an empty" in refused(replaced(root, table)).what


def test_a_table_without_rows_or_without_anything_is_an_error(root):
    assert "no rows" in refused(replaced(root, [])).what
    rewritten(root, lambda data: b"")
    assert "PEBench.csv is an empty file" in refused(root).what


@pytest.mark.parametrize(
    ("data", "kind", "remedy"),
    [
        (b"PK\x03\x04" + bytes(range(256)), "a zip archive", "Save as"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\n", "a git-lfs", "lfs pull"),
        (b"\xef\xbb\xbf<!DOCTYPE html>\n<html>", "an HTML page", "downloaded again"),
        (b'[{"name": "Ada",\n"events": []}]', "JSON text", "to_csv"),
        (b'{"name": "Ada"}\n{"name": "Eve"}\n', "JSON text", "to_csv"),
    ],
)
def test_what_is_no_table_of_text_is_named(root, data, kind, remedy):
    error = refused(rewritten(root, lambda _: data))
    assert error.what.startswith(f"PEBench.csv is {kind}")
    assert remedy in error.remedy


def test_a_table_that_begins_like_another_format_is_read(root):
    columns = {"file": "BM", "person": "[name]"}
    header = ["BM", "[name]", *HEADER[2:]]
    expected = loaded(root)
    assert loaded(replaced(root, rows(), header), benchmark={"columns": columns}) == expected
    turned = [[row[1], row[0], *row[2:]] for row in rows()]
    with (root / "PEBench.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["[name]", "BM", *HEADER[2:]], *turned])
    assert loaded(root, benchmark={"columns": columns}) == expected


def test_rows_above_the_header_and_a_second_header_are_named_and_their_remedies_work(root):
    expected = loaded(root)
    whole = (root / "PEBench.csv").read_bytes()
    rewritten(root, lambda data: b"Our people,,,,\r\n" + data)
    error = refused(root)
    assert "line 2: this is the header" in error.what
    assert error.remedy == "remove the rows above line 2"
    first, _, rest = whole.partition(b"\r\n")
    rewritten(root, lambda _: b"\r\n".join([first, first, rest]))
    error = refused(root)
    assert "line 2: the header occurs again" in error.what
    assert error.remedy == "remove line 2"
    rewritten(root, lambda _: whole)
    assert loaded(root) == expected


def test_a_table_that_is_missing_names_what_is_there(root):
    (root / "PEBench.csv").rename(root / "PEBench.XLSX")
    (root / "real.csv").unlink()
    error = refused(root)
    assert "PEBench.XLSX" in error.found
    assert "as CSV text" in error.remedy


# --- the columns ------------------------------------------------------------------------------


def test_a_missing_column_prints_the_real_ones_three_rows_and_the_block_to_write(root):
    table = rows()
    table[1][3] = "x" * 500
    expected = loaded(replaced(root, table))
    error = refused(replaced(root, table, OTHER_HEADER))
    assert "has no column 'file'" in error.what
    real, *samples = error.found.splitlines()
    assert real == ", ".join(OTHER_HEADER)
    assert [line.split(":")[0].strip() for line in samples] == ["line 2", "line 3", "line 4"]
    assert all(len(line) < 220 for line in samples)
    block = tomllib.loads(error.remedy.split("\n", 1)[1])
    assert block["benchmark"]["columns"] == {**Columns().model_dump(), **MAPPED}
    assert loaded(root, benchmark=block["benchmark"]) == expected, "the block is what to write"


@pytest.mark.parametrize("table", ["real.csv", "general.csv"])
def test_a_table_whose_columns_cannot_be_mapped_gets_no_such_advice(root, table):
    write_table(root / table, OTHER_HEADER, rows())
    error = refused(root)
    assert f"{table} has no column 'file'" in error.what
    assert "benchmark.columns" not in error.remedy


def test_a_folder_of_the_name_of_the_table_is_no_table(root):
    (root / "PEBench.csv").unlink()
    (root / "PEBench.csv").mkdir()
    assert "is missing" in refused(root).what


def test_a_field_without_a_similar_column_is_left_to_the_reader():
    block = columns_block(Columns(), ["file", 'a "quoted\\" name'])
    assert "# event = one of the columns" in block
    parsed = tomllib.loads(block)["benchmark"]["columns"]
    assert parsed["file"] == "file"
    assert parsed["person"] == 'a "quoted\\" name'


def test_no_column_is_guessed_for_two_fields():
    for header in (["image_name"], ["text", "id"], ["name", "image"], ["caption event name"]):
        parsed = tomllib.loads(columns_block(Columns(), header)).get("benchmark", {})
        guessed = list(parsed.get("columns", {}).values())
        assert len(set(guessed)) == len(guessed)
        assert set(guessed) <= set(header)


def test_the_manifest_maps_columns_of_other_names(root):
    expected = loaded(root)
    replaced(root, rows(), OTHER_HEADER)
    assert loaded(root, benchmark={"columns": MAPPED}) == expected


def test_a_doubled_column_is_refused(root):
    table = [[*row, "x"] for row in rows()]
    assert "the column 'event' 2 times" in refused(replaced(root, table, [*HEADER, "event"])).what


@pytest.mark.parametrize("blank", ["", " ", "\t\u00a0"])
@pytest.mark.parametrize("column", range(len(HEADER)))
def test_a_blank_cell_names_its_line_and_column(root, column, blank):
    table = rows()
    table[7][column] = blank
    path = root / "PEBench.csv"
    write_table(path, HEADER, [])
    with path.open("a", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(table)
    error = refused(root)
    assert "line 9:" in error.what
    assert "keywords" in error.what if column == 4 else HEADER[column] in error.expected


@pytest.mark.parametrize("place", [b"Person Number0", b"doing event 0", b"name"])
def test_a_nul_anywhere_names_its_line(root, place):
    rewritten(root, lambda data: data.replace(place, b"a\0b", 1))
    number = 1 if place == b"name" else 2
    assert f"line {number}: a NUL character" in refused(root).what


def test_utf_16_without_a_mark_says_how_to_name_it(root, benchmark):
    rewritten(root, lambda data: data.decode().encode("utf-16-le"))
    error = refused(root)
    assert "a NUL character" in error.what
    assert option(error.remedy) == {"encoding": "utf-16-le"}
    assert loaded(root, benchmark={"options": option(error.remedy)}) == benchmark


@pytest.mark.parametrize(
    ("column", "other", "line"),
    [(1, PEOPLE[0].upper(), 3), (2, "EVENT 0", 6), (2, "event-0", 6)],
)
def test_one_name_in_two_spellings_names_both_lines(root, column, other, line):
    table = rows()
    table[0][column] = other
    error = refused(replaced(root, table))
    assert f"'{other}' and '{rows()[0][column]}'" in error.what
    assert error.found == f"lines 2 and {line}"


@pytest.mark.parametrize(
    "other", ["Person-Number0", "PersonNumber0", "Person\u00a0Number0", "Person\u200bNumber0"]
)
def test_people_whom_a_metric_takes_for_one_are_one_name_in_two_spellings(root, other):
    table = [[row[0], row[1].replace("Person Number1", other), *row[2:]] for row in rows()]
    error = refused(replaced(root, table))
    assert "'name' has one name in two spellings: 'Person Number0'" in error.what
    assert ("<U+00A0>" in error.what) == (other[6] == "\u00a0"), "where the two look equal"


def test_people_whose_names_differ_in_an_accent_are_two(root):
    table = [[r[0], r[1].replace("Person Number1", "P\u00e9rson Number0"), *r[2:]] for r in rows()]
    people = {record.person for record in loaded(replaced(root, table)).records.values()}
    assert {"P\u00e9rson Number0", "Person Number0"} <= people


def test_a_row_of_another_length_names_its_line(root):
    assert "line 5: an empty" in refused(replaced(root, [*rows()[:3], rows()[3][:2]])).what
    long = [*rows()[:3], [*rows()[3], "more"]]
    error = refused(replaced(root, long))
    assert "line 5: more cells than columns" in error.what
    assert error.found.startswith("6:")


CELLS = st.text(max_size=12) | st.sampled_from(
    ["\0", '"', '""', "a,b", "x\ny", "\r", "\r\n", ";", "\t"]
)
TABLES = st.lists(st.lists(CELLS, min_size=5, max_size=5), min_size=1, max_size=6)


@given(TABLES, st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.sampled_from(["\n", "\r\n"]))
def test_what_a_csv_writer_writes_is_read_back_or_refused(tmp_path_factory, table, quoting, ending):
    path = tmp_path_factory.mktemp("any") / "PEBench.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, quoting=quoting, lineterminator=ending).writerows([HEADER, *table])
    # A row of empty cells is no row: spreadsheets write them.
    full = [row for row in table if any(cell.strip() for cell in row)]
    blank = not full or any(not cell.strip() for row in full for cell in row)
    # A line break of the other kind is not quoted by every writer, and then is refused.
    bare = quoting == csv.QUOTE_MINIMAL and any("\r" in c for row in table for c in row)
    nul = any("\0" in cell for row in table for cell in row)
    lines, refusal = None, None
    try:
        lines = read_lines(path, HEADER, Reading(","))
    except DataError as error:
        refusal = error
    if refusal is None:
        assert not blank
        assert not nul
        assert [list(line.cells.values()) for line in lines] == full
    else:
        assert blank or bare or nul, str(refusal)


@given(TABLES)
def test_no_row_makes_reading_fail_with_anything_but_a_data_error(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("any") / "PEBench.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([HEADER, *table])
    with pytest.raises(DataError):
        read_pictures(path, Columns())  # none of the images is there
