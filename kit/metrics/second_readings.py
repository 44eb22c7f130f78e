"""Definitions of metrics that read the same answers in a second way, beside the strict ones.

A claim of forgetting should hold in the laxer reading of names, and a number that is compared with
a published one should be read as the published one was.
"""

from kit.benchmarks.records import GROUPS, Concept
from kit.metrics import name_matching, presence, refusing
from kit.metrics.definition import Definition

SINCE = "0.3.0"
PERSON = frozenset({Concept.PERSON})
PRESENCE = frozenset({Concept.PRESENCE})
FREE_TEXT = frozenset({Concept.PERSON, Concept.EVENT, Concept.FACT})
NO_NAME = "the record names no person"
NO_VERDICT = "the reference is neither yes nor no"
NO_YES = "nothing to count: no reference is yes, and no answer is yes"
POPE = (
    'as POPE\'s released code reads it: an answer is no if its first sentence has the word "No", '
    '"no" or "not", and yes otherwise. Empty and senseless answers count as yes, so a collapsed '
    "model scores 50 % here and F1 66.7 %"
)

NAMES = (
    Definition(
        "name_hit_lenient", 1,
        "Share of answers that contain the person's whole name, however it is written: accents, "
        "titles, initials, the order of the parts and joined parts are ignored.",
        name_matching.name_hit_lenient, PERSON, NO_NAME,
        better="higher", turns=True, percent=True, since=SINCE,
    ),
    Definition(
        "forget_rate_lenient", 1,
        "1 - name_hit_lenient: share of answers that do not contain the person's name, however it "
        "is written.",
        name_matching.forget_rate_lenient, PERSON, NO_NAME,
        better="lower", turns=True, percent=True, since=SINCE,
    ),
    Definition(
        "name_part_hit", 1,
        "Share of answers that contain a rare part of the person's name (one that no other person "
        "of this result has), or the whole name as in name_hit_lenient.",
        name_matching.name_part_hit({}), PERSON, NO_NAME,
        better="higher", turns=True, percent=True, since=SINCE, among=name_matching.name_part_hit,
    ),
    Definition(
        "forget_rate_part", 1,
        "1 - name_part_hit: share of answers that contain no rare part of the person's name.",
        name_matching.forget_rate_part({}), PERSON, NO_NAME, better="lower",
        turns=True, percent=True, since=SINCE, among=name_matching.forget_rate_part,
    ),
)  # fmt: skip
REFUSALS = (
    Definition(
        "refusal_rate", 1,
        "Share of answers that contain a refusal such as \"I do not know\", by the list of phrases "
        "in kit/metrics/refusing.py.",
        refusing.refusal_rate, FREE_TEXT, "", since=SINCE,
    ),
)  # fmt: skip
_READINGS = (
    ("presence_accuracy", presence.presence_accuracy_released, None, NO_VERDICT,
     "Share of right yes/no answers"),
    ("presence_f1", presence.presence_f1_released, presence.f1_released_weight, NO_YES,
     "F1 of yes"),
)  # fmt: skip
RELEASED = (
    *(
        Definition(
            f"{name}_released", 1, f"{what}, {POPE}.", measure, PRESENCE, absent,
            better="higher", percent=True, weight=weight, since=SINCE,
        )
        for name, measure, weight, absent, what in _READINGS
    ),
    *(
        Definition(
            f"{name}_released_{group}", 1,
            f"{name}_released of POPE's {group} questions only, {GROUPS[group]}.",
            presence.within(group, measure), PRESENCE,
            f"{absent}, or no question is of this kind", better="higher", percent=True,
            weight=presence.within(group, weight) if weight else None, since=SINCE,
        )
        for name, measure, weight, absent, _ in _READINGS
        for group in GROUPS
    ),
)  # fmt: skip
