"""Are the generated answers still the language of a sound model?

Vanilla, which nothing was made to forget, reads every answer. Broken text is unlikely for it. So is
every answer that it would not give: where a system has forgotten, read Retain-only's beside it.
"""

import math

import numpy as np

from kit.benchmarks.records import Column
from kit.metrics.statistics import Estimate
from kit.metrics.system_metric import Absent, SystemMetric, SystemPart

COLUMNS = (Column.EFFICACY, Column.GENERALITY, Column.RETAIN)
LOSS = "loss_under_vanilla"  # the reading
MOST_NATS = 100.0  # a mean loss above it counts as this: e^100 says no more than e^200
DECIMALS = 6


def perplexity(place: SystemPart, column: Column | None) -> Estimate | Absent:
    """Return exp of the mean loss: over the tokens of each answer, then over the answers.

    It has no interval, because it has no upper limit.
    """
    assert column is not None, "a metric of columns"
    records = place.records(column)
    if records is None:
        return Absent("the set of this column is empty")
    scores = place.measured.scores
    losses = scores.reading(place.name, LOSS, records.ids)
    value = math.exp(min(float(losses.mean()), MOST_NATS))
    clusters = len(np.unique(records.clusters(scores)))
    return Estimate(round(value, DECIMALS), len(losses), clusters, None, None)


METRICS = (
    SystemMetric(
        "perplexity", 1,
        "Perplexity under Vanilla of the generated answers: e to its mean loss in nats, over the "
        "tokens of each answer (and its end token where it ended by itself), then over answers. 1: "
        "Vanilla would say the same with certainty. High: broken text, or what Vanilla would not "
        "say, such as another name; so compare what is forgotten with Retain-only. It has no upper "
        "limit, and so no interval; probability_under_vanilla has one.",
        perplexity, unit="1 or more", columns=COLUMNS,
    ),
)  # fmt: skip
