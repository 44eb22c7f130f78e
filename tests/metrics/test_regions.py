"""Boxes and answers on the right region: hand-computed, and held against counted pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.benchmarks.records import Concept, Record
from kit.benchmarks.regions import box_in, overlap
from kit.metrics.definition import StoredAnswer
from kit.metrics.regions import region_answer, region_box, region_consistency

# x 0.2 to 0.6, y 0.4 to 0.8, as MM-GCoT states it: left, top, width, height.
RECORD = Record("r", Concept.REGION, "Which?", "White cup [0.200, 0.400, 0.400, 0.400]")
GRID = 40
EDGES = st.integers(0, GRID)


def say(text):
    return StoredAnswer(text, "eos")


@pytest.mark.parametrize(
    ("text", "answer", "box"),
    [
        ("White cup [0.2, 0.4, 0.6, 0.8]", 1.0, 1.0),
        ("white CUP. [200, 400, 600, 800]", 1.0, 1.0),  # thousandths
        ("[0.2, 0.4, 0.6, 0.8] White cup", 1.0, 1.0),
        ("White cup", 1.0, 0.0),
        ("A white cup [0.2, 0.4, 0.6, 0.8]", 0.0, 1.0),
        ("cup", 0.0, 0.0),
        # Width and height instead of corners: 0.2 x 0 of the box is no area.
        ("White cup [0.2, 0.4, 0.4, 0.4]", 1.0, 0.0),
        # 0.4 x 0.2 of 0.4 x 0.4: one half, which is not above one half.
        ("White cup [0.2, 0.4, 0.6, 0.6]", 1.0, 0.0),
        ("White cup [0.2, 0.4, 0.6, 0.61]", 1.0, 1.0),
        ("White cup [0.6, 0.8, 0.2, 0.4]", 1.0, 0.0),  # corners in the wrong order
        ("White cup [0.2, 0.4, 0.6]", 0.0, 0.0),  # no box: its numbers are words of the answer
    ],
)
def test_answer_and_box_are_judged_each_on_its_own(text, answer, box):
    assert region_answer(say(text), RECORD) == answer
    assert region_box(say(text), RECORD) == box


def test_the_mean_consistency_is_the_released_share_of_both_among_at_least_one():
    texts = [
        *["White cup [0.2, 0.4, 0.6, 0.8]"] * 3, *["White cup [0, 0, 0.1, 0.1]"] * 2,
        *["Red [0.2, 0.4, 0.6, 0.8]"] * 1, *["Red"] * 4,
    ]  # fmt: skip
    values = [region_consistency(say(text), RECORD) for text in texts]
    # eval.py: CR / (CR + CM + WR), with 3 of both, 2 of the answer alone and 1 of the box alone.
    assert np.mean([value for value in values if value is not None]) == 3 / (3 + 2 + 1)
    assert values.count(None) == 4


def test_a_reference_without_box_or_words_has_no_value():
    assert region_box(say("cup [0, 0, 1, 1]"), Record("r", Concept.REGION, "?", "cup")) is None
    box_alone = Record("r", Concept.REGION, "?", "[0.1, 0.1, 0.2, 0.2]")
    assert region_answer(say("cup"), box_alone) is None


@given(st.tuples(EDGES, EDGES, EDGES, EDGES), st.tuples(EDGES, EDGES, EDGES, EDGES))
@settings(max_examples=200, deadline=None)
def test_overlap_is_the_share_of_pixels(one, other):
    """By another route: count the cells of a grid that both boxes cover, and that one covers."""
    covered = []
    for left, top, right, bottom in (one, other):
        cells = np.zeros((GRID, GRID), dtype=bool)
        cells[top:bottom, left:right] = True
        covered.append(cells)
    a, b = covered
    union = (a | b).sum()
    expected = (a & b).sum() / union if a.any() and b.any() else 0.0
    scaled = [tuple(float(edge) for edge in box) for box in (one, other)]
    assert overlap(*scaled) == pytest.approx(expected)
    assert overlap(*scaled) == overlap(*reversed(scaled))


@given(st.text(max_size=80))
@settings(max_examples=200, deadline=None)
def test_any_text_has_a_value_and_no_traceback(text):
    for measure in (region_answer, region_box):
        assert measure(say(text), RECORD) in (0.0, 1.0)
    found = box_in(text)
    assert found is None or len(found) == 4


def test_numbers_without_end_are_no_box():
    assert box_in(f"[{'9' * 5000}, 1, 2, 3]") is None
    assert box_in("[1e9, 1, 2, 3]") is None
    assert box_in("[nan, 1, 2, 3] [0.5, 0.5, 1, 1]") == (0.5, 0.5, 1.0, 1.0)
