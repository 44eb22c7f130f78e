"""Families of further metrics: a manifest asks for them in `evaluation.metrics`.

A family has metrics of answers, which become rows of every column like those of the tables, and
metrics of whole systems.
"""

from collections.abc import Iterable, Mapping

from kit.benchmarks.records import Concept
from kit.experiment.judge import JUDGE
from kit.experiment.settings import (
    ALIGNED,
    DISTANCE,
    FLUENCY,
    GRADIENT,
    LIKELIHOOD,
    MULTIMODAL,
)
from kit.metrics import (
    DEFINITIONS,
    VERSIONS,
    aligned,
    fluency,
    form,
    judgement,
    memorisation,
    nearness,
    privacy,
    quality,
    views,
)
from kit.metrics.definition import Definition
from kit.metrics.system_metric import SystemMetric

SystemMetrics = Mapping[str, SystemMetric]
# Versions of metrics of whole systems that a newer one has replaced: stored results name them.
EARLIER_OF_SYSTEMS = quality.EARLIER
SINCE = "0.5.0"
FREE_TEXT = frozenset({Concept.PERSON, Concept.EVENT, Concept.CLOZE, Concept.FACT})
NO_TOKENS = "the record has no reference answer in free text"
NOT_READ = "Vanilla has not read the answers"
NOT_JUDGED = "the judge has not read the answers"
NO_CANDIDATES = "the record lists no wrong answers whose likelihood is measured"

OF_ANSWERS: Mapping[str, tuple[Definition, ...]] = {
    LIKELIHOOD: (
        Definition(
            "probability", 1,
            "Probability of the reference answer: the geometric mean over its tokens, including "
            "the end token (TOFU, arXiv 2401.06121); mean over records.",
            memorisation.probability, FREE_TEXT, NO_TOKENS,
            better="higher", turns=True, since=SINCE,
        ),
        Definition(
            "truth_ratio_prob", 1,
            "P / (P + P_wrong) = 1 / (1 + R), with R as in truth_ratio: the form that "
            "open-unlearning added to TOFU's two. 0.5: truth and falsehood are equally likely; "
            "mean over records.",
            memorisation.truth_ratio_prob, FREE_TEXT, NO_CANDIDATES,
            better="higher", turns=True, since=SINCE,
        ),
        Definition(
            "exact_memorisation", 1,
            "Share of the reference's tokens that are the likeliest after the true ones before "
            "them, without the end token; mean over records.",
            memorisation.exact_memorisation, FREE_TEXT, NO_TOKENS,
            better="higher", turns=True, since=SINCE,
        ),
        Definition(
            "extraction_strength", 1,
            "1 - k / T: k is the smallest number of the reference's T tokens after which all "
            "further ones are the likeliest, without the end token. 0 where the last one is not; "
            "mean over records.",
            memorisation.extraction_strength, FREE_TEXT, NO_TOKENS,
            better="higher", turns=True, since=SINCE,
        ),
    ),
    FLUENCY: (
        Definition(
            "probability_under_vanilla", 1,
            "Probability that Vanilla gives to the generated answer: the geometric mean over its "
            "tokens, and its end token where it ended by itself; mean over answers. It is 1 / "
            "perplexity of each answer. Low: broken text, or what Vanilla would not say.",
            form.probability_under_vanilla, frozenset(Concept), NOT_READ, since=SINCE,
        ),
        # Of the answers alone, and in every result: shown beside it.
        *(DEFINITIONS[name] for name in ("repetition", "monotonous", "unterminated")),
    ),
    JUDGE: (
        Definition(
            "judged", 1,
            "How well the judge of the manifest finds that the answer agrees with the reference: "
            "the values of its replies, weighted by their probabilities (G-Eval, arXiv "
            "2303.16634); mean over records. A judge errs: read its answers beside the number.",
            judgement.judged, FREE_TEXT, NOT_JUDGED,
            better="higher", turns=True, since=SINCE,
        ),
    ),
}  # fmt: skip
OF_SYSTEMS: Mapping[str, tuple[SystemMetric, ...]] = {
    LIKELIHOOD: (*privacy.METRICS, *quality.METRICS),
    DISTANCE: nearness.METRICS,
    MULTIMODAL: views.METRICS,
    ALIGNED: aligned.METRICS,
    GRADIENT: privacy.OF_GRADIENTS,
    FLUENCY: fluency.METRICS,
}


def answer_metrics(families: Iterable[str]) -> dict[str, Definition]:
    """Return {name: metric of answers}: those of all results, then those of some families."""
    more = [each for family in families for each in OF_ANSWERS.get(family, ())]
    return {**DEFINITIONS, **{each.name: each for each in more}}


def versions_of_answers() -> dict[tuple[str, int], Definition]:
    """Return {(name, version): metric of answers} of every version that was ever stored."""
    more = [each for family in OF_ANSWERS.values() for each in family]
    return {**VERSIONS, **{(each.name, each.version): each for each in more}}


def names_of_all() -> frozenset[str]:
    """Return the names of all metrics that the kit has or had."""
    of_systems = (each.name for family in OF_SYSTEMS.values() for each in family)
    return frozenset([*(name for name, _ in versions_of_answers()), *of_systems])


def system_metrics(families: Iterable[str]) -> dict[str, SystemMetric]:
    """Return {name: metric of whole systems} of some families."""
    return {each.name: each for family in families for each in OF_SYSTEMS.get(family, ())}


def versions_of_systems(families: Iterable[str]) -> dict[tuple[str, int], SystemMetric]:
    """Return {(name, version): metric of whole systems} of some families, every version."""
    newest = system_metrics(families)
    earlier = [each for each in EARLIER_OF_SYSTEMS if each.name in newest]
    return {(each.name, each.version): each for each in (*newest.values(), *earlier)}
