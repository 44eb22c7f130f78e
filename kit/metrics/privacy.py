"""Can it be told from the model's losses or gradients that the forget set was in its training?

Members are the Efficacy records, on which Vanilla was trained. Non-members are the records that the
benchmark holds out of all training (`Protocol.holdout`). Without them there is no value.
"""

from collections.abc import Callable

import numpy as np

from kit.benchmarks.records import Column, asked_tokens
from kit.errors import DataError
from kit.metrics.separation import auc
from kit.metrics.statistics import Estimate
from kit.metrics.stored_answers import REMEDY
from kit.metrics.system_metric import Absent, SystemMetric, SystemPart

REFERENCE, GRADIENT, MIN_K = "reference", "gradient", "min_k"
NO_HOLDOUT = "the benchmark has no records that no system was trained on"
NO_RETAIN_ONLY = "there is no Retain-only model to compare with"
DECIMALS = 6
AUC = (
    "AUC of membership inference by {score}: how often a held-out record looks less like training "
    "than a record of the forget set, ties as one half. 1: the forget set looks memorised. 0.5: it "
    "looks like records that were never seen. Near 0: it looks stranger than those. Read it beside "
    "Retain-only's."
)
SCORES = {
    "loss": "the mean loss of the reference answer",
    "zlib": "its mean loss / the bytes of its zlib-compressed text",
    "min_k": "the mean loss of its least likely 40 % of tokens",
    "min_k_plus_plus": "the same of log-probabilities that are standardised by the mean and the "
    "deviation of each token's distribution",
    REFERENCE: "its mean loss minus that of Retain-only",
}
NORM = (
    "the gradient of the reference answer's mean loss (the L2 norm by the weight of each linear "
    "layer that LoRA adapts, mean over layers)"
)


def membership(score: str) -> Callable[[SystemPart, Column | None], Estimate | Absent]:
    """Return the measure of one attack of membership inference; its value is an AUC."""

    def measure(place: SystemPart, _: Column | None) -> Estimate | Absent:
        return _auc(place, place.name, score)

    return measure


def privleak(score: str) -> Callable[[SystemPart, Column | None], Estimate | Absent]:
    """Return the measure 100 ((1 - AUC) - (1 - AUC*)) / (1 - AUC*), AUC* of Retain-only.

    It is that of open-unlearning after MUSE (arXiv 2407.06460), which takes min-k. open-unlearning
    takes AUC* = 0.5 where there is no Retain-only model; here there is then no value.
    """

    def measure(place: SystemPart, _: Column | None) -> Estimate | Absent:
        if place.retain_only is None:
            return Absent(NO_RETAIN_ONLY)
        own, other = (_auc(place, name, score) for name in (place.name, place.retain_only))
        if isinstance(own, Absent):
            return own
        if isinstance(other, Absent):
            return other
        if other.value >= 1:
            return Absent("the AUC of Retain-only is 1, which leaves nothing to divide by")
        leak = round(100 * (other.value - own.value) / (1 - other.value), DECIMALS) + 0.0
        return Estimate(leak, own.n, own.clusters, None, None)

    return measure


def _auc(place: SystemPart, system: str, score: str) -> Estimate | Absent:
    holdout, options = place.measured.protocol.holdout, place.measured.further.options
    if holdout is None:
        return Absent(NO_HOLDOUT)
    if not options.get(holdout.option):
        return Absent(f"{NO_HOLDOUT}: benchmark.options.{holdout.option} is not set")
    forget, held_out = place.records(Column.EFFICACY), place.records(holdout.column)
    if forget is None or held_out is None:
        return Absent("the set of this column is empty")
    values = []
    for records in (forget, held_out):
        found = _scores(place, system, score, records.ids)
        if isinstance(found, Absent):
            return found
        values.append(found)
    known = [~np.isnan(each) for each in values]
    if not all(each.any() for each in known):
        return Absent("the tokens of the reference answers were not measured")
    scores = place.measured.scores
    clusters = [records.clusters(scores) for records in (forget, held_out)]
    intervals = place.intervals
    return auc(
        values[0][known[0]], values[1][known[1]], clusters[0][known[0]], clusters[1][known[1]],
        draws=intervals.draws, seed=intervals.seed,
    )  # fmt: skip


def _scores(
    place: SystemPart, system: str, score: str, ids: tuple[str, ...]
) -> np.ndarray | Absent:
    scores = place.measured.scores
    if score == GRADIENT:
        return _gradients(place, system, ids)
    if score != REFERENCE:
        return scores.reading(system, score, ids)
    if place.retain_only is None:
        return Absent(NO_RETAIN_ONLY)
    own, other = (scores.reading(name, "loss", ids) for name in (system, place.retain_only))
    return np.asarray(own - other)


def _gradients(place: SystemPart, system: str, ids: tuple[str, ...]) -> np.ndarray:
    records, norms = place.measured.scores.records, place.measured.gradients
    asked = [name for name in ids if asked_tokens(records[name])]
    if missing := [name for name in asked if (system, name) not in norms]:
        raise DataError(
            f"the gradient norm of system {system} for record {missing[0]} is missing",
            expected="one for each free answer of the forget set and of the holdout",
            found=f"{len(missing)} are missing",
            remedy=REMEDY,
        )
    return np.array([norms.get((system, name), np.nan) for name in ids])


METRICS = (
    *(
        SystemMetric(f"membership_{name}", 1, AUC.format(score=score), membership(name))
        for name, score in SCORES.items()
    ),
    SystemMetric(
        "privleak", 1,
        "100 ((1 - AUC) - (1 - AUC*)) / (1 - AUC*), with membership_min_k of the method and of "
        "Retain-only (*), as open-unlearning has it after MUSE (arXiv 2407.06460). 0: no easier "
        "and no harder to tell than for Retain-only. Below 0: it still looks like training. Above "
        "0: it looks stranger than what was never seen.",
        privleak(MIN_K), unit="%",
    ),
)  # fmt: skip
OF_GRADIENTS = (
    SystemMetric(
        f"membership_{GRADIENT}", 1,
        f"{AUC.format(score=NORM)} A destroyed model can have small gradients, too: read "
        "perplexity or membership_loss as well. It is open-unlearning's gradnorm (arXiv "
        "2402.17012), which takes all parameters; here all others are frozen in every system.",
        membership(GRADIENT),
    ),
    SystemMetric(
        f"privleak_{GRADIENT}", 1,
        "privleak with membership_gradient in the place of membership_min_k: the kit's own, beside "
        "the published one.",
        privleak(GRADIENT), unit="%",
    ),
)  # fmt: skip
