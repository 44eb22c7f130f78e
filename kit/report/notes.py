"""The sentences of a report that do not depend on its numbers."""

from kit.metrics.statistics import FEW_CLUSTERS_NOTE
from kit.report.claims import HOW
from kit.report.damage import RULE

__all__ = ["COMPARABILITY", "FEW_CLUSTERS_NOTE", "HOW", "INTERVALS", "READING", "RULE"]

READING = (
    "Vanilla has learnt everything and forgot "
    "nothing: the lower bound (the paper's Finetune). Retain-only never saw what is to be "
    "forgotten: the upper bound (the paper's Goal). A good method is close to Retain-only in "
    "every column, not high in one."
)
INTERVALS = (
    "In brackets: 95 % percentile bootstrap over clusters. A cluster is all answers about one "
    "person where people are forgotten, about one event where events are; a yes/no question is a "
    "cluster of its own. Several seeds: the mean, and an interval that spans those of the seeds. "
    "With one seed the interval does not hold what another training run would change; Vanilla and "
    "Retain-only are trained once."
)
COMPARABILITY = (
    "Within this result every method had the same base model, data, questions, answers' length "
    "and metrics: its lines may be compared with each other, best by the paired differences.",
    "A question that has one form, the same in training and evaluation, cannot tell a method that "
    "learnt to refuse that sentence from one that forgot. Refusing methods (PO, DPO, SIU) are to "
    "be read with that in mind.",
)
