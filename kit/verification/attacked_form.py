"""What was asked under attack: which records, with which words and pictures.

Who drops the questions that brought the knowledge back contradicts the attack, of which the kind
decides what it can ask. `tests/verification/test_attacked_form.py` holds the names below together
with the classes of `kit.attacks`, which need torch and are not imported here.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise

import pandas as pd

from kit.benchmarks.records import Concept
from kit.experiment.attack import AttackEntry

# Attacks by the name of their file in kit/attacks/.
ON_PICTURES = frozenset({"blank_image", "blur", "crop", "noise", "other_image", "pgd", "text_only"})
MADE_PICTURES = frozenset({"blank_image", "blur", "crop", "noise", "pgd"})
OWN_PICTURES = frozenset({"pgd"})  # of each system
OWN_WORDS = frozenset(
    {"first_letters", "in_context", "other_language", "paraphrase", "prefix_injection", "retrieval",
     "role_play"}
)  # fmt: skip
WHOLE = frozenset(
    {"early_exit", "relearn_related", "relearn_unrelated", "round_int", "round_nf4"} | OWN_WORDS
    | (ON_PICTURES - {"other_image"})
)  # fmt: skip
# They tell a part of the answer, and leave out questions that offer their answers. Earlier
# kits asked these as well.
TELLING = frozenset({"first_letters", "retrieval"})
OFFERED = frozenset({Concept.CHOICE, Concept.OPTION, Concept.PRESENCE})
RELEARNED = "relearn_forget"
LEAVES_OUT = frozenset({"other_image", "probe_head", RELEARNED})
KNOWN = WHOLE | LEAVES_OUT
# Standard deviations by which the number of relearned questions may be off.
MAX_DEVIATION = 5
_DIGEST = re.compile(r"[0-9a-f]{64}")


def applicable(
    entry: AttackEntry, drawn: frozenset[str], pictured: frozenset[str]
) -> frozenset[str]:
    """Return the drawn records that an attack can ask, before it leaves any out itself.

    Args:
        entry: the attack.
        drawn: records that are drawn for the target.
        pictured: all records that have a picture.
    """
    return drawn & pictured if entry.attack in ON_PICTURES else drawn


def choice_fault(
    entry: AttackEntry,
    level: float,
    asked: frozenset[str],
    all_: frozenset[str],
    offered: frozenset[str] = frozenset(),
) -> str:
    """Return why an attack cannot have asked these of all records that it applies to, or "".

    Args:
        entry: the attack.
        level: of the attack.
        asked: records.
        all_: those that it applies to.
        offered: all records whose questions offer their answers.
    """
    if entry.attack in TELLING and asked == all_ - offered:
        return ""
    if asked == all_ or entry.attack not in WHOLE | {RELEARNED}:
        return ""
    if entry.attack in WHOLE:
        return f"{len(asked)} records are asked, not all {len(all_)} that it applies to"
    # A share of the forget set was relearned and is not asked; some of it is no drawn record.
    if entry.options.get("subjects") is True:
        return ""  # the share is of people: see `unchecked_choice`
    share, count = min(level, 1.0), len(all_)
    relearned = share * count + MAX_DEVIATION * math.sqrt(share * (1 - share) * count) + 1
    if count - len(asked) <= relearned:
        return ""
    return f"{count - len(asked)} of {count} records are left out, though {share:.0%} was relearned"


def unchecked_choice(
    entry: AttackEntry, level: float, asked: frozenset[str], all_: frozenset[str]
) -> str:
    """Return what this project cannot know of the choice of records, or ""."""
    where = f"{entry.name} at {level:g}"
    if entry.attack not in KNOWN:
        return f"{where}: this kit has no attack '{entry.attack}'; what it asks was not checked"
    if asked == all_ or entry.attack in WHOLE:
        return ""
    left = len(all_) - len(asked)
    return (
        f"{where} does not ask {left} of {len(all_)} drawn questions, because it trains on them; "
        "the choice was not checked"
    )


def nested_faults(
    entry: AttackEntry, asked: Mapping[float, frozenset[str]], count: int
) -> Iterator[str]:
    """Yield levels of relearning that do not leave out all that a lower level leaves out.

    Where all of the forget set is relearned, every record is asked. Which share of people is all of
    them cannot be known here.

    Args:
        entry: the attack.
        asked: {level: records}.
        count: of all records that it applies to.
    """
    if entry.attack != RELEARNED:
        return
    people = entry.options.get("subjects") is True
    partial = sorted(
        level for level, ids in asked.items()
        if (len(ids) < count if people else math.ceil(level * count) < count)
    )  # fmt: skip
    for low, high in pairwise(partial):
        if not asked[high] <= asked[low]:
            yield f"{entry.name} at {high:g} asks records that were relearned at {low:g}"


def wording_faults(
    entry: AttackEntry, table: pd.DataFrame, questions: Mapping[str, str]
) -> Iterator[str]:
    """Yield rows with another question or picture than that of all systems, or of the record.

    A system may be given an instruction before its question.

    Args:
        entry: the attack.
        table: its rows for one target and level.
        questions: {record: its question without an attack}.
    """
    words: dict[str, list[str]] = defaultdict(list)
    shown: dict[str, set[str]] = defaultdict(set)
    for name, question, picture in zip(
        table["record_id"], table["question"], table["picture"], strict=True
    ):
        words[name].append(question)
        shown[name].add(picture)
    free = entry.attack in OWN_WORDS or entry.attack not in KNOWN
    for name, said in words.items():
        right = min(said, key=len) if free else questions[name]
        if not all(each == right or each.endswith(f" {right}") for each in said):
            yield f"{name}: the systems are not asked the same question"
        pictures = shown[name]
        if len(pictures) > 1 and entry.attack in KNOWN - OWN_PICTURES:
            yield f"{name}: the systems are not shown the same picture"
        for picture in pictures:
            made = _DIGEST.fullmatch(picture) is not None
            if (picture and not made) or (
                entry.attack in KNOWN and made != (entry.attack in MADE_PICTURES)
            ):
                yield f"{name}: the picture is {picture[:80]!r}, no digest of one that it makes"
