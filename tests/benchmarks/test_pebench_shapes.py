"""One row per image or one row per person: both are mapped, and the error says how."""

import csv
import json
import tomllib

import pytest

from kit.benchmarks.pebench.lists import list_of
from kit.errors import DataError
from kit.experiment.manifest import Columns
from tests.toys.dataset import (
    EVENTS,
    HEADER,
    PEOPLE,
    loaded,
    refused,
    replaced,
    rows,
    write_dataset,
)

pytest_plugins = ["tests.toys.pebench_fixtures"]


def by_person():
    """Return {person: her rows}."""
    return {person: [row for row in rows() if row[1] == person] for person in PEOPLE}


def written(root, header, table):
    """Write a table without touching the images."""
    with (root / "PEBench.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *table])
    return root


def numbered(root, mark="_"):
    fields = ("image", "event", "description", "keywords")
    header = ["person", *(f"{name}{mark}{i}" for i in range(1, 5) for name in fields)]
    places = (0, 2, 3, 4)
    table = [[p, *(row[at] for row in own for at in places)] for p, own in by_person().items()]
    return written(root, header, table)


def objects(root, write=json.dumps):
    table = [
        [p, write([{"path": r[0], "scene": r[2], "caption": r[3], "tags": r[4]} for r in own])]
        for p, own in by_person().items()
    ]
    return written(root, ["name", "events"], table)


def lists(root, write=json.dumps):
    table = [
        [p, *(write([row[at] for row in own]) for at in (0, 2, 3, 4))]
        for p, own in by_person().items()
    ]
    return written(root, ["name", "images", "events", "captions", "keywords"], table)


def columns_of_lists(root):
    """One object for each person, with a list for each field: as datasets writes a sequence."""
    names = ("image", "event", "description", "keywords")
    table = [
        [p, repr({n: [row[at] for row in own] for n, at in zip(names, (0, 2, 3, 4), strict=True)})]
        for p, own in by_person().items()
    ]
    return written(root, ["name", "content"], table)


def entries(root):
    table = [
        [p, json.dumps({r[2]: {"image": r[0], "text": r[3], "keywords": r[4]} for r in own})]
        for p, own in by_person().items()
    ]
    return written(root, ["name", "events"], table)


SHAPES = {
    "numbered columns": numbered,
    "numbers without a mark": lambda root: numbered(root, ""),
    "a list of objects": objects,
    "a list of objects as pandas writes it": lambda root: objects(root, repr),
    "parallel lists": lists,
    "parallel lists as pandas writes them": lambda root: lists(root, repr),
    "parallel lists between bars": lambda root: lists(root, "|".join),
    "an object of lists": columns_of_lists,
    "an object of events": entries,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_one_row_per_person_prints_the_mapping_to_write_which_leads_on(root, benchmark, shape):
    SHAPES[shape](root)
    if shape == "parallel lists between bars":  # a text is not known to be a list
        mapping = {"file": "images[]", "event": "events[]", "description": "captions[]",
                   "keywords": "keywords[]"}  # fmt: skip
    else:
        error = refused(root)
        assert "PEBench.csv has no column" in error.what
        header, *samples = error.found.splitlines()
        assert header.split(", ")[0] in ("person", "name")
        assert len(samples) == 3
        assert all(len(line) <= 210 for line in samples)
        mapping = tomllib.loads(error.remedy.split("\n", 1)[1])["benchmark"]["columns"]
    found = loaded(root, benchmark={"columns": mapping})
    assert found == benchmark


WIDE = {
    "columns named by their event": ("{event}", None),
    "columns of captions and images": ("{event}_caption", "{event}_image"),
    "columns that begin with what they are": ("text: {event}", "image: {event}"),
}


NAMES = dict(zip(EVENTS, ["kite festival", "night-market", "Tea, at noon", "chess"], strict=True))


@pytest.mark.parametrize("shape", WIDE)
def test_events_in_the_names_of_columns_are_mapped_as_the_error_says(root, shape):
    caption, image = WIDE[shape]
    named = [[*row[:2], NAMES[row[2]], row[3]] for row in rows()]
    with (root / "keywords.csv").open("w", encoding="utf-8", newline="") as stream:
        keywords = [[event, "doing; it"] for event in NAMES.values()]
        csv.writer(stream).writerows([["event", "keywords"], *keywords])
    expected = loaded(written(root, HEADER[:4], named))
    header = ["name", *(caption.format(event=event) for event in NAMES.values())]
    table = [[p, *(row[3] for row in own)] for p, own in by_person().items()]
    if image:
        header += [image.format(event=event) for event in NAMES.values()]
        table = [[*line, *(row[0] for row in by_person()[line[0]])] for line in table]
    written(root, header, table)
    mapping = tomllib.loads(refused(root).remedy.split("\n", 1)[1])["benchmark"]["columns"]
    if not image:
        assert mapping["file"] == "images/{person}/{index}", "as the folder has them"
    assert mapping["event"] == "*"
    assert loaded(root, benchmark={"columns": mapping}) == expected


@pytest.mark.parametrize(
    "file",
    ["images/{person}/{index}.png", "images/{name}/{index}", "images/{name}/{number:02}.png"],
)
def test_a_table_without_paths_gets_them_from_the_other_fields(root, benchmark, file):
    if "number" in file:
        for person in PEOPLE:
            for i in reversed(range(len(EVENTS))):
                folder = root / "images" / person
                (folder / f"{i}.png").rename(folder / f"{i + 1:02}.png")
    written(root, HEADER[1:], [row[1:] for row in rows()])
    found = loaded(root, benchmark={"columns": {"file": file}})
    assert [about(found, name) for name in found.finetune] == [
        about(benchmark, name) for name in benchmark.finetune
    ]


def about(benchmark, name):
    record = benchmark.records[name]
    return record.question, record.answer, record.keywords, record.person, record.event


def test_the_portrait_of_each_person_is_left_out_and_named(root, benchmark):
    portraits = [[f"images/{person}/portrait.png", person, "", "", ""] for person in PEOPLE[:2]]
    found = loaded(replaced(root, [*portraits, *rows()]))
    assert found.records == benchmark.records
    (note,) = found.notes
    assert note.startswith("2 images with neither event nor description")
    assert f"images/{PEOPLE[0]}/portrait.png" in note


def test_the_portrait_in_a_column_of_its_own_is_left_out_and_named(root, benchmark):
    numbered(root)
    mapping = {"file": "image_*", "person": "person", "event": "event_*",
               "description": "description_*", "keywords": "keywords_*"}  # fmt: skip
    lines = list(csv.reader((root / "PEBench.csv").open(encoding="utf-8", newline="")))
    for line in lines[1:]:
        (root / "images" / line[0] / "portrait.png").write_bytes(b"an image")
        line.append(f"images/{line[0]}/portrait.png")
    written(root, [*lines[0], "image_5"], lines[1:])
    found = loaded(root, benchmark={"columns": mapping})
    assert found.records == benchmark.records
    assert found.notes[0].startswith("6 images with neither event nor description")


def test_two_images_without_event_and_description_are_missing_cells(root):
    blank = [[f"images/{PEOPLE[0]}/{i}.png", PEOPLE[0], "", "", ""] for i in (8, 9)]
    error = refused(replaced(root, [*rows(), *blank]))
    assert "two images without event and description" in error.what
    assert error.found == "lines 26 and 27"


def test_a_person_with_fewer_events_has_blank_cells(root):
    numbered(root)
    lines = list(csv.reader((root / "PEBench.csv").open(encoding="utf-8", newline="")))
    lines[1][5:9] = [""] * 4
    written(root, lines[0], lines[1:])
    mapping = {"file": "image_*", "person": "person", "event": "event_*",
               "description": "description_*", "keywords": "keywords_*"}  # fmt: skip
    found = loaded(root, benchmark={"columns": mapping})
    assert len(found.finetune) == 2 * (len(rows()) - 1)
    lines[1][8] = "x"
    written(root, lines[0], lines[1:])
    error = refused(root, benchmark={"columns": mapping})
    assert (error.what, error.expected) == (
        "PEBench.csv, line 2: an empty or missing value",
        "a value in the column 'image_2'",
    )


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ('["event 0", "event 1", "event 2"]', "lists of different lengths"),
        ('["event 0", "event 1", "event 2", "event 3"', "a cell that is no list"),
        ("['event 0' 'event 1' 'event 2' 'event 3']", "a cell that is no list"),
        ('["event 0", "event 1", "event 2", ["event 3"]]', "an item of the list is no text"),
        ('["event 0", "event 1", "event 2", true]', "an item of the list is no text"),
        ('["event 0", "event 1", "event 2", NaN]', "an empty or missing value"),
        ("[" * 100_000, "a cell that is no list"),
    ],
)
def test_a_damaged_list_names_its_line(root, cell, said):
    lists(root)
    lines = list(csv.reader((root / "PEBench.csv").open(encoding="utf-8", newline="")))
    lines[3][2] = cell
    written(root, lines[0], lines[1:])
    mapping = {"file": "images[]", "event": "events[]", "description": "captions[]",
               "keywords": "keywords[]"}  # fmt: skip
    error = refused(root, benchmark={"columns": mapping})
    assert error.what.startswith(f"PEBench.csv, line 4: {said}")


