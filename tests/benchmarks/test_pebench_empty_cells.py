"""What programs write for an empty cell of PEBench's tables is empty, and numbers are no names."""

import pytest

from tests.toys.dataset import loaded, refused, replaced, rows

pytest_plugins = ["tests.toys.pebench_fixtures"]
NAME, EVENT, DESCRIPTION, KEYWORDS = 1, 2, 3, 4
EMPTY = ["nan", "NaN", "None", "<NA>", "NULL"]


def with_cells(cells, row=1):
    table = [[*each] for each in rows()]
    for place, cell in cells.items():
        table[row][place] = cell
    return table


@pytest.mark.parametrize("cell", EMPTY)
@pytest.mark.parametrize("place", [NAME, DESCRIPTION])
def test_a_cell_that_says_nothing_is_an_empty_one(root, place, cell):
    """Otherwise a person nan would be taught, and nan as the right answer."""
    replaced(root, with_cells({place: ""}))
    expected = refused(root)
    replaced(root, with_cells({place: cell}))
    assert refused(root).what == expected.what


@pytest.mark.parametrize("cell", EMPTY)
def test_a_portrait_whose_event_says_nothing_is_left_out(root, cell):
    replaced(root, with_cells({EVENT: "", DESCRIPTION: ""}))
    expected = loaded(root)
    replaced(root, with_cells({EVENT: cell, DESCRIPTION: cell}))
    assert loaded(root) == expected


def test_keywords_in_brackets_are_a_list(root):
    """Without this, the brackets of NumPy would make one keyword of all."""
    first = rows()[1][KEYWORDS]
    expected = loaded(root)
    listed = [word.strip() for word in first.split(";")]
    replaced(root, with_cells({KEYWORDS: repr(listed)}))
    assert loaded(root) == expected
    replaced(root, with_cells({KEYWORDS: repr([*listed, "more"]).replace(",", "")}))
    assert "a cell that is no list" in refused(root).what


def test_numbers_in_place_of_all_names_are_refused(root):
    table = [[*each] for each in rows()]
    numbers = {name: str(n) for n, name in enumerate(dict.fromkeys(row[NAME] for row in table))}
    for row in table:
        row[NAME] = numbers[row[NAME]]
    replaced(root, table)
    assert "have no letters" in refused(root).what
