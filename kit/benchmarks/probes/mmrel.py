"""MMRel (arXiv 2406.09121): yes/no questions about relations between the objects in an image.

Read are the parquet tables of MM-Hallu/MMRel on the hub, the part of MMRel whose images DALL-E
drew. Its card names the columns: image, question_id, question, answer, source, eval_type
("discriminative" or "generative") and relation_type. Discriminative questions say themselves that
they want a yes or a no, and are asked as they stand. Generative ones have no answer that a rule
could judge, and are left out.
"""

from collections.abc import Iterator

from kit.benchmarks import cells
from kit.benchmarks.parquet import Place
from kit.benchmarks.probes.definition import Probe
from kit.benchmarks.probes.reading import REMEDY, column, key, table_rows, verdict
from kit.benchmarks.records import Concept, Record
from kit.errors import DataError

COLUMNS = ("image", "question_id", "question", "answer", "eval_type", "relation_type")
ASKED, LEFT_OUT = "discriminative", "generative"


def load(place: Place) -> Iterator[Record]:
    """Yield the discriminative questions; `group` is the kind of relation.

    Raises:
        DataError: a table is not as published.
    """
    for where, row, image in table_rows(place, COLUMNS):
        kind = cells.text(row["eval_type"], where, "eval_type")
        if kind not in (ASKED, LEFT_OUT):
            raise DataError(
                f"{where}: the eval_type is unknown",
                expected=f"{ASKED} or {LEFT_OUT}",
                found=repr(kind)[:120],
                remedy=REMEDY,
            )
        if kind == ASKED:
            yield Record(
                key(row, "question_id", where),
                Concept.PRESENCE,
                cells.text(row["question"], where, "question"),
                verdict(row, "answer", where),
                image,
                group=cells.text(row["relation_type"], where, "relation_type"),
            )


def left_out(place: Place) -> list[str]:
    """Return a sentence on the generative questions, if there are any."""
    kinds = [str(kind).strip() for kind in column(place, "eval_type")]
    count = kinds.count(LEFT_OUT)
    return [f"{count} of {len(kinds)} questions are {LEFT_OUT} and not asked."] if count else []


PROBE = Probe(
    "relations between objects (MMRel)",
    "presence_accuracy",
    load,
    "The probe MMRel (arXiv 2406.09121) asks its yes/no questions as they are published. An answer "
    "that begins with neither yes nor no is wrong. The paper measures all of MMRel, with images of "
    "Visual Genome and SDXL as well.",
    left_out=left_out,
)