def test_one_image_named_twice_in_a_row_is_refused(root):
    lists(root)
    lines = list(csv.reader((root / "PEBench.csv").open(encoding="utf-8", newline="")))
    lines[1][1] = json.dumps([rows()[0][0]] * 4)
    written(root, lines[0], lines[1:])
    mapping = {"file": "images[]", "event": "events[]", "description": "captions[]",
               "keywords": "keywords[]"}  # fmt: skip
    assert "occurs twice" in refused(root, benchmark={"columns": mapping}).what


def test_a_column_whose_name_looks_like_a_pattern_is_that_column(root, benchmark):
    header = ["file", "name[]", "event_*", "{text}", "keywords"]
    mapping = {"person": "name[]", "event": "event_*", "description": "{text}"}
    written(root, header, rows())
    assert loaded(root, benchmark={"columns": mapping}) == benchmark


def test_the_published_table_with_all_people_and_events_is_mapped_from_either_shape(tmp_path):
    """The defaults are those of the manifest: no key decides the shape but the mapping."""
    root = write_dataset(tmp_path / "data")
    assert Columns() == Columns.model_validate({})
    assert loaded(root, benchmark={"options": {"people": 6, "events": 4}}).records


def test_a_list_of_python_may_hold_nan_and_a_bad_one_names_no_object_in_memory():
    assert list_of("[{'text': nan}, 'nan']", "x") == [{"text": None}, "nan"]
    with pytest.raises(DataError, match="is no list") as caught:
        list_of("[{'text': ada}]", "PEBench.csv, line 2")
    assert "something else than texts" in caught.value.found
    assert " at 0x" not in caught.value.found
