"""Metrics: from one answer and one record to one value. They never touch a model.

`DEFINITIONS` is the registry, in the order in which reports print it. `HEADLINE` says which
metric stands in which column of PEBench's tables.

PEBench scores events with a GPT judge whose
prompt, snapshot and number of samples are not published; the kit's event columns are its own
protocol, computed from the keywords that the benchmark gives for each event.
"""

from kit.metrics import naming, presence, text
from kit.metrics.definition import Answer, Definition
from kit.records import Column, Concept

__all__ = ["COLUMNS", "DEFINITIONS", "HEADLINE", "Answer", "Definition"]

PERSON, EVENT, PRESENCE = (frozenset({concept}) for concept in Concept)
ANY = frozenset(Concept)
NO_NAME = "the record names no person"
NO_KEYWORDS = "the record lists no keywords"
NO_REFERENCE = "the reference answer has no words"

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
        text.keyword_recall, EVENT, NO_KEYWORDS, better="higher", turns=True,
    ),
    Definition(
        "event_forget", 1,
        "1 - keyword_recall: share of the event's keywords that the answer does not hold.",
        text.event_forget, EVENT, NO_KEYWORDS, better="lower", turns=True,
    ),
    Definition(
        "rouge_l_recall", 1,
        "Longest common subsequence with the reference / words of the reference "
        "(ROUGE-L recall, Porter stemmer); mean over answers.",
        text.rouge_l_recall, EVENT, NO_REFERENCE, better="higher", turns=True,
    ),
    Definition(
        "rouge_l_f1", 1,
        "Harmonic mean of ROUGE-L precision and recall against the reference "
        "(Porter stemmer); mean over answers.",
        text.rouge_l_f1, EVENT, NO_REFERENCE, better="higher", turns=True,
    ),
    Definition(
        "presence_accuracy", 1,
        "Share of yes/no questions whose answer begins with the right one of the two words; "
        "an answer that begins with neither is wrong.",
        presence.presence_accuracy, PRESENCE, "the reference is neither yes nor no",
        better="higher", percent=True,
    ),
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
        text.repetition, ANY, "no answer has four words", better="lower",
    ),
    Definition(
        "unterminated", 1,
        "Share of answers cut off at the length limit instead of ending by themselves.",
        text.unterminated, ANY, "", better="lower",
    ),
)  # fmt: skip

DEFINITIONS = {definition.name: definition for definition in _DEFINITIONS}

_HEADLINE = {
    Concept.PERSON: ("forget_rate", "forget_rate", "name_hit", "rouge_l_f1", "name_hit"),
    Concept.EVENT: ("event_forget", "event_forget", "keyword_recall", "name_hit", "rouge_l_f1"),
}
HEADLINE = {
    (half, column): metric
    for half, metrics in _HEADLINE.items()
    for column, metric in zip(Column, (*metrics, "presence_accuracy"), strict=True)
}

# The (half, column) pairs that PEBench prints for each target, in table order.
COLUMNS = {
    "person": tuple((Concept.PERSON, column) for column in Column),
    "event": tuple((Concept.EVENT, column) for column in Column),
    # Scope asks for the other concept, which is forgotten as well when both are the target.
    "both": tuple(
        (half, column)
        for half in (Concept.PERSON, Concept.EVENT)
        for column in Column
        if column is not Column.SCOPE
    ),
}
