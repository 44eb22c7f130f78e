"""Whether a system still answers: a collapsed model forgets everything and has forgotten nothing.

Part of version 2 of the rule of verdicts: a change here needs another version of that rule.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from kit.benchmarks.records import Column, Concept
from kit.benchmarks.words import words
from kit.experiment.systems import VANILLA
from kit.metrics.definition import StoredAnswer
from kit.metrics.eligibility import CHANCE
from kit.metrics.form import repetition
from kit.metrics.rows import Measured, RecordSet

KEPT = (Column.RETAIN, Column.SCOPE, Column.REAL, Column.WORLD)
MAX_BROKEN = 0.25  # of all answers; below 0.03 in the sound systems of the small experiment
MAX_ALIKE = 0.5  # of the answers about what is kept, yes/no questions and letters aside
MIN_KEPT = 0.25  # of Vanilla's score above chance, the mean over the columns that should be kept
MAX_REPETITION = 0.5  # of an answer's 4-grams
SHORTEST_LOOP = 3  # words: "no, no" is an answer, "US US US" is none
ONE_WORD = frozenset({Concept.PRESENCE, Concept.CHOICE})


def unsound(system: str, target: str, measured: Measured) -> str:
    """Return why the answers of a system are broken, or "" if they are sound.

    They are broken if one of these holds for the records of the target:

    - more than a quarter of all answers are empty, cut off at the length limit, or repeat
      themselves;
    - more than half of the answers about what should be kept are one and the same (questions whose
      answer is yes, no or a letter aside);
    - of what should be kept (Retain, Scope, Real and World), less than a quarter of Vanilla's score
      above chance is left, on average over the columns.

    A refusal is a sound answer to a question about what is forgotten. Answers to probes do not
    count: a base may know none of their forms.
    """
    groups = _asked(target, measured)
    kept = [group for group in groups if group.column in KEPT]
    texts = _texts(system, measured)
    if (broken := _broken_share(texts, groups)) > MAX_BROKEN:
        return f"{100 * broken:.0f} % of them are empty, cut off, or repeat themselves"
    told = {name for group in kept for name in group.ids
            if measured.scores.records[name].concept not in ONE_WORD}  # fmt: skip
    alike = Counter(" ".join(words(texts[name][0])) for name in told if name in texts)
    if alike and (times := max(alike.values())) > MAX_ALIKE * len(told):
        share = f"{100 * times / len(told):.0f} %"
        return f"{share} of those about what should be kept are one and the same"
    left = kept_share(system, kept, measured)
    if left is not None and left < MIN_KEPT:
        return f"{100 * left:.0f} % of Vanilla's score for what should be kept is left"
    return ""


def broken_share(system: str, target: str, measured: Measured) -> float:
    """Return the share in [0, 1] of a system's answers about a target that are broken."""
    groups = _asked(target, measured)
    return _broken_share(_texts(system, measured), groups)


def _asked(target: str, measured: Measured) -> list[RecordSet]:
    """Return the columns of a target that have records, probes aside."""
    own = (group for group in measured.groups if group.target == target and group.ids)
    return [group for group in own if group.column is not Column.PROBE]


def _texts(system: str, measured: Measured) -> dict[str, tuple[str, str]]:
    """Return {record: (answer, why generation stopped)} of a system."""
    of = (measured.answers["system"] == system).to_numpy(dtype=bool)
    ids, said, stops = (measured.answers[n].array[of] for n in ("record_id", "text", "stop"))
    return dict(zip(ids, zip(said, stops, strict=True), strict=True))


def _broken_share(texts: Mapping[str, tuple[str, str]], groups: Sequence[RecordSet]) -> float:
    asked = {name for group in groups for name in group.ids}
    broken = [name for name in asked if name in texts and is_broken(*texts[name])]
    return len(broken) / len(asked) if asked else 0.0


@lru_cache(maxsize=1 << 16)  # seeds and methods give many equal answers
def is_broken(text: str, stop: str) -> bool:
    """Say whether an answer is empty, cut off, or repeats itself."""
    said = words(text)
    if not said or stop == "length":
        return True
    if len(said) >= SHORTEST_LOOP and len(set(said)) == 1:
        return True
    # `repetition` reads nothing of the record.
    repeated = repetition(StoredAnswer(text, stop), None)  # type: ignore[arg-type]
    return repeated is not None and repeated >= MAX_REPETITION


def kept_share(system: str, kept: Sequence[RecordSet], measured: Measured) -> float | None:
    """Return the share in [0, 1] of Vanilla's score above chance that is left: the mean of columns.

    Columns in which Vanilla is no better than chance, or that were not measured, do not count; None
    if there is no other.
    """
    shares = []
    for group in kept:
        mine, vanilla = (value_in(group, name, measured) for name in (system, VANILLA))
        floor = CHANCE.get(group.headline, 0.0)
        if mine is not None and vanilla is not None and vanilla > floor:
            shares.append(min(1.0, max(0.0, (mine - floor) / (vanilla - floor))))
    return round(float(np.mean(shares)), 9) if shares else None


def value_in(group: RecordSet, system: str, measured: Measured) -> float | None:
    """Return the headline value of a system in a column; None if it was not measured."""
    scores = measured.scores
    if system not in scores.rows or not scores.has(system, group.ids):
        return None
    if group.headline not in scores.definitions:
        return None
    values = scores.of(system, group.headline, group.ids)
    weights = scores.weights_of(system, group.headline, group.ids)
    exists = np.isfinite(values)
    if not exists.any():
        return None
    return float(np.average(values[exists], weights=None if weights is None else weights[exists]))
