"""Which of OFFSIDE's fourteen facts a question asks for.

The README asks for each in one wording. A file that the released code wrote from its training data
(train_data.json of commit 90f5ac6) asks for them in hundreds, such as "I'm curious about the
transfer fee for the player shown in this image." Of a player's kept images, "next club" is the club
that is shown. A question is read where its words belong to one fact alone; any other is odd.
"""

import re

from kit.benchmarks.offside.protocol import PRIVATE, SHARED
from kit.benchmarks.words import words

# The fourteen questions of the README, by the facts that they ask for.
QUESTIONS = {
    "What is the name of the player in the image?": ("name", SHARED),
    "How old is the player in the image?": ("age", SHARED),
    "What is the position of the player in the image?": ("position", SHARED),
    "What is the nationality of the player in the image?": ("nationality", SHARED),
    "When was the player in the image born?": ("birth", SHARED),
    "What is the height of the player in the image?": ("height", SHARED),
    "Which foot does the player in the image use?": ("foot", SHARED),
    "Where was the player in the image born?": ("birthplace", SHARED),
    "Which club is the player in the image going to play?": ("next club", PRIVATE),
    "Which club did the player in the image transfer from?": ("last club", PRIVATE),
    "What is the date of the transfer of the player in the image?": ("date", PRIVATE),
    "What was the transfer fee for the player in the image?": ("fee", PRIVATE),
    "What was the market value for the player in the image?": ("value", PRIVATE),
    "How many trophies did this player win at the club in the image?": ("trophies", PRIVATE),
}
_KNOWN = {words(question): asked for question, asked in QUESTIONS.items()}
_KINDS = dict(QUESTIONS.values())
_MOVED = r"(transfer(red|ring)?|mov(e|ed|ing)|c[ao]m(e|ing)|arriv(e|ed|ing))"
_THEN = (
    r"(represent\w*|associated|affiliat\w*|part of|at (that|the) (time|moment)|(during|in) that)"
)
# Words of a question, without case and punctuation, by the fact that they belong to.
_WORDINGS = {
    "age": r"\bage\b|\bhow old\b",
    "position": r"\bposition\b|\brole\b",
    "nationality": r"\bnationality\b|\bcountry\b",
    "birth": r"\bbirth ?date\b|\bdate of birth\b|\bbirthday\b|\bwhen\b.*\bborn\b",
    "height": r"\bheight\b|\bhow tall\b",
    "foot": r"\bfoot(ed)?\b",
    "birthplace": r"\bbirth ?place\b|\bplace of birth\b|\bwhere\b.*\bborn\b|\boriginat\w+\b"
    r"|\boriginally from\b",
    "next club": r"\bjoin(s|ing)?\b|\bgoing to play\b|\b(will|set to) (be )?play(ing)?\b"
    rf"|\b(transfer(ring)?|mov(e|ing)) to\b|\b(club|team)\b.*\b({_THEN}|play(s|ing)? for)\b",
    "last club": rf"\bprevious(ly)?\b|\bformer(ly)?\b|\b{_MOVED} from\b|\btransfer history\b",
    "date": r"\btransfer date\b|\b(when|date)\b.*\btransfer(red)?\b",
    "fee": r"\bfee\b",
    "value": r"\bmarket valu(e|ation)\b|\bvaluation\b",
    "trophies": r"\btroph(y|ies)\b",
    "name": r"\bname\b|\bidentity\b|\bidentify\b|\bwho\b",
}
# What is mentioned beside these does not count: trophies are won "at the club", for example.
_FIRST = ("trophies", "fee", "value")


def fact_of(question: str) -> tuple[str, str] | None:
    """Return (fact, whether all images of a player share it); None if it is not certain."""
    if known := _KNOWN.get(words(question)):
        return known
    said = " ".join(words(question))
    found = [fact for fact, wording in _WORDINGS.items() if re.search(wording, said)]
    first = [fact for fact in found if fact in _FIRST]
    # A question for any fact may contain "who" or "name".
    found = first or [fact for fact in found if fact != "name"] or found
    return (found[0], _KINDS[found[0]]) if len(found) == 1 else None
