"""CLEAR's rows as records: a caption and a name for each image, an answer for each text row.

Each record has ONE question. The released code draws another prompt for every perturbed caption,
so that its truth ratio compares likelihoods under different prompts; here the reference, its
paraphrase and all perturbations answer the same question, because they stand in the same record.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kit.benchmarks.clear.tables import TEXT, TEXTS, Row, few, image_rows
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Concept, Record
from kit.errors import DataError
from kit.streams import stream
from kit.words import contains_phrase, words

# The kit's own prompts; the released list of nine is not copied.
CAPTION_QUESTIONS = (
    "Describe this picture in one sentence.",
    "What does the image show?",
    "Write a caption for this image.",
    "Who is in this picture, and where?",
)
# The kit's own as well: the released prefix "The name of the person on the image is " wants to be
# continued, and a chat model answers questions.
NAME_QUESTION = "Who is this person?"
PERTURBED = {"paraphrased_caption": TEXT, "perturbed_captions": TEXTS, "perturbed_names": TEXTS}


@dataclass(frozen=True)
class Alternatives:
    """What the reference answers of one image are held against in the truth ratio."""

    paraphrase: str = ""
    captions: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def caption_question(name: str, caption: str) -> str:
    """Return the prompt of a captioned image: drawn at random, always the same for one caption.

    Not by the record's id: a row that stands in several configurations has one prompt in all of
    them, so that forgetting and retention are both measured with the prompt that was learnt.
    """
    return stream("CLEAR caption prompt", name, caption).choice(CAPTION_QUESTIONS)


def image_records(
    rows: Iterable[Row], alternatives: Mapping[int, Alternatives] | None = None
) -> list[Record]:
    """Return the caption and the name record of each image row.

    A row without a name (the nameless author) has no name record, and its caption belongs to
    nobody's cluster.

    Args:
        alternatives: by row number; a row without any is evaluated without truth ratio.
    """
    records = []
    for row in rows:
        key, caption = f"clear/{row.config}/{row.number}", row.text("caption")
        name, others = row.text_or_empty("name"), (alternatives or {}).get(row.number)
        others = others or Alternatives()
        records.append(
            Record(
                f"{key}#caption",
                Concept.FACT,
                caption_question(name, caption),
                caption,
                row.image,
                name,
                candidates=without(others.captions, caption),
                paraphrase=others.paraphrase,
            )
        )
        if name:
            records.append(
                Record(
                    f"{key}#name",
                    Concept.PERSON,
                    NAME_QUESTION,
                    name,
                    row.image,
                    name,
                    candidates=without(others.names, name),
                )
            )
    return records


def text_records(rows: Iterable[Row], names: Iterable[str]) -> list[Record]:
    """Return one record for each text row.

    Args:
        names: of the people whom these rows may be about.
    """
    known = sorted(set(names), key=lambda name: (-len(name), name))
    return [
        Record(
            f"clear/{row.config}/{row.number}#qa",
            Concept.FACT,
            row.text("question"),
            row.text("answer"),
            person=author(row, known),
        )
        for row in rows
    ]


def author(row: Row, known: Sequence[str]) -> str:
    """Return whom a text row is about; "" where nothing tells, and the row stands for itself.

    The column `name` where the table has one, else the first of the `known` names (longest first)
    whose words occur in the question or the answer.
    """
    if said := row.text_or_empty("name"):
        return said
    texts = row.text("question"), row.text("answer")
    found = (name for name in known if any(contains_phrase(text, name) for text in texts))
    return next(found, "")


def alternatives_of(row: Row) -> Alternatives:
    """Return the paraphrase and the perturbations that a row of a perturbed configuration has."""
    return Alternatives(
        row.text("paraphrased_caption"),
        row.texts("perturbed_captions"),
        row.texts("perturbed_names"),
    )


def matched_alternatives(place: Place, config: str, rows: Sequence[Row]) -> dict[int, Alternatives]:
    """Return the alternatives of `rows` by row number, from a perturbed configuration.

    Rows belong together when name and caption are equal; where several are, in their order.

    Raises:
        DataError: a perturbed row belongs to none of `rows`, or more than one in a hundred (and
            more than one) of `rows` have no perturbed row.
    """
    waiting: dict[tuple[str, str], deque[Row]] = defaultdict(deque)
    perturbed = image_rows(place, config, PERTURBED)
    for row in perturbed:
        waiting[row.text_or_empty("name"), row.text("caption")].append(row)
    found: dict[int, Alternatives] = {}
    for row in rows:
        if partners := waiting[row.text_or_empty("name"), row.text("caption")]:
            found[row.number] = alternatives_of(partners.popleft())
    unmatched = [row for partners in waiting.values() for row in partners]
    missing = len(rows) - len(found)
    if unmatched or not few(missing, len(rows)):
        first = unmatched[0].where if unmatched else "none"
        raise DataError(
            f"'{config}' does not belong to '{rows[0].config}'",
            expected=f"each of the {len(perturbed)} perturbed rows with name and caption of one of "
            f"the {len(rows)} rows, and (nearly) each of these with a perturbed row",
            found=f"{len(unmatched)} perturbed rows without a partner (first: {first}), {missing} "
            "rows without a perturbed one",
            remedy="fetch both configurations from one revision",
        )
    return found


def same_words(text: str) -> tuple[str, ...]:
    """Return what two texts share that are equal but for case and punctuation."""
    return words(text) or (text.strip(),)


def without(texts: Iterable[str], answer: str) -> tuple[str, ...]:
    """Return the distinct texts that are not the answer, case and punctuation aside, in order."""
    kept: dict[tuple[str, ...], str] = {}
    for text in texts:
        kept.setdefault(same_words(text), text)
    kept.pop(same_words(answer), None)
    return tuple(kept.values())
