"""Systems that give nearly the same answers: copies of each other, or methods that change nothing.

Nothing in a result tells these apart, so that they are named and not refused.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from kit.result.run_file import System, entry_of

# In the two signed references, the nearest are Vanilla and the control that goes on learning what
# is to be kept: they differ in 0.84 % of their answers. No two seeds of a method agree in all.
NEAR = 0.005
FEWEST = 16  # questions; fewer are answered alike by chance
MOST_COMPARED = 4_000_000_000  # answers; more would take minutes
NAMED = 5


def same_answer_lines(answers: pd.DataFrame, systems: Sequence[System]) -> Iterator[str]:
    """Yield a line for systems of one target that differ in less than 0.5 % of their answers.

    Of two seeds of one method, all answers are alike.

    Args:
        answers: answers.parquet.
        systems: those of run.json.
    """
    names = [system["name"] for system in systems]
    records = pd.factorize(answers["record_id"])[0]
    said = np.full((len(names), int(records.max(initial=-1)) + 1), -1, dtype=np.int32)
    if said.size * len(names) > MOST_COMPARED:
        yield "the answers of the systems were not compared with each other: there are too many"
        return
    rows = pd.Index(names).get_indexer(pd.Index(answers["system"]))
    said[rows, records] = pd.factorize(answers["text"])[0]
    pairs = list(_pairs(said, systems))
    for one, other, differing, asked in pairs[:NAMED]:
        yield (
            f"{one} and {other} answer {asked - differing} of {asked} questions alike: one is a "
            "copy of the other, or both methods change as little"
        )
    if len(pairs) > NAMED:
        yield f"and {len(pairs) - NAMED} more pairs of systems answer alike"


def _pairs(said: np.ndarray, systems: Sequence[System]) -> Iterator[tuple[str, str, int, int]]:
    """Yield (name, other name, differing answers, common questions) of systems that are alike.

    Args:
        said: number of the text, -1 where a question was not asked, in [systems, records].
        systems: in the same order.
    """
    for number, system in enumerate(systems):
        others = np.array(
            [n for n in range(number) if _is_comparable(system, systems[n])], dtype=np.intp
        )
        if not len(others):
            continue
        both = (said[others] >= 0) & (said[number] >= 0)
        asked = both.sum(axis=1)
        differing = ((said[others] != said[number]) & both).sum(axis=1)
        for other, common, count in zip(others, asked, differing, strict=True):
            one_method = entry_of(dict(system)) == entry_of(dict(systems[other]))
            limit = 0.0 if one_method else NEAR * common
            if common >= FEWEST and (count == 0 or count < limit):
                yield systems[other]["name"], system["name"], int(count), int(common)


def _is_comparable(one: System, other: System) -> bool:
    return None in (one["target"], other["target"]) or one["target"] == other["target"]
