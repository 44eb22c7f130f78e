"""The sentences of a report that do not depend on its numbers."""

from kit.report.verdicts import RULE
from kit.statistics import FEW_CLUSTERS_NOTE

__all__ = ["COLUMNS", "COMPARABILITY", "FEW_CLUSTERS_NOTE", "INTERVALS", "READING", "RULE"]

READING = (
    "Higher is better in every column, as in PEBench. Vanilla has learnt everything and forgot "
    "nothing: the lower bound (the paper's Finetune). Retain-only never saw what is to be "
    "forgotten: the upper bound (the paper's Goal). A good method is close to Retain-only in "
    "every column, not high in one."
)
COLUMNS = (
    ("Efficacy", "the forget images that unlearning is given: is the concept forgotten?"),
    ("Generality", "other images of the same concept: does forgetting reach them?"),
    ("Retain", "what should be kept, from the retain set that unlearning may use: still known?"),
    ("Scope", "the forgotten images, asked for the other concept: is it untouched?"),
    ("Real", "other pictures of people and scenes that the base model knew: is it still right?"),
    ("World", "yes/no questions about objects: does the model still see?"),
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
    "The numbers published in PEBench v1 (arXiv 2503.12545) were measured on other data and "
    "models, with splits, prompts and matching rules that are not published. Hold only "
    "directions against them, never values.",
    "PEBench scores events with G-Eval; its prompt, judge snapshot and number of samples are not "
    "published. The event columns here are the kit's own protocol, keyword recall, without a "
    "judge.",
    "World is the accuracy of yes/no answers. PEBench prints one POPE number and does not say "
    "whether it is accuracy or F1.",
    "P-World and E-World of Table 2 are the same answers of the same model. In the paper's Table 2 "
    "they differ.",
    "Generality measures other images of the same concept. Vanilla was trained on them too, as in "
    "PEBench: the column is about how far unlearning reaches, not about memorisation.",
    "Every concept has one form of question, the same in training and evaluation: a method that "
    "learnt to refuse that sentence cannot be told from one that forgot. Refusing methods (PO, "
    "DPO, SIU) are to be read with that in mind.",
    "SIU is given one image of each concept, so most Efficacy images are new to it. Forgetting "
    "both at once, some Generality images were seen with the other question.",
    "Efficacy of events is 1 minus the share of keywords: one word of four that survives leaves "
    "0.75, and it may be the word that names the event.",
    "Efficacy in people is 100 % for any model that names nobody, or anybody, at random. It means "
    "something only beside Retain, Real and World.",
)
