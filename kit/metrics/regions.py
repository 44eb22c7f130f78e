"""Answers with the box of their region, as in MM-GCoT (arXiv 2503.12799).

The reference of a record is the answer followed by its box, [x, y, width, height] in shares of the
image. An answer gives a box by its corners, [x1, y1, x2, y2], in shares or in thousandths.
"""

from kit.benchmarks.records import Concept, Record
from kit.benchmarks.regions import Box, box_in, overlap, without_boxes
from kit.benchmarks.words import words
from kit.metrics.definition import Definition, StoredAnswer

RIGHT_OVERLAP = 0.5  # MM-GCoT's eval.py: a box is right above this
THOUSANDTHS = 1000


def region_answer(answer: StoredAnswer, record: Record) -> float | None:
    """Return 1.0 if the words of the answer, boxes aside, are those of the reference, else 0.0.

    None if the reference has no words.
    """
    right = words(without_boxes(record.answer))
    return float(words(without_boxes(answer.text)) == right) if right else None


def region_box(answer: StoredAnswer, record: Record) -> float | None:
    """Return 1.0 if the answer's first box overlaps the reference by more than half, else 0.0.

    None if the reference has no box.
    """
    stated = box_in(record.answer)
    if stated is None:
        return None
    x, y, width, height = stated
    found = _corners(answer.text)
    return float(
        found is not None and overlap(found, (x, y, x + width, y + height)) > RIGHT_OVERLAP
    )


def region_consistency(answer: StoredAnswer, record: Record) -> float | None:
    """Return 1.0 if answer and box are right, 0.0 if one of them is; None if neither is.

    The mean of a set is then eval.py's share: both right / at least one right.
    """
    said, seen = region_answer(answer, record), region_box(answer, record)
    return float(bool(said and seen)) if said or seen else None


def _corners(text: str) -> Box | None:
    box = box_in(text)
    if box is None or max(box) <= 1:
        return box
    left, top, right, bottom = (each / THOUSANDTHS for each in box)
    return left, top, right, bottom


_REGION = frozenset({Concept.REGION})
METRICS = (
    Definition(
        "region_answer", 1,
        "Share of questions whose answer, boxes aside, has the words of the reference, ignoring "
        "case and punctuation (MM-GCoT's answer accuracy).",
        region_answer, _REGION, "the reference has no words",
        better="higher", percent=True, since="0.5.0",
    ),
    Definition(
        "region_box", 1,
        "Share of questions whose answer has a box that overlaps the reference by more than half: "
        "intersection over union above 0.5 (MM-GCoT's grounding accuracy).",
        region_box, _REGION, "the reference has no box",
        better="higher", percent=True, since="0.5.0",
    ),
    Definition(
        "region_consistency", 1,
        "Of the questions whose answer or box is right: the share where both are (MM-GCoT's "
        "consistency).",
        region_consistency, _REGION, "no answer and no box is right",
        better="higher", percent=True, since="0.5.0",
    ),
)  # fmt: skip
