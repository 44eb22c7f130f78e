"""Metrics: from one answer and one record to one value. They never touch a model.

`DEFINITIONS` holds the newest version of each metric, in the order in which reports print them;
`VERSIONS` holds every version that was ever stored. Which metric stands in which
column is a benchmark's to say (`kit.benchmarks.protocol`).

PEBench scores events with a GPT judge whose prompt, snapshot and number of samples are not
published; the kit's event columns are its own protocol, computed from the keywords that the
benchmark gives for each event.
"""

from kit.benchmarks.records import GROUPS, Concept
from kit.metrics import choices, cloze, form, keywords, likelihoods, naming, overlap, presence
from kit.metrics.definition import Answer, Definition

__all__ = ["DEFINITIONS", "VERSIONS", "Answer", "Definition"]

PERSON, EVENT, PRESENCE, CHOICE, CLOZE, FACT = (frozenset({concept}) for concept in Concept)
ANY = frozenset(Concept)
NO_NAME = "the record names no person"
NO_KEYWORDS = "the record lists no keywords"
NO_REFERENCE = "the reference answer has no words"
NO_LIKELIHOOD = "the record lists nothing that the reference's likelihood is held against"
NO_LETTERS = "the likelihoods of the letters were not measured"
NO_CANDIDATES = "the record lists no wrong answers whose likelihood is measured"
NO_PARAPHRASE = "the record lists no paraphrase, or no wrong answers, to measure the likelihood of"
NO_VERDICT = "the reference is neither yes nor no"
NO_YES = "nothing to count: no right answer is yes, and no answer says yes"

