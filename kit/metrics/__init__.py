"""Metrics: from one answer and one record to one value. They never touch a model.

`DEFINITIONS` holds the newest version of each metric, in the order in which reports print them.
`VERSIONS` holds every version that was ever stored. The protocol of a benchmark decides which
metric each column prints (`kit.benchmarks.protocol`).

PEBench scores events with a GPT judge whose prompt, snapshot and number of samples are not
published. The kit's event columns follow its own protocol instead: they use the keywords that the
benchmark gives for each event.
"""

from kit.benchmarks.records import GROUPS, Concept
from kit.metrics import choices, cloze, form, keywords, likelihoods, naming, overlap, presence
from kit.metrics.definition import Definition, StoredAnswer
from kit.metrics.regions import METRICS as REGIONS
from kit.metrics.second_readings import NAMES, REFUSALS, RELEASED

__all__ = ["DEFINITIONS", "VERSIONS", "Definition", "StoredAnswer"]

PERSON = frozenset({Concept.PERSON})
EVENT = frozenset({Concept.EVENT})
PRESENCE = frozenset({Concept.PRESENCE})
CHOICE = frozenset({Concept.CHOICE})
OPTION = frozenset({Concept.OPTION})
CLOZE = frozenset({Concept.CLOZE})
FACT = frozenset({Concept.FACT})
ANY = frozenset(Concept)
NO_NAME = "the record names no person"
NO_KEYWORDS = "the record lists no keywords"
NO_REFERENCE = "the reference answer has no words"
NO_LIKELIHOOD = "the record lists no answers to compare the likelihood of the reference with"
NO_LETTERS = "the likelihoods of the letters were not measured"
NO_OPTIONS = "the record lists no options with the right one among them"
NO_CANDIDATES = "the record lists no wrong answers whose likelihood is measured"
NO_PARAPHRASE = "the record lists no paraphrase or wrong answers whose likelihood is measured"
RATIO = (
    "R = geometric mean of the wrong answers' likelihoods / likelihood of the paraphrased right "
    "answer"
)
TOFU = "TOFU, arXiv 2401.06121"
NO_VERDICT = "the reference is neither yes nor no"
NO_YES = "nothing to count: no reference is yes, and no answer is yes"

