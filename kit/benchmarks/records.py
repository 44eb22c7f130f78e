"""Records: questions about images, and the sets that an experiment forms from them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from kit.benchmarks.left_out import LeftOut
from kit.errors import DataError
from kit.names import show

# The answers to a question about presence, and POPE's three kinds of such questions.
VERDICTS = ("yes", "no")
GROUPS = {
    "random": "whose absent objects are drawn at random",
    "popular": "whose absent objects are frequent in the data",
    "adversarial": "whose absent objects often occur together with those in the image",
}


class Concept(StrEnum):
    """What a question asks for. It decides which metrics exist for the answer."""

    PERSON = "person"  # a name
    EVENT = "event"  # a description of the scene
    PRESENCE = "presence"  # yes or no
    CHOICE = "choice"  # the letter of one of several options
    OPTION = "option"  # the text of one of several options
    CLOZE = "cloze"  # the words that fill a blank
    FACT = "fact"  # free text about a person: an answer from a profile, or a caption
    REGION = "region"  # a word or phrase, and the box of the region that it is about


class Column(StrEnum):
    """The purpose of a table column: PEBench's six, and two that are the kit's own.

    `REWORDED` asks what is forgotten in other words. `PROBE` asks questions of another benchmark
    (`kit.benchmarks.probes`); no benchmark has it of itself. Each benchmark prints its own
    headings.
    """

    EFFICACY = "efficacy"
    GENERALITY = "generality"
    REWORDED = "reworded"
    RETAIN = "retain"
    SCOPE = "scope"
    REAL = "real"
    WORLD = "world"
    PROBE = "probe"


@dataclass(frozen=True)
class Record:
    """One question with its reference answer; `id` is unique within a benchmark.

    `candidates` are answers whose likelihood is measured: the letters of a multiple choice, or
    wrong answers to compare with the reference. Where the answer is the text of an option, they
    are the options, and no likelihood is measured. `paraphrase` is the reference in other words.
    `group` separates records of one set that a benchmark also reports separately (POPE's kinds),
    names the fact that two records of one column ask for, with an image and in text alone, or says
    of which kind a question of a probe is.
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
    """Return the (role, text) pairs whose likelihood is measured; empty for most records.

    For a multiple choice these are its letters. For anything else, the reference answer is among
    them, so that the others can be compared with it.
    """
    if record.concept is Concept.OPTION:
        return set()
    asked = {("candidate", text) for text in record.candidates}
    if record.paraphrase:
        asked.add(("paraphrase", record.paraphrase))
    if asked and record.concept is not Concept.CHOICE:
        asked.add(("answer", record.answer))
    return asked


def asked_tokens(record: Record) -> set[tuple[str, str]]:
    """Return the (role, text) pairs whose single tokens are measured, where a manifest asks for it.

    Letters, options and yes or no are offered by the question itself: they are not among them.
    """
    if record.concept in (Concept.CHOICE, Concept.OPTION, Concept.PRESENCE) or not record.answer:
        return set()
    return {("answer", record.answer), *asked_likelihoods(record)}


@dataclass(frozen=True)
class Split:
    """The record ids of one target.

    `forget` is D^f_train, the part of the forget set that unlearning may use. `retain` is D^r, on
    which the retain-only model is trained. `evaluation` maps (part, column) to the ids that the
    column is computed from.
    """

    target: str
    forget: tuple[str, ...]
    retain: tuple[str, ...]
    evaluation: Mapping[tuple[str, Column], tuple[str, ...]]


@dataclass(frozen=True)
class Benchmark:
    """All records of a benchmark by id, and which of them are used for training.

    `finetune` are the records of the vanilla model (D^r and D^f). `rehearsal` is general knowledge
    that may be mixed into fine-tuning; it is disjoint from all evaluated records. `notes` state
    what was left out of the published files, and how much. `left_out` are the odd rows among that,
    by table and kind; a result states them. `absent` says, for each (part, column) that this data
    does not have, why: no table prints it.
    """

    name: str
    records: Mapping[str, Record]
    finetune: tuple[str, ...]
    splits: Mapping[str, Split]
    rehearsal: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    absent: Mapping[tuple[str, str], str] = field(default_factory=dict)


def by_id(records: Iterable[Record]) -> dict[str, Record]:
    """Index records by id.

    Raises:
        DataError: an id occurs twice.
    """
    index: dict[str, Record] = {}
    for record in records:
        if record.id in index:
            raise DataError(
                f"record id {record.id} occurs twice",
                expected="another id for each question; case and zeros in front may not count",
                found=" and ".join(
                    f"'{show(each.question[:60])}'" for each in (index[record.id], record)
                ),
                remedy="give one of the two rows another id, or remove it; then run "
                "`./run.sh lock MANIFEST`",
            )
        index[record.id] = record
    return index
