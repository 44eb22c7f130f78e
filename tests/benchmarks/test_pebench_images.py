"""The images that PEBench's table names: what is read, and what every wrong one says."""

import csv
import shutil

import pytest

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
    assert "points outside the dataset's folder" in error.what


def test_a_control_character_in_a_name_is_an_error_and_no_traceback(root):
    first = rows()[0][0]
    rewritten(root, lambda data: data.replace(first.encode(), b"images/a\x01b.png", 1))
    assert "control character" in refused(root).what


def test_a_name_that_is_too_long_for_the_disk_is_a_missing_image(root):
    first = rows()[0][0]
    name = "/".join(["a" * 300] * 3) + ".png"
    rewritten(root, lambda data: data.replace(first.encode(), name.encode(), 1))
    assert "is missing" in refused(root).what


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        (str.upper, "there is a file images/Person Number0/0.png"),
        (lambda name: name.replace("/", "\\"), "write '/'"),
        (lambda name: f"https://example.org/{name}", "download the images"),
    ],
)
def test_a_path_that_almost_fits_says_what_to_write(root, change, remedy):
    name = rows()[0][0]
    rewritten(root, lambda data: data.replace(name.encode(), change(name).encode(), 1))
    error = refused(root)
    assert "is missing" in error.what
    assert remedy in error.remedy


def test_a_folder_in_another_unicode_form_is_named(root):
    table = [["images/Zoe\u0308/0.png", *rows()[0][1:]], *rows()[1:]]
    replaced(root, table)
    rewritten(root, lambda data: data.replace("Zoe\u0308".encode(), "Zo\xeb".encode()))
    assert "Unicode form" in refused(root).remedy


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
    assert "put the image into the folder of the source" in error.remedy


def test_an_image_in_another_folder_is_found_and_the_way_to_name_it_leads_on(root):
    table = [[row[0].rpartition("/")[2], *row[1:]] for row in rows()]
    expected = loaded(root)
    write_table(root / "PEBench.csv", HEADER, [])
    with (root / "PEBench.csv").open("a", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(table)
    assert "occurs twice" in refused(root).what
    error = refused(root, benchmark={"columns": {"file": "{person}/{file}"}})
    assert f"there is a file images/{PEOPLE[0]}/0.png" in error.remedy
    assert 'file = "images/{person}/{COLUMN}"' in error.remedy
    found = loaded(root, benchmark={"columns": {"file": "images/{person}/{file}"}})
    assert found == expected


def test_a_name_without_an_ending_is_that_of_the_only_image_that_it_can_mean(root):
    (root / "images" / PEOPLE[0] / "0.png").rename(root / "images" / PEOPLE[0] / "Event-Zero.JPG")
    table = rows()
    for row in table:
        row[0] = row[0].removesuffix(".png")
    table[0][0] = f"images/{PEOPLE[0]}/event zero"
    write_table(root / "PEBench.csv", HEADER, [])
    with (root / "PEBench.csv").open("a", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(table)
    images = {r.image for r in loaded(root).records.values()}
    assert root / "images" / PEOPLE[0] / "Event-Zero.JPG" in images
    (root / "images" / PEOPLE[0] / "event_zero.png").write_bytes(b"another")
    assert "is missing" in refused(root).what, "two files can be meant"


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