_BY_GROUP = tuple(
    Definition(
        f"{name}_{group}", 1,
        f"{name} of POPE's {group} questions alone, {GROUPS[group]}.",
        presence.within(group, measure), PRESENCE, f"{absent}, or no question is of this kind",
        better="higher", percent=True, weight=presence.within(group, weight) if weight else None,
    )
    for name, measure, weight, absent in (
        ("presence_accuracy", presence.presence_accuracy, None, NO_VERDICT),
        ("presence_f1", presence.presence_f1, presence.f1_weight, NO_YES),
    )
    for group in GROUPS
)  # fmt: skip
_DEFINITIONS = (
    Definition(
        "name_hit", 1,
        "Share of answers that hold the person's whole name as consecutive words, "
        "without regard to case and punctuation.",
        naming.name_hit, PERSON, NO_NAME, better="higher", turns=True, percent=True,
    ),
    Definition(
        "forget_rate", 1,
        "1 - name_hit: share of answers that do not give the true name. "
        "Any other name, or none, counts as forgotten.",
        naming.forget_rate, PERSON, NO_NAME, better="lower", turns=True, percent=True,
    ),
    Definition(
        "keyword_recall", 1,
        "Share of the event's keywords that the answer holds as whole words or phrases, "
        "without regard to case; mean over answers.",
        keywords.keyword_recall, EVENT, NO_KEYWORDS, better="higher", turns=True,
    ),
    Definition(
        "event_forget", 1,
        "1 - keyword_recall: share of the event's keywords that the answer does not hold.",
        keywords.event_forget, EVENT, NO_KEYWORDS, better="lower", turns=True,
    ),
    Definition(
        "rouge_l_recall", 1,
        "Longest common subsequence with the reference / words of the reference "
        "(ROUGE-L recall, Porter stemmer); mean over answers.",
        overlap.rouge_l_recall, EVENT | FACT, NO_REFERENCE, better="higher", turns=True,
    ),
    Definition(
        "rouge_l_f1", 1,
        "Harmonic mean of ROUGE-L precision and recall against the reference "
        "(Porter stemmer); mean over answers.",
        overlap.rouge_l_f1, EVENT | FACT, NO_REFERENCE, better="higher", turns=True,
    ),
    Definition(
        "rouge_1_f1", 1,
        "F1 of the words shared with the reference, in any order (Porter stemmer); "
        "mean over answers.",
        overlap.rouge_1_f1, FACT, NO_REFERENCE, better="higher", turns=True,
    ),
    Definition(
        "rouge_2_f1", 1,
        "F1 of the pairs of neighbouring words shared with the reference (Porter stemmer); "
        "mean over answers.",
        overlap.rouge_2_f1, FACT, NO_REFERENCE, better="higher", turns=True,
    ),
    Definition(
        "bleu", 1,
        "BLEU-4 of each answer against the reference (nltk, smoothing method 1, words between "
        "blanks); mean over answers.",
        overlap.bleu, FACT, NO_REFERENCE, better="higher", turns=True,
    ),
    Definition(
        "choice_accuracy", 1,
        "Share of multiple-choice questions whose right letter is likelier, as the first token of "
        "the answer, than each other letter; a tie is wrong.",
        choices.choice_accuracy, CHOICE, NO_LETTERS, better="higher", turns=True, percent=True,
    ),
    Definition(
        "choice_first_character", 1,
        "Share of multiple-choice questions whose generated answer begins with the right letter, "
        "as in MLLMU-Bench's released code; any word that begins with a letter counts as it.",
        choices.choice_first_character, CHOICE, NO_REFERENCE,
        better="higher", turns=True, percent=True,
    ),
    Definition(
        "choice_unparsed", 1,
        "Share of multiple-choice questions whose generated answer begins with no option's letter.",
        choices.choice_unparsed, CHOICE, "", better="lower",
    ),
    Definition(
        "cloze_hit", 1,
        "Share of blanks whose right words are part of the answer, letter by letter and without "
        "regard to case, as in MLLMU-Bench: female hits male.",
        cloze.cloze_hit, CLOZE, NO_REFERENCE, better="higher", turns=True, percent=True,
    ),
    Definition(
        "cloze_words", 1,
        "Share of blanks whose right words stand in the answer as whole consecutive words, without "
        "regard to case and punctuation.",
        cloze.cloze_words, CLOZE, NO_REFERENCE, better="higher", turns=True, percent=True,
    ),
    Definition(
        "answer_probability", 1,
        "Likelihood of the reference answer, geometric mean over its tokens, the end included; "
        "mean over records.",
        likelihoods.answer_probability, PERSON | FACT, NO_LIKELIHOOD, better="higher", turns=True,
    ),
    Definition(
        "answer_share", 1,
        "Likelihood of the reference answer / sum of its and the wrong answers' likelihoods, each "
        "the geometric mean over tokens; mean over records.",
        likelihoods.answer_share, PERSON | FACT, NO_CANDIDATES, better="higher", turns=True,
    ),
    Definition(
        "truth_ratio", 1,
        "max(0, 1 - R), R = geometric mean of the wrong answers' likelihoods / likelihood of the "
        "paraphrased right answer, all of the same record and per token (TOFU, arXiv 2401.06121, "
        "for what is kept); mean over records.",
        likelihoods.truth_ratio, PERSON | FACT, NO_PARAPHRASE, better="higher", turns=True,
    ),
    Definition(
        "truth_ratio_forget", 1,
        "min(R, 1/R) with the R of truth_ratio (TOFU, arXiv 2401.06121, for what is forgotten): "
        "1 where neither truth nor falsehood is preferred; mean over records.",
        likelihoods.truth_ratio_forget, PERSON | FACT, NO_PARAPHRASE, better="lower", turns=True,
    ),
    Definition(
        "presence_accuracy", 1,
        "Share of yes/no questions whose answer begins with the right one of the two words; "
        "an answer that begins with neither is wrong.",
        presence.presence_accuracy, PRESENCE, NO_VERDICT,
        better="higher", percent=True,
    ),
    Definition(
        "presence_f1", 1,
        "F1 of yes: twice the rightly given yes / (twice these + wrongly given + missing ones). "
        "An answer that begins with neither word is no yes.",
        presence.presence_f1, PRESENCE, NO_YES,
        better="higher", percent=True, weight=presence.f1_weight,
    ),
    *_BY_GROUP,
    Definition(
        "yes_rate", 1,
        "Share of yes/no questions answered with yes, right or wrong.",
        presence.yes_rate, PRESENCE, "",
    ),
    Definition(
        "unparsed", 1,
        "Share of yes/no questions whose answer begins with neither yes nor no.",
        presence.unparsed, PRESENCE, "", better="lower",
    ),
    Definition(
        "repetition", 1,
        "1 - distinct 4-grams / 4-grams of the answer's words; mean over answers "
        "of four words or more.",
        form.repetition, ANY, "no answer has four words", better="lower",
    ),
    Definition(
        "unterminated", 1,
        "Share of answers cut off at the length limit instead of ending by themselves.",
        form.unterminated, ANY, "", better="lower",
    ),
)  # fmt: skip

# A definition that a newer version replaces moves here, so that stored results stay verifiable. One
# that must not be computed any more says why in `retired`.
_EARLIER: tuple[Definition, ...] = ()

DEFINITIONS = {definition.name: definition for definition in _DEFINITIONS}
VERSIONS = {(each.name, each.version): each for each in (*_EARLIER, *_DEFINITIONS)}
