"""How near is a system's distribution to that of Retain-only, token by token?"""

from collections.abc import Callable

import numpy as np

from kit.benchmarks.records import Column, asked_tokens
from kit.errors import DataError
from kit.metrics.statistics import Estimate
from kit.metrics.stored_answers import REMEDY
from kit.metrics.system_metric import Absent, SystemMetric, SystemPart

COLUMNS = (Column.EFFICACY, Column.GENERALITY, Column.RETAIN)
DIVERGENCE, DISTANCE = 0, 1
LIMITS = {DIVERGENCE: (0.0, 1.0), DISTANCE: (0.0, 2**0.5)}


def nearness(which: int) -> Callable[[SystemPart, Column | None], Estimate | Absent]:
    """Return the measure of one distance: its mean over the records of a column."""

    def measure(place: SystemPart, column: Column | None) -> Estimate | Absent:
        assert column is not None, "a metric of columns"
        reference, records = place.retain_only, place.records(column)
        if reference is None:
            return Absent("there is no Retain-only model to compare with")
        if reference == place.name:
            return Absent("this is Retain-only, which the others are compared with")
        if records is None:
            return Absent("the set of this column is empty")
        found, scores = place.measured.nearness, place.measured.scores
        asked = np.array([bool(asked_tokens(scores.records[each])) for each in records.ids])
        if not asked.any():
            return Absent("no reference answer is in free text")
        ids = [each for each, free in zip(records.ids, asked, strict=True) if free]
        try:
            values = np.array([found[place.name, reference, each][which] for each in ids])
        except KeyError as error:
            raise DataError(
                f"a distance of system {place.name} to {reference} is missing",
                expected="the distance of every answer in free text",
                found=f"none for {error}",
                remedy=REMEDY,
            ) from None
        clusters = records.clusters(scores)[asked]
        key = (place.intervals.seed, "nearness", place.name, place.target, place.part, column)
        return place.intervals.mean(values, clusters, limits=LIMITS[which], key=key)

    return measure


METRICS = (
    SystemMetric(
        "divergence_from_retain_only", 1,
        "Jensen-Shannon divergence, in bits, of the next-token distributions of the method and of "
        "Retain-only at each token of the reference answer; mean over its tokens, then over "
        "records. 0: equal. 1: disjoint.",
        nearness(DIVERGENCE), unit="bits", better="lower", columns=COLUMNS,
    ),
    SystemMetric(
        "activation_distance", 1,
        "L2 distance of the same distributions, 0 to 1.414: the activation distance that work on "
        "classifiers takes to a retrained model. Per token, and the mean over tokens and records, "
        "are the kit's own.",
        nearness(DISTANCE), unit="0-1.414", better="lower", columns=COLUMNS,
    ),
)  # fmt: skip
