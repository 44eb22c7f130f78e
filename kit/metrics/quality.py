"""TOFU's two numbers of a whole model (arXiv 2401.06121): forget quality and model utility."""

from collections.abc import Collection, Iterator
from statistics import harmonic_mean

import numpy as np

from kit.benchmarks.records import Column
from kit.metrics.ranks import kolmogorov_smirnov
from kit.metrics.statistics import Estimate
from kit.metrics.system_metric import Absent, SystemMetric, SystemPart

KEPT = (Column.RETAIN, Column.REAL, Column.WORLD)
OFFERED = (Column.REAL, Column.WORLD)  # where probability is that of the right one of some options
NO_RATIOS = "the records list no wrong answers, so there is no truth ratio"
SHARE = "answer_share"
DECIMALS = 6


def forget_quality(place: SystemPart, _: Column | None) -> Estimate | Absent:
    """Return p of the Kolmogorov-Smirnov test of the truth ratios against Retain-only's."""
    found = _smirnov(place)
    return found if isinstance(found, Absent) else _number(found[1], found[2])


def forget_distance(place: SystemPart, _: Column | None) -> Estimate | Absent:
    """Return the statistic D of the same test: the largest distance of the two distributions."""
    found = _smirnov(place)
    return found if isinstance(found, Absent) else _number(found[0], found[2])


def model_utility(place: SystemPart, _: Column | None) -> Estimate | Absent:
    """Return the harmonic mean of probability, ROUGE-L recall and truth ratio of what is kept.

    Each is a mean over the records of Retain, Real and World, as far as the part has these columns:
    nine numbers, as in TOFU, where it has all. Probability is that of the answer in Retain. In Real
    and World it is that of the right answer among the options (`answer_share`), as in TOFU. 0 if
    one of the numbers is 0. Absent if one is missing: a mean of fewer would be another metric.
    """
    return _utility(place, OFFERED)


def model_utility_1(place: SystemPart, _: Column | None) -> Estimate | Absent:
    """Return version 1 of `model_utility`: its probability is that of the answer everywhere."""
    return _utility(place, ())


def _utility(place: SystemPart, offered: Collection[Column]) -> Estimate | Absent:
    values = []
    for name, found in _components(place, offered):
        known = found[~np.isnan(found)]
        if not len(known):
            return Absent(f"no {name} was measured")
        values.append(float(known.mean()))
    if not values:
        return Absent("no column that should be kept was measured")
    return _number(harmonic_mean(values), len(values))


def _components(place: SystemPart, offered: Collection[Column]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (name, [n] values) of the numbers of model utility."""
    scores, name = place.measured.scores, place.name
    for column in KEPT:
        records = place.records(column)
        if records is not None:
            ids = records.ids
            ratios = scores.reading(name, "log_truth_ratio", ids)
            if column in offered:
                yield f"probability among options in {column}", scores.of(name, SHARE, ids)
            else:
                yield f"probability in {column}", np.exp(-scores.reading(name, "loss", ids))
            yield f"ROUGE-L in {column}", scores.reading(name, "rouge_l_recall", ids)
            yield f"truth ratio in {column}", np.maximum(0.0, -np.expm1(np.minimum(ratios, 0.0)))


def _smirnov(place: SystemPart) -> tuple[float, float, int] | Absent:
    """Return D, p and the number of records."""
    records = place.records(Column.EFFICACY)
    if records is None:
        return Absent("the set of this column is empty")
    if place.retain_only is None:
        return Absent("there is no Retain-only model to compare with")
    scores = place.measured.scores
    ours, theirs = (
        scores.reading(name, "log_truth_ratio", records.ids)
        for name in (place.name, place.retain_only)
    )
    both = ~(np.isnan(ours) | np.isnan(theirs))
    if not both.any():
        return Absent(NO_RATIOS)
    return *kolmogorov_smirnov(ours[both], theirs[both]), int(both.sum())


def _number(value: float, n: int) -> Estimate:
    return Estimate(round(value, DECIMALS) + 0.0, n, 0, None, None)


METRICS = (
    SystemMetric(
        "forget_quality", 1,
        "p of a two-sample Kolmogorov-Smirnov test: the truth ratios R of the Efficacy records, of "
        "the method against Retain-only (TOFU, arXiv 2401.06121). It falls with the number of "
        "records, so compare it with equal n alone, and read forget_quality_distance beside it.",
        forget_quality,
    ),
    SystemMetric(
        "forget_quality_distance", 1,
        "The statistic D of that test: the largest distance of the two distribution functions. 0: "
        "equal distributions. It does not depend on the number of records as p does.",
        forget_distance, better="lower",
    ),
    SystemMetric(
        "model_utility", 2,
        "Harmonic mean of probability, ROUGE-L recall and truth ratio in Retain, Real and World "
        "(TOFU, arXiv 2401.06121), as far as the part has these columns; n counts the numbers. In "
        "Real and World, probability is answer_share. 0 if one is 0, absent if one is missing.",
        model_utility, better="higher",
    ),
)  # fmt: skip
EARLIER = (
    SystemMetric(
        "model_utility", 1,
        "Harmonic mean of probability, ROUGE-L recall and truth ratio in Retain, Real and World "
        "(TOFU, arXiv 2401.06121), as far as the part has these columns; n counts the numbers. 0 "
        "if one is 0, absent if one is missing.",
        model_utility_1, better="higher",
    ),
)  # fmt: skip
