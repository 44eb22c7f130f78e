"""Is a fact forgotten, or kept, in both modalities? UMU-Bench's metrics of single facts.

The formulas are those of the released code (github.com/QDRhhhh/UMU-bench, commit 93b9900, eval.py),
where a fact is asked once with an image (a) and once in text alone (b), both by the metric that the
column prints. The README names AccF, AccR, RLF and RLR; the code prints other names.
"""

from collections.abc import Callable

import numpy as np

from kit.benchmarks.records import Column
from kit.metrics.record_sets import RecordSet
from kit.metrics.statistics import Estimate
from kit.metrics.system_metric import Absent, SystemMetric, SystemPart

ACCURACIES = frozenset({"option_hit", "option_nearest", "cloze_hit"})
OVERLAPS = frozenset({"rouge_l_f1"})
KEPT = (Column.RETAIN, Column.REAL)
NOT_PAIRED = "the benchmark does not ask for single facts in two modalities"

Together = Callable[[np.ndarray, np.ndarray], np.ndarray]


def both_right(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return [n]: 1 where both answers are right ("All Modal Question Accuracy")."""
    return np.asarray(a * b)


def both_wrong(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return [n]: 1 where both answers are wrong ("All Modal Question Error")."""
    return np.asarray((1 - a) * (1 - b))


def harmonic(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return [n] 2ab / (a + b), or 0 where both are 0: high only where both are."""
    return _ratio(2 * a * b, a + b)


def contraharmonic(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return [n] (a² + b²) / (a + b), or 0 where both are 0: low only where both are."""
    return _ratio(a * a + b * b, a + b)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(above, below, out=np.zeros_like(above), where=below > 0))


def of_facts(
    together: Together, metrics: frozenset[str]
) -> Callable[[SystemPart, Column | None], Estimate | Absent]:
    """Return the measure of a column: the mean of `together` over the facts asked in both ways.

    Args:
        metrics: headline metrics of the columns that it is for.
    """

    def measure(place: SystemPart, column: Column | None) -> Estimate | Absent:
        assert column is not None
        pair = _parts(place)
        if isinstance(pair, Absent):
            return pair
        own, other = (place.records(column, part) for part in pair)
        if own is None or other is None:
            return Absent("the set of this column is empty")
        if not {own.headline, other.headline} <= metrics:
            return Absent(f"it is a metric of columns that print {' or '.join(sorted(metrics))}")
        scores = place.measured.scores
        values = [
            dict(zip(_facts(each, place), place.knowledge(place.name, each), strict=True))
            for each in (own, other)
        ]
        owner = dict(zip(_facts(own, place), own.clusters(scores), strict=True))
        facts = [fact for fact in values[0] if fact and fact in values[1]]
        if not facts:
            return Absent(NOT_PAIRED)
        a, b = (np.array([side[fact] for fact in facts]) for side in values)
        if np.isnan(a).any() or np.isnan(b).any():
            return Absent("the headline metric of a column was not measured")
        clusters = np.array([owner[fact] for fact in facts])
        return place.intervals.mean(together(a, b), clusters)

    return measure


def _facts(records: RecordSet, place: SystemPart) -> list[str]:
    return [place.measured.scores.records[name].group for name in records.ids]


def _parts(place: SystemPart) -> tuple[str, str] | Absent:
    """Return the part that a target unlearns from, and the one of the other modality."""
    for own, other in place.measured.protocol.views.get(place.target, ()):
        if own == place.part:
            return own, other
        if other == place.part:
            return Absent(f"it is in the row of {own}, which is asked in the other modality")
    return Absent(NOT_PAIRED)


METRICS = (
    SystemMetric(
        "aligned_accuracy", 1,
        "Share of facts that are answered right both with the image and in text alone "
        "(UMU-Bench's released code).",
        of_facts(both_right, ACCURACIES), columns=(Column.EFFICACY, *KEPT),
    ),
    SystemMetric(
        "aligned_error", 1,
        "Share of facts that are answered wrong both with the image and in text alone: what is "
        "forgotten in both modalities (UMU-Bench's released code).",
        of_facts(both_wrong, ACCURACIES), columns=(Column.EFFICACY, *KEPT),
    ),
    SystemMetric(
        "aligned_rouge_l", 1,
        "2ab / (a + b) of the ROUGE-L a with the image and b in text alone, mean over facts: high "
        "only where the fact is kept in both (UMU-Bench's released code).",
        of_facts(harmonic, OVERLAPS), better="higher", columns=KEPT,
    ),
    SystemMetric(
        "aligned_rouge_l_forget", 1,
        "(a² + b²) / (a + b) of the ROUGE-L a with the image and b in text alone, mean over facts: "
        "low only where the fact is forgotten in both (UMU-Bench's released code).",
        of_facts(contraharmonic, OVERLAPS), better="lower", columns=(Column.EFFICACY,),
    ),
)  # fmt: skip
