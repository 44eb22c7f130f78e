"""What the options count: the paper's people and events, what is extra, what is missing."""

import pytest

from kit.benchmarks.pebench.events import published
from tests.toys.dataset import EVENTS, HEADER, PEOPLE, loaded, refused, replaced, rows

pytest_plugins = ["tests.toys.pebench_fixtures"]

COUNTED = {"options": {"people": 6, "events": 4}}
LISTED = ["Park-Jogging", "media_interview", "city walk", "snowshoeing"]


def listed_rows():
    """Return the toy's rows with events of the paper in the place of its own."""
    return [[*row[:2], LISTED[EVENTS.index(row[2])], *row[3:]] for row in rows()]


def portraits():
    """Return a row a person that is at no event of the paper."""
    return [[f"images/{p}/41.png", p, "reference portrait", "a face", "face"] for p in PEOPLE]


@pytest.mark.parametrize("columns", [5, 4])
def test_rows_of_events_that_the_paper_does_not_list_are_left_out_and_noted(root, columns):
    """With and without a column of keywords: a portrait has none in the published table."""
    header = HEADER[:columns]
    expected = loaded(replaced(root, [row[:columns] for row in listed_rows()], header))
    more = [row[:columns] for row in [*portraits(), *listed_rows()]]
    found = loaded(replaced(root, more, header), benchmark=COUNTED)
    assert found.records == expected.records
    assert found.splits.keys() == expected.splits.keys()
    assert found.notes == (
        "6 rows of events that the paper does not list are left out: reference portrait (6)",
    )


def test_without_the_option_every_event_counts(root):
    found = loaded(replaced(root, [*listed_rows(), *portraits()]))
    assert found.notes == ()
    assert "reference portrait" in {record.event for record in found.records.values()}


def test_a_misspelt_event_is_left_out_and_named_by_the_error_of_the_count(root):
    table = [[*r[:2], r[2].replace("snowshoeing", "snow showing"), *r[3:]] for r in listed_rows()]
    error = refused(replaced(root, table), benchmark=COUNTED)
    assert "the table has 3 events, not 4" in error.what
    assert "left out: snow showing (6)" in error.found


def test_events_of_which_the_paper_lists_none_all_count(root):
    assert loaded(root, benchmark=COUNTED).notes == ()


def test_a_person_who_is_not_at_every_event_is_named(root):
    error = refused(replaced(root, listed_rows()[1:]), benchmark=COUNTED)
    assert "1 of 24 pairs" in error.what
    assert error.expected == "6 people x 4 events, 1 each: 24 images"
    assert f"23 images: {PEOPLE[0]} at {LISTED[0]} (0)" in error.found
    assert loaded(root, benchmark={"options": {"people": 6}}).records, "one option counts alone"


def test_a_second_image_of_one_pair_is_named(root):
    second = ["images/Person Number5/again.png", *listed_rows()[-1][1:]]
    error = refused(replaced(root, [*listed_rows(), second]), benchmark=COUNTED)
    assert f"25 images: {PEOPLE[5]} at {LISTED[3]} (2)" in error.found


def test_several_images_of_every_pair_are_as_good_as_one(root):
    again = [[row[0].replace(".png", "b.png"), *row[1:]] for row in listed_rows()]
    found = loaded(replaced(root, [*listed_rows(), *again]), benchmark=COUNTED)
    assert len(found.finetune) == 2 * 48


def test_the_paper_counts_eight_thousand(root):
    names = list(published()["keywords"])
    table = [
        [f"images/P{i}/{j}.png", f"P{i}", name, "a scene", "a word"]
        for i in range(200)
        for j, name in enumerate(names)
    ]
    for name in PEOPLE:
        for image in (root / "images" / name).iterdir():
            image.unlink()
    counted = {"options": {"people": 200, "events": 40}}
    assert len(loaded(replaced(root, table), benchmark=counted).finetune) == 2 * 8000
    assert "7999 images" in refused(replaced(root, table[:-1]), benchmark=counted).found
