"""PEBench's CSV and image folders: what is read, and what every wrong file says."""

import csv
import io
import shutil
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.benchmarks.pebench_columns import columns_block
from kit.benchmarks.pebench_csv import read_lines
from kit.benchmarks.pebench_table import published, published_keywords, read_pictures
from kit.errors import DataError
from kit.manifest import Columns
from tests.toy_dataset import (
    EVENTS,
    HEADER,
    PEOPLE,
    loaded,
    refused,
    replaced,
    rows,
    write_table,
)

pytest_plugins = ["tests.pebench_fixtures"]

OTHER_HEADER = ["Image Path", "person_name", "event", "caption", "keywords"]
MAPPED = {"file": "Image Path", "person": "person_name", "description": "caption"}


def rewritten(root, change):
    path = root / "PEBench.csv"
    path.write_bytes(change(path.read_bytes()))
    return root


# --- the file ---------------------------------------------------------------------------------


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


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_another_encoding_names_the_offset_and_how_to_convert(root, mark):
    rewritten(root, lambda data: mark + data + "é".encode("latin-1"))
    error = refused(root)
    assert "not UTF-8" in error.what
    data = (root / "PEBench.csv").read_bytes()
    assert error.found == f"byte 0xe9 at offset {len(data) - 1}"
    assert data[len(data) - 1] == 0xE9
    assert "iconv -f WINDOWS-1252 -t UTF-8" in error.remedy


@pytest.mark.parametrize(("delimiter", "said"), [(";", "semicolons"), ("\t", "tabs")])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_another_delimiter_is_said(root, delimiter, said, quoting):
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, quoting=quoting).writerows([HEADER, *rows()])
    rewritten(root, lambda data: stream.getvalue().encode())
    error = refused(root)
    assert f"separated by {said}" in error.what
    assert "file" in error.found


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
    assert "an empty file" in refused(root).found


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
    block = columns_block(Columns(), ["file", "zzz", "qqq", 'a "quoted\\" name'])
    assert "# event = one of the others" in block
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


def test_utf_16_without_a_mark_says_how_to_convert_it(root):
    rewritten(root, lambda data: data.decode().encode("utf-16-le"))
    error = refused(root)
    assert "a NUL character" in error.what
    assert "iconv -f UTF-16LE" in error.remedy


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


def test_people_whose_names_differ_in_a_hyphen_are_two(root):
    table = [[row[0], row[1].replace("Person Number1", "Person-Number0"), *row[2:]]
             for row in rows()]  # fmt: skip
    people = {record.person for record in loaded(replaced(root, table)).records.values()}
    assert {"Person-Number0", "Person Number0"} <= people


def test_a_row_of_another_length_names_its_line(root):
    assert "line 5: an empty" in refused(replaced(root, [*rows()[:3], rows()[3][:2]])).what
    long = [*rows()[:3], [*rows()[3], "more"]]
    error = refused(replaced(root, long))
    assert "line 5: more cells than columns" in error.what
    assert error.found.startswith("6:")


# --- the images -------------------------------------------------------------------------------


def with_name(root, name):
    return replaced(root, [[name, *rows()[0][1:]], *rows()[1:]])


@pytest.mark.parametrize(
    "name",
    ["../outside.png", "images/../../outside.png", "/etc/passwd", "C:/x.png", "..\\x.png",
     "\\\\server\\x.png"],
)  # fmt: skip
def test_an_image_path_may_not_leave_the_dataset(root, name):
    error = refused(with_name(root, name))
    assert "line 2: image path" in error.what
    assert "leaves the dataset's folder" in error.what


def test_a_control_character_in_a_name_is_an_error_and_no_traceback(root):
    first = rows()[0][0]
    rewritten(root, lambda data: data.replace(first.encode(), b"images/a\x01b.png", 1))
    assert "control character" in refused(root).what


def test_a_name_that_is_too_long_for_the_disk_is_a_missing_image(root):
    first = rows()[0][0]
    name = "/".join(["a" * 300] * 3) + ".png"
    rewritten(root, lambda data: data.replace(first.encode(), name.encode(), 1))
    assert "is missing" in refused(root).what


def test_a_folder_that_is_not_there_is_missing_images(root):
    shutil.rmtree(root / "images" / PEOPLE[0])
    assert refused(root).found == "4 missing, 0 of zero bytes"


def test_a_folder_of_images_without_a_row_is_an_unknown_person(root):
    for name in ("Nobody Known", ".hidden", "No Images"):
        (root / "images" / name).mkdir()
    assert loaded(root).notes == ()
    (root / "images" / ".hidden" / "0.png").write_bytes(b"an image")
    (root / "images" / "No Images" / "list.txt").write_bytes(b"no image")
    assert loaded(root).notes == ()
    (root / "images" / "Nobody Known" / "0.JPG").write_bytes(b"an image")
    error = refused(root)
    assert f"no row for the images in {root / 'images' / 'Nobody Known'}" in error.what
    assert error.found == "1 folders of images without a row: images/Nobody Known"


def test_names_that_differ_in_upper_case_alone_are_refused(root):
    table = [*rows(), [rows()[2][0].upper(), *rows()[2][1:]]]
    error = refused(replaced(root, table))
    assert "occurs twice" in error.what
    assert rows()[2][0] in error.what
    assert error.found == "lines 4 and 26"