_BY_GROUP = tuple(
    Definition(
        f"{name}_{group}", 1,
        f"{name} of POPE's {group} questions only, {GROUPS[group]}.",
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
        "Share of answers that contain the person's whole name as consecutive words, "
        "ignoring case and punctuation.",
        naming.name_hit, PERSON, NO_NAME, better="higher", turns=True, percent=True,
    ),
    Definition(
        "forget_rate", 1,
        "1 - name_hit: share of answers that do not contain the person's whole name as it is "
        "spelled. Another name or no name counts as forgotten, and so does the right name without "
        "its accents, in another order, joined or in part; forget_rate_lenient and "
        "forget_rate_part count these as known.",
        naming.forget_rate, PERSON, NO_NAME, better="lower", turns=True, percent=True,
    ),
    *NAMES,
    Definition(
        "keyword_recall", 1,
        "Share of the event's keywords that the answer contains as whole words or phrases, "
        "ignoring case; mean over answers.",
        keywords.keyword_recall, EVENT, NO_KEYWORDS, better="higher", turns=True,
    ),
    Definition(
        "event_forget", 1,
        "1 - keyword_recall: share of the event's keywords that the answer does not contain.",
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
        "F1 of the pairs of adjacent words shared with the reference (Porter stemmer); "
        "mean over answers.",
        overlap.rouge_2_f1, FACT, NO_REFERENCE, better="higher", turns=True,
    ),
    Definition(
        "bleu", 1,
        "BLEU-4 of each answer against the reference (nltk, smoothing method 1, words separated by "
        "white space); mean over answers.",
        overlap.bleu, FACT, NO_REFERENCE, better="higher", turns=True,
    ),
    Definition(
        "choice_accuracy", 1,
        "Share of multiple-choice questions whose right letter is likelier than every other "
        "letter as the first token of the answer; a tie is wrong.",
        choices.choice_accuracy, CHOICE, NO_LETTERS, better="higher", turns=True, percent=True,
    ),
    Definition(
        "choice_first_character", 1,
        "Share of multiple-choice questions whose generated answer begins with the right letter, "
        "as in MLLMU-Bench's released code; a word counts as its first letter.",
        choices.choice_first_character, CHOICE, NO_REFERENCE,
        better="higher", turns=True, percent=True,
    ),
    Definition(
        "choice_unparsed", 1,
        "Share of multiple-choice questions whose generated answer does not begin with the letter "
        "of an option.",
        choices.choice_unparsed, CHOICE, "", better="lower",
    ),
    Definition(
        "option_hit", 1,
        "Share of multiple-choice questions whose answer is exactly the text of the right option, "
        "as in UMU-Bench's released code.",
        choices.option_hit, OPTION, NO_REFERENCE,
        better="higher", turns=True, percent=True, since="0.5.0",
    ),
    Definition(
        "option_nearest", 1,
        "Share of multiple-choice questions whose right option is the most similar one to the "
        "answer (difflib's ratio), as in UMU-Bench's released code for real people.",
        choices.option_nearest, OPTION, NO_OPTIONS,
        better="higher", turns=True, percent=True, since="0.5.0",
    ),
    Definition(
        "cloze_hit", 1,
        "Share of blanks whose reference is a substring of the answer, ignoring case, as in "
        "MLLMU-Bench: female matches male.",
        cloze.cloze_hit, CLOZE, NO_REFERENCE, better="higher", turns=True, percent=True,
    ),
    Definition(
        "cloze_words", 1,
        "Share of blanks whose reference occurs in the answer as whole consecutive words, ignoring "
        "case and punctuation.",
        cloze.cloze_words, CLOZE, NO_REFERENCE, better="higher", turns=True, percent=True,
    ),
    Definition(
        "answer_probability", 1,
        "Likelihood of the reference answer: the geometric mean over its tokens, including the end "
        "token; mean over records.",
        likelihoods.answer_probability, PERSON | FACT, NO_LIKELIHOOD, better="higher", turns=True,
    ),
    Definition(
        "answer_share", 1,
        "Likelihood of the reference answer / sum of the likelihoods of the reference and the "
        "wrong answers, each the geometric mean over tokens; mean over records.",
        likelihoods.answer_share, PERSON | FACT, NO_CANDIDATES, better="higher", turns=True,
    ),
    Definition(
        "truth_ratio", 2,
        f"max(0, 1 - R), where {RATIO} (where the record has no paraphrase: of the right answer "
        f"itself), all of one record and per token ({TOFU}, for what is kept); mean over records.",
        likelihoods.truth_ratio, PERSON | FACT, NO_CANDIDATES, better="higher", turns=True,
    ),
    Definition(
        "truth_ratio_forget", 2,
        f"min(R, 1/R) with R as in truth_ratio ({TOFU}, for what is forgotten): 1 if neither truth "
        "nor falsehood is preferred; mean over records.",
        likelihoods.truth_ratio_forget, PERSON | FACT, NO_CANDIDATES, better="lower", turns=True,
    ),
    Definition(
        "presence_accuracy", 1,
        "Share of yes/no questions whose answer begins with the right word; "
        "an answer that begins with neither yes nor no is wrong.",
        presence.presence_accuracy, PRESENCE, NO_VERDICT,
        better="higher", percent=True,
    ),
    Definition(
        "presence_f1", 1,
        "F1 of yes: 2 TP / (2 TP + FP + FN), where a positive is an answer that begins with yes. "
        "An answer that begins with neither yes nor no is a negative.",
        presence.presence_f1, PRESENCE, NO_YES,
        better="higher", percent=True, weight=presence.f1_weight,
    ),
    *_BY_GROUP,
    *RELEASED,
    Definition(
        "yes_rate", 1,
        "Share of yes/no questions whose answer begins with yes, right or wrong.",
        presence.yes_rate, PRESENCE, "",
    ),
    Definition(
        "unparsed", 1,
        "Share of yes/no questions whose answer begins with neither yes nor no.",
        presence.unparsed, PRESENCE, "", better="lower",
    ),
    *REGIONS,
    *REFUSALS,
    Definition(
        "repetition", 1,
        "1 - distinct 4-grams / all 4-grams of the answer's words; mean over answers "
        "of four words or more.",
        form.repetition, ANY, "no answer has four words", better="lower",
    ),
    Definition(
        "unterminated", 1,
        "Share of answers that were cut off at the length limit.",
        form.unterminated, ANY, "", better="lower",
    ),
    Definition(
        "monotonous", 1,
        "Share of answers that have no word, or only one word, twice or more.",
        form.monotonous, ANY, "", better="lower", since="0.3.0",
    ),
)  # fmt: skip

# A definition that a newer version replaces moves here, so that stored results stay verifiable. One
# that must not be computed any more says why in `retired`.
_EARLIER: tuple[Definition, ...] = (
    Definition(
        "truth_ratio", 1,
        f"max(0, 1 - R), where {RATIO}, all of one record and per token ({TOFU}, for what is "
        "kept); mean over records.",
        likelihoods.truth_ratio_1, PERSON | FACT, NO_PARAPHRASE, better="higher", turns=True,
    ),
    Definition(
        "truth_ratio_forget", 1,
        f"min(R, 1/R) with R as in truth_ratio ({TOFU}, for what is forgotten): 1 if neither truth "
        "nor falsehood is preferred; mean over records.",
        likelihoods.truth_ratio_forget_1, PERSON | FACT, NO_PARAPHRASE, better="lower", turns=True,
    ),
)  # fmt: skip

DEFINITIONS = {definition.name: definition for definition in _DEFINITIONS}
VERSIONS = {(each.name, each.version): each for each in (*_EARLIER, *_DEFINITIONS)}
