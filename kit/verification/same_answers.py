"""Systems that give nearly the same answers: copies of each other, or methods that change nothing.

Nothing in a result tells these apart, so that they are named and not refused.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from kit.benchmarks.words import words
from kit.experiment.systems import VANILLA
from kit.result.run_file import System, entry_of

# In the two signed references, the nearest are Vanilla and the control that goes on learning what
# is to be kept: they differ in 0.84 % of their answers (`./run.sh bench nearest`). No two seeds of
# a method agree in all, but seeds of that control do in earlier references: it leaves nearly all of
# Vanilla's answers.
NEAR = 0.005
UNLIKE_VANILLA = 0.05  # of the answers of a method, before its seeds have to differ
FEWEST = 16  # questions; fewer are answered alike by chance
MOST_COMPARED = 4_000_000_000  # answers; more would take minutes
NAMED = 5


def same_answer_lines(answers: pd.DataFrame, systems: Sequence[System]) -> Iterator[str]:
    """Yield a line for systems of one target that differ in less than 0.5 % of their answers.

    Answers are compared by their words: a full stop more, or capitals, make no other answer.

    Of two seeds of one method, all answers are alike, and more than 5 % are not Vanilla's.

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
    codes, texts = pd.factorize(answers["text"])
    spoken = pd.factorize(np.array([" ".join(words(text)) or text for text in texts]))[0]
    said[rows, records] = spoken[codes] if len(texts) else codes
    pairs = list(_pairs(said, systems))
    for one, other, differing, asked in pairs[:NAMED]:
        yield (
            f"{one} and {other} answer {asked - differing} of {asked} questions alike: one is a "
            "copy of the other, or both methods change as little"
        )
    if len(pairs) > NAMED:
        yield f"and {len(pairs) - NAMED} more pairs of systems answer alike"


def same_likelihood_lines(table: pd.DataFrame, systems: Sequence[System]) -> Iterator[str]:
    """Yield a line for systems whose likelihoods of all given answers are equal to the last digit.

    Those of two models never are: answers may agree by chance, sums of logarithms do not.

    Args:
        table: likelihoods.parquet.
        systems: those of run.json.
    """
    names = [system["name"] for system in systems]
    keys = pd.util.hash_pandas_object(table[["record_id", "role", "text"]], index=False)
    places = pd.factorize(keys)[0]
    found = np.full((len(names), int(places.max(initial=-1)) + 1), np.nan)
    if found.size * len(names) > MOST_COMPARED:
        yield "the likelihoods of the systems were not compared with each other: there are too many"
        return
    found[pd.Index(names).get_indexer(pd.Index(table["system"])), places] = table["logprob"]
    found[found == 0] = np.nan  # certain: this can be in two models
    pairs = []
    for number, name in enumerate(names):
        both = ~np.isnan(found[:number]) & ~np.isnan(found[number])
        equal = (found[:number] == found[number]).sum(axis=1)
        alike = (both.sum(axis=1) >= FEWEST) & (equal == both.sum(axis=1))
        pairs += [(names[other], name, int(equal[other])) for other in np.flatnonzero(alike)]
    for one, other, count in pairs[:NAMED]:
        yield (
            f"{one} and {other} have equal likelihoods of {count} given answers, to the last "
            "digit: one is a copy of the other"
        )
    if len(pairs) > NAMED:
        yield f"and {len(pairs) - NAMED} more pairs of systems have equal likelihoods"


def _pairs(said: np.ndarray, systems: Sequence[System]) -> Iterator[tuple[str, str, int, int]]:
    """Yield (name, other name, differing answers, common questions) of systems that are alike.

    Args:
        said: number of the text, -1 where a question was not asked, in [systems, records].
        systems: in the same order.
    """
    base = next((n for n, each in enumerate(systems) if each["method"] == VANILLA), None)
    changed = [1.0 if base is None else _share(said[n], said[base]) for n in range(len(systems))]
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
            if one_method and changed[number] <= UNLIKE_VANILLA:
                continue
            limit = 0.0 if one_method else NEAR * common
            if common >= FEWEST and (count == 0 or count < limit):
                yield systems[other]["name"], system["name"], int(count), int(common)


def _share(one: np.ndarray, other: np.ndarray) -> float:
    """Return the share of the common questions that two systems answer in other words."""
    both = (one >= 0) & (other >= 0)
    return float((one[both] != other[both]).mean()) if both.any() else 1.0


def _is_comparable(one: System, other: System) -> bool:
    return None in (one["target"], other["target"]) or one["target"] == other["target"]