@pytest.mark.parametrize("again", [rows()[3][0], f"./{rows()[3][0]}"])
def test_the_same_image_twice_names_both_lines(root, again):
    error = refused(replaced(root, [*rows(), [again, *rows()[3][1:]]]))
    assert "images/Person Number0/3.png" in error.what
    assert error.found == "lines 5 and 26"


def test_missing_images_are_counted_and_the_first_is_named(root):
    gone = [root / rows()[i][0] for i in (5, 6)]
    for path in gone:
        path.unlink()
    (root / rows()[1][0]).write_bytes(b"")
    error = refused(root)
    assert f"image {gone[0]} is missing" in error.what
    assert error.found == "2 missing, 1 of zero bytes"
    assert "fetch" in error.remedy


def test_an_empty_image_is_named(root):
    (root / rows()[1][0]).write_bytes(b"")
    error = refused(root)
    assert f"image {root / rows()[1][0]} is empty" in error.what
    assert error.found == "0 missing, 1 of zero bytes"


def test_a_folder_of_the_name_of_an_image_is_no_image(root):
    path = root / rows()[1][0]
    path.unlink()
    path.mkdir()
    assert "is missing" in refused(root).what


# --- keywords ---------------------------------------------------------------------------------


def keywords_of(benchmark, event):
    own = [benchmark.records[name] for name in benchmark.finetune]
    return {r.keywords for r in own if r.event == event and r.keywords}


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("a; b ;c", ("a", "b", "c")), ("a, b,c", ("a", "b", "c")), ("a, b; c", ("a, b", "c")),
     ("one", ("one",))],
)  # fmt: skip
def test_keywords_are_separated_by_semicolons_or_commas(root, cell, expected):
    table = [[*row[:4], cell] for row in rows()]
    assert keywords_of(loaded(replaced(root, table)), EVENTS[0]) == {expected}


def test_a_cell_of_separators_alone_has_no_keywords(root):
    table = [[*row[:4], ";; ;"] for row in rows()]
    assert "line 2: no keywords for the event" in refused(replaced(root, table)).what


def published_rows():
    names = ["Park-Jogging", "media_interview", "city walk", "snowshoeing"]
    return [[*row[:2], names[EVENTS.index(row[2])], row[3]] for row in rows()]


@pytest.mark.parametrize("columns", [{}, {"keywords": ""}])
def test_without_a_column_they_are_those_of_the_published_table(root, columns):
    replaced(root, published_rows(), HEADER[:4])
    found = loaded(root, benchmark={"columns": columns})
    assert keywords_of(found, "Park-Jogging") == {tuple(published()["keywords"]["park jogging"])}
    assert keywords_of(found, "media_interview") == {published_keywords("media interview")}


def test_an_event_that_the_published_table_has_not_names_the_nearest(root):
    table = published_rows()
    table[1] = [*table[1][:2], "park joging", "x"]
    error = refused(replaced(root, table, HEADER[:4]))
    assert "line 3: no keywords for the event 'park joging'" in error.what
    assert error.remedy == "did you mean 'park jogging'?"


def test_a_column_of_keywords_that_the_manifest_maps_has_to_be_there(root):
    replaced(root, published_rows(), HEADER[:4])
    error = refused(root, benchmark={"columns": {"keywords": "tags"}})
    assert "no column 'tags'" in error.what


def test_the_published_table_has_forty_events_with_keywords_and_says_where_it_is_from():
    keywords = published()["keywords"]
    assert len(keywords) == 40
    assert all(len(words) == 10 for words in keywords.values())
    assert {"CC BY 4.0", "2503.12545"} <= {
        word for word in ("CC BY 4.0", "2503.12545") if word in published()["about"]
    }
    assert set(published()) == {"about", "keywords", "near_duplicates"}, "no descriptions"
    assert len(published_keywords("grocery shopping")) == 9, "it prints 'shopping' twice"


# --- any table --------------------------------------------------------------------------------

CELLS = st.text(max_size=12) | st.sampled_from(
    ["\0", '"', '""', "a,b", "x\ny", "\r", "\r\n", ";", "\t"]
)
TABLES = st.lists(st.lists(CELLS, min_size=5, max_size=5), min_size=1, max_size=6)


@given(TABLES, st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.sampled_from(["\n", "\r\n"]))
def test_what_a_csv_writer_writes_is_read_back_or_refused(tmp_path_factory, table, quoting, ending):
    path = tmp_path_factory.mktemp("any") / "PEBench.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, quoting=quoting, lineterminator=ending).writerows([HEADER, *table])
    blank = any(not cell.strip() for row in table for cell in row)
    # A line break of the other kind is not quoted by every writer, and then is refused.
    bare = quoting == csv.QUOTE_MINIMAL and any("\r" in c for row in table for c in row)
    nul = any("\0" in cell for row in table for cell in row)
    lines, refusal = None, None
    try:
        lines = read_lines(path, Columns(), HEADER)
    except DataError as error:
        refusal = error
    if refusal is None:
        assert not blank
        assert not nul
        assert [list(line.cells.values()) for line in lines] == table
    else:
        assert blank or bare or nul, str(refusal)


@given(TABLES)
def test_no_row_makes_reading_fail_with_anything_but_a_data_error(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("any") / "PEBench.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([HEADER, *table])
    with pytest.raises(DataError):
        read_pictures(path, Columns())  # none of the images is there
