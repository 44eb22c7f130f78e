"""A probe asks each question about a picture once, with one right answer.

Published files do repeat a few: those of MM-GCoT (2f853fb) ask 2 of their 994 questions twice, with
one answer. More than the rule for odd rows allows are a file that was written twice.
"""

from collections.abc import Sequence

from kit.benchmarks.left_out import MOST_PERCENT, REMEDY, few
from kit.benchmarks.records import Concept, Record
from kit.benchmarks.right_answers import RightAnswers
from kit.errors import DataError

BOX = "["  # begins the box in a reference about a region


def note_repeated(name: str, records: Sequence[Record]) -> tuple[str, ...]:
    """Return a note on the questions that are asked again; () if there are none.

    Args:
        name: of the probe's column.
        records: the questions, all those of the probe.

    Raises:
        DataError: a question has two right answers, or more than one, and more than one in a
            hundred, are asked again.
    """
    right, again = RightAnswers(), []
    for record in records:
        where, answer = f"probe '{name}', question {record.id}", record.answer
        if record.concept is Concept.REGION:
            answer = answer.partition(BOX)[0]
        if before := right.note(record.question, answer, where, image=record.image):
            again.append(f"{record.id}, as {before.rpartition(' ')[2]}")
    if not few(len(again), len(records)):
        raise DataError(
            f"probe '{name}': {len(again)} of {len(records)} questions are asked again",
            expected=f"each question about a picture once; at most one again, or {MOST_PERCENT} %",
            found="; ".join(again[:3]),
            remedy=REMEDY,
        )
    if not again:
        return ()
    first = "; ".join(again[:3])
    return (f"Probe '{name}' asks {len(again)} of {len(records)} questions again: {first}.",)
