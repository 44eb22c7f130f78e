"""Record: one question about one image, and the sets that an experiment makes of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from kit.errors import DataError


class Concept(StrEnum):
    """What a question asks for."""

    PERSON = "person"
    EVENT = "event"
    PRESENCE = "presence"


class Target(StrEnum):
    """What is to be forgotten."""

    PERSON = "person"
    EVENT = "event"
    BOTH = "both"


class Column(StrEnum):
    """The six columns of PEBench's Table 1."""

    EFFICACY = "efficacy"
    GENERALITY = "generality"
    RETAIN = "retain"
    SCOPE = "scope"
    REAL = "real"
    WORLD = "world"


@dataclass(frozen=True)
class Record:
    """One question with its reference answer; `id` is unique within a benchmark."""

    id: str
    concept: Concept
    question: str
    answer: str
    image: Path | None = None
    person: str = ""
    event: str = ""
    keywords: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Split:
    """Record ids of one target.

    `forget` is what unlearning sees (D^f_train), `retain` is D^r, what the retain-only model is
    trained on; `evaluation` maps (half of the table, column) to the ids it is computed from.
    """

    target: Target
    forget: tuple[str, ...]
    retain: tuple[str, ...]
    evaluation: Mapping[tuple[Concept, Column], tuple[str, ...]]


@dataclass(frozen=True)
class Benchmark:
    """All records of a benchmark by id, and who learns which of them.

    `finetune` is what the vanilla model learns (D^r and D^f); `rehearsal` is general knowledge that
    may be mixed into fine-tuning, disjoint from every evaluated record.
    """

    name: str
    records: Mapping[str, Record]
    finetune: tuple[str, ...]
    splits: Mapping[Target, Split]
    rehearsal: tuple[str, ...] = ()


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
