"""Record: one question about one image, and the sets that an experiment makes of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from kit.errors import DataError

# Answers to a question about presence, and POPE's three kinds of such questions.
VERDICTS = ("yes", "no")
GROUPS = {
    "random": "whose absent objects are drawn at random",
    "popular": "whose absent objects are frequent ones",
    "adversarial": "whose absent objects often stand beside those in the image",
}


class Concept(StrEnum):
    """What a question asks for; it decides which metrics exist for its answer."""

    PERSON = "person"  # a name
    EVENT = "event"  # a description of the scene
    PRESENCE = "presence"  # yes or no
    CHOICE = "choice"  # the letter of one of several options
    CLOZE = "cloze"  # the words that fill a blank
    FACT = "fact"  # free text about a person: an answer of a profile, a caption


class Column(StrEnum):
    """What a column of a table is for; the names are PEBench's, each benchmark prints its own."""

    EFFICACY = "efficacy"
    GENERALITY = "generality"
    RETAIN = "retain"
    SCOPE = "scope"
    REAL = "real"
    WORLD = "world"


@dataclass(frozen=True)
class Record:
    """One question with its reference answer; `id` is unique within a benchmark.

    `candidates` are answers whose likelihood is measured: the letters of a choice, or wrong answers
    that the reference is held against; `paraphrase` is the reference in other words. `group` tells
    apart the records of one set that a benchmark reports separately (POPE's three kinds).
    """

    id: str
    concept: Concept
    question: str
    answer: str
    image: Path | None = None
    person: str = ""
    event: str = ""
    keywords: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    paraphrase: str = ""
    group: str = ""


def asked_likelihoods(record: Record) -> set[tuple[str, str]]:
    """Return the (role, text) whose likelihood is measured for a record; none for most.

    A choice is among its letters. Anything else is held against the reference answer.
    """
    asked = {("candidate", text) for text in record.candidates}
    if record.paraphrase:
        asked.add(("paraphrase", record.paraphrase))
    if asked and record.concept is not Concept.CHOICE:
        asked.add(("answer", record.answer))
    return asked


@dataclass(frozen=True)
class Split:
    """Record ids of one target.

    `forget` is what unlearning sees (D^f_train), `retain` is D^r, what the retain-only model is
    trained on; `evaluation` maps (part of the table, column) to the ids it is computed from.
    """

    target: str
    forget: tuple[str, ...]
    retain: tuple[str, ...]
    evaluation: Mapping[tuple[str, Column], tuple[str, ...]]


@dataclass(frozen=True)
class Benchmark:
    """All records of a benchmark by id, and who learns which of them.

    `finetune` is what the vanilla model learns (D^r and D^f); `rehearsal` is general knowledge that
    may be mixed into fine-tuning, disjoint from every evaluated record. `notes` say what of the
    published files was left out, and how much, for whoever looks at the data.
    """

    name: str
    records: Mapping[str, Record]
    finetune: tuple[str, ...]
    splits: Mapping[str, Split]
    rehearsal: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def by_id(records: Iterable[Record]) -> dict[str, Record]:
    """Index records by id.

    Raises:
        DataError: an id occurs twice.
    """
    index: dict[str, Record] = {}
    for record in records:
        if record.id in index:
            raise DataError(
                f"record id {record.id} occurs twice", remedy="remove the doubled row of the data"
            )
        index[record.id] = record
    return index
