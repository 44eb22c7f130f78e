"""The one rule for odd rows: counted by kind, shown everywhere, refused where they are too many."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.benchmarks import load
from kit.benchmarks.left_out import LeftOut, OddRows, few
from kit.describe.benchmark import describe
from kit.describe.text import render
from kit.errors import DataError
from tests.toys.clear import Reader, manifest, tables, unpacked


@given(st.integers(1, 100_000), st.integers(0, 2_000))
def test_one_row_or_one_in_a_hundred_may_be_odd(total, odd):
    assert few(odd, total) == (odd <= 1 or odd / total <= 0.01)


def collected(odd, used, **more):
    rows = OddRows()
    for number in range(odd):
        rows.leave_out("full", f"kind {number % 2}", f"full/x, row {number}", **more)
    rows.require_few("full", used)
    return rows


def test_what_is_left_out_is_counted_by_kind():
    assert collected(3, 297).left_out() == (
        LeftOut("full", "kind 0", 2, 300, "rows", "full/x, row 0"),
        LeftOut("full", "kind 1", 1, 300, "rows", "full/x, row 1"),
    )
    assert str(collected(1, 9).left_out()[0]) == (
        "1 of 10 rows of full: kind 0 (first: full/x, row 0)"
    )
    assert OddRows().left_out() == ()


@pytest.mark.parametrize(("odd", "used"), [(2, 10), (4, 296), (1, 0)])
def test_too_many_odd_rows_are_refused_with_kinds_and_the_first_place(odd, used):
    with pytest.raises(DataError, match=f"{odd} of {odd + used} rows of 'full'") as error:
        collected(odd, used)
    assert "kind 0: " in error.value.found
    assert "first: full/x, row 0" in error.value.found
    assert error.value.remedy


def test_published_forms_are_counted_but_not_held_against_the_share():
    (first, second) = collected(9, 1, published=True).left_out()
    assert (first.count, second.count, first.of) == (5, 4, 10)
    with pytest.raises(DataError, match="9 of 9"):
        collected(9, 0, published=True)


def test_units_are_counted_apart():
    rows = OddRows()
    rows.leave_out("full", "a", "row 0")
    rows.leave_out("full", "b", "row 0, question 1", unit="questions")
    rows.require_few("full", 1)
    rows.require_few("full", 17, "questions")
    assert [(each.unit, each.of) for each in rows.left_out()] == [("rows", 2), ("questions", 18)]


def test_nobody_loses_everything():
    rows = collected(1, 9, person="Ann Lee")
    rows.require_everybody("full", ["ANN\u00a0LEE", "Bo"])
    with pytest.raises(DataError, match="'full' would lose everything about Ann Lee") as error:
        rows.require_everybody("full", ["Bo"])
    assert "kind 0: full/x, row 0" in error.value.found


@pytest.fixture
def described(tmp_path):
    """A description of CLEAR with an odd row in `full` and another in `real_faces`."""
    configs = tables()
    configs["full"][1]["caption"] = None
    configs["real_faces"][2]["options"] = []
    place = unpacked(tmp_path / "data", configs)
    return describe(manifest(), {"clear": place}, load(manifest(), {"clear": place}))


def test_data_describe_shows_what_was_left_out(described):
    text = " ".join(render(described).split())
    assert "Left out 1 of 10 rows of full: column 'caption' is empty" in text
    assert "1 of 3 rows of real_faces: column 'options' is neither a list nor a mapping" in text
    document = json.loads(render(described, as_json=True))
    assert len(document["left_out"]) == 2


def test_nan_in_a_column_of_texts_is_one_odd_row_and_not_a_name(tmp_path):
    configs = tables()
    configs["real_world"][1]["options"] = json.dumps(["a cat", math.nan])
    configs["real_world"][0]["options"] = json.dumps(["a cat", "a dog"])
    configs["real_world"][2]["options"] = json.dumps(["a cat", "a dog"])
    found = Reader(tmp_path / "data")(configs)
    assert [(each.table, each.count) for each in found.left_out] == [("real_world", 1)]
    assert "nan" not in str([record.candidates for record in found.records.values()])
