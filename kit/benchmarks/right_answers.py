"""One question has one right answer: a table that says two is wrong about one of them.

Such rows would make every system wrong once, and no number would show it.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from kit.benchmarks.left_out import OddCell
from kit.benchmarks.options import folded


@dataclass
class RightAnswers:
    """The questions that were read so far, and the right answer of each.

    Two questions are the same if they show the same picture, and if their texts and their options
    differ in nothing but case, blanks, Unicode form and the order of the options.
    """

    _first: dict[object, tuple[str, str]] = field(default_factory=dict)

    def note(
        self,
        question: str,
        answer: str,
        where: str,
        *,
        image: Path | None = None,
        options: Collection[str] = (),
        name: str = "answer",
    ) -> str:
        """Note a question; return where it was asked before, or "".

        Args:
            answer: the right answer; of a choice the text of the option, not its letter.
            where: file and row.
            image: what it is asked about.
            options: the texts that it offers.
            name: the field of the answer, for the error.

        Raises:
            OddCell: the same question had another right answer.
        """
        key = (image, folded(question), frozenset(map(folded, options)))
        place, before = self._first.setdefault(key, (where, answer))
        if folded(before) != folded(answer):
            raise OddCell(
                where,
                name,
                "is not that of the same question before",
                expected=f"{before[:60]!r}, as in {place}",
                found=answer,
            )
        return "" if place == where else place
