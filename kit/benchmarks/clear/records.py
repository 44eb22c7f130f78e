"""CLEAR's rows as records: a caption and a name per image, an answer per text row.

Each record has exactly one question. The released code draws a new prompt for every perturbed
caption, so its truth ratio compares likelihoods under different prompts. Here the reference, its
paraphrase and all perturbations belong to one record and answer the same question.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kit.benchmarks.clear.rows import Row, author, longest_first, same_words
from kit.benchmarks.clear.tables import image_rows
from kit.benchmarks.identity import identity
from kit.benchmarks.left_out import OddRows, few
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Concept, Record
from kit.errors import DataError
from kit.streams import stream

# The kit's own prompts; the released list of nine is not copied.
CAPTION_QUESTIONS = (
    "Describe this picture in one sentence.",
    "What does the image show?",
    "Write a caption for this image.",
    "Who is in this picture, and where?",
)
# Also the kit's own. The released prefix "The name of the person on the image is " is text to
# continue, but a chat model answers questions.
NAME_QUESTION = "Who is this person?"
PERTURBED = ("paraphrased_caption", "perturbed_captions", "perturbed_names")


@dataclass(frozen=True)
class Alternatives:
    """The answers that the truth ratio of one image compares: a paraphrase and perturbations."""

    paraphrase: str = ""
    captions: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def caption_question(name: str, caption: str) -> str:
    """Return the prompt of a captioned image, drawn at random but always equal for equal captions.

    The draw does not use the record id: a row that occurs in several configurations has the same
    prompt in all of them. Forgetting and retention are then both measured with the prompt that was
    used in training.
    """
    return stream("CLEAR caption prompt", name, caption).choice(CAPTION_QUESTIONS)


def image_records(
    rows: Iterable[Row], alternatives: Mapping[int, Alternatives] | None = None
) -> list[Record]:
    """Return the caption record and the name record of each image row.

    A row without a name (one author is published without) has no name record, and its caption is a
    cluster of its own.

    Args:
        alternatives: {row number: alternatives}; a row without has no truth ratio.
    """
    records = []
    for row in rows:
        key, caption = f"clear/{row.config}/{row.number}", row.text("caption")
        name, others = row.name, (alternatives or {}).get(row.number)
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
    """Return one record per text row.

    Args:
        names: the people that these rows may be about.
    """
    known = longest_first(names)
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


def alternatives_of(row: Row) -> Alternatives:
    """Return the paraphrase and the perturbations of a row of a perturbed configuration."""
    return Alternatives(
        row.text("paraphrased_caption"),
        row.texts("perturbed_captions"),
        row.texts("perturbed_names"),
    )


def matched_alternatives(
    place: Place, config: str, rows: Sequence[Row], odd: OddRows
) -> dict[int, Alternatives]:
    """Return {row number: alternatives} of `rows`, from a perturbed configuration.

    Rows with the same name and caption match, in every spelling; duplicates match in their order.
    A perturbed row that matches none is left out.

    Raises:
        DataError: too many perturbed rows are odd or match none of `rows`, or more than one in a
            hundred (and more than one) of `rows` have no perturbed row.
    """
    waiting: dict[tuple[object, ...], deque[Row]] = defaultdict(deque)
    perturbed = image_rows(place, config, odd, PERTURBED)
    for row in perturbed:
        waiting[_partner_key(row)].append(row)
    found: dict[int, Alternatives] = {}
    for row in rows:
        if partners := waiting[_partner_key(row)]:
            found[row.number] = alternatives_of(partners.popleft())
    unmatched = [row for partners in waiting.values() for row in partners]
    missing = len(rows) - len(found)
    if not (few(len(unmatched), len(perturbed)) and few(missing, len(rows))):
        first = unmatched[0].where if unmatched else "none"
        raise DataError(
            f"'{config}' does not match '{rows[0].config}'",
            expected=f"each of the {len(perturbed)} perturbed rows to have the name and caption of "
            f"one of the {len(rows)} rows, and each of these to have a perturbed row, with one "
            "exception or one in a hundred",
            found=f"{len(unmatched)} perturbed rows without a match (first: {first}), {missing} "
            "rows without a perturbed row",
            remedy="fetch both configurations from the same revision",
        )
    for row in unmatched:
        kind = f"no row of '{rows[0].config}' has its name and caption"
        odd.leave_out(config, kind, row.where)
    return found


def _partner_key(row: Row) -> tuple[object, ...]:
    return identity(row.name), same_words(row.text("caption"))


def without(texts: Iterable[str], answer: str) -> tuple[str, ...]:
    """Return the distinct texts other than the answer, ignoring case and punctuation, in order."""
    kept: dict[tuple[str, ...], str] = {}
    for text in texts:
        kept.setdefault(same_words(text), text)
    kept.pop(same_words(answer), None)
    return tuple(kept.values())
