"""Does one result have the answers of another one, apart from a few?

A copy can be written again with its rows in another order, or with other compression. So texts are
compared, not the bytes of the file.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kit.verification.same_answers import NEAR

KEY = ["system", "record_id"]


@dataclass(frozen=True)
class Said:
    """The answers of a result in [answers] numbers: which question of which system, and the text.

    They are sorted by the first. 64 bits of a hash stand for a text: two of them meet by chance
    less often than once in a billion comparisons of results.
    """

    asked: np.ndarray
    texts: np.ndarray

    @classmethod
    def of(cls, answers: pd.DataFrame) -> "Said":
        """Return those of answers.parquet."""
        asked = pd.util.hash_pandas_object(answers[KEY], index=False).to_numpy()
        texts = pd.util.hash_pandas_object(answers["text"], index=False).to_numpy()
        order = np.argsort(asked)
        return cls(asked[order], texts[order])


@dataclass(frozen=True)
class Shared:
    """How many answers to the same questions of the same systems are equal in two results."""

    equal: int
    common: int

    @property
    def is_copy(self) -> bool:
        """Say whether all are, or all but 0.5 %: a copy, or equal work on a like machine."""
        return self.common > 0 and self.common - self.equal < max(1, NEAR * self.common)

    def __str__(self) -> str:
        if self.equal == self.common:
            return f"all {self.common}"
        return f"{self.equal} of {self.common}"


def shared(one: Said, other: Said) -> Shared:
    """Compare the answers of two results."""
    _, here, there = np.intersect1d(
        one.asked, other.asked, assume_unique=True, return_indices=True
    )  # fmt: skip
    return Shared(int((one.texts[here] == other.texts[there]).sum()), len(here))
