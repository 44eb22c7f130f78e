"""The sentences of a report that do not depend on its numbers."""

from kit.metrics.statistics import FEW_CLUSTERS_NOTE
from kit.report.claims import HOW
from kit.report.damage import RULE

__all__ = [
    "COMPARABILITY", "DISTANCE", "FEW_CLUSTERS_NOTE", "HEALTH", "HOW", "INTERVALS", "READING",
    "RULE", "SAMPLES", "TERMS",
]  # fmt: skip

READING = (
    "Vanilla is fine-tuned on everything and unlearns nothing: it is the lower bound (PEBench's "
    "Finetune). Retain-only is fine-tuned without the forget set: it is the upper bound (PEBench's "
    "Goal). A good method is close to Retain-only in every column, not just high in one."
)
INTERVALS = (
    "Brackets hold 95 % percentile bootstrap intervals over clusters. With several seeds, the "
    "value is their mean, and the interval spans the intervals of all seeds. With one seed, the "
    "interval does not cover the variation between training runs. Vanilla and Retain-only are "
    "trained once."
)
DISTANCE = "Each value minus the value of Retain-only, paired on the same records."
HEALTH = (
    "A broken model appears to forget everything, so check that a method still writes sound text. "
    "The table shows the worst column of each method (0-1, lower is better)."
)
SAMPLES = (
    "The first records of each set by record id, from two people (or events) each. The choice does "
    "not depend on the answers."
)
TERMS = {
    "Target": "what a method is asked to forget: people, events or both, for example.",
    "Forget set, retain set": "the records to be forgotten, and those to be kept.",
    "System": "one model that answers: Vanilla, Retain-only, or one method with one target and "
    "one seed.",
    "Cluster": "all answers about one person, or about one event where events are forgotten. A "
    "record without either, such as a yes/no question, is a cluster of its own. Clusters are "
    "resampled as a whole, because answers about one person are right or wrong together.",
    "n": "the number of answers that have a value.",
    "Absent": "there is no value, for the stated reason. An absent value is never counted as 0.",
    "Over-forgets, collapsed": "marks of damage; the rule stands below the tables.",
    "Canary": "a check that every adapter changes the model at all.",
    "Engine agreement": "a check that the answers are those of the model that was trained.",
}
COMPARABILITY = (
    "All methods of this result share the base model, the data, the questions, the maximum answer "
    "length and the metrics. Their rows can be compared with each other, most precisely by the "
    "paired differences.",
    "A question with the same wording in training and evaluation cannot distinguish a method that "
    "learned to refuse that question from one that forgot. Read the refusal methods (PO, DPO, SIU) "
    "with this in mind.",
)
