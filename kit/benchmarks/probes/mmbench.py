"""MMBench (arXiv 2307.06281): multiple choice about what an image shows.

Read are parquet tables as on the hub. The cards of lmms-lab/MMBench and lmms-lab/MMBench_EN name
their columns: index, question, hint, A, B, C, D, answer, category, image, source, comment and
split; the second level of the category is spelled in two ways there. Only the split dev has
answers.
The prompt is the one of the README of github.com/open-compass/MMBench at 2cdeffb: the hint, the
question, "There are several options:" and one line per option. A hint or an option without a text
is empty or "nan", as lmms-eval reads them (lmms_eval/tasks/mmbench/en_utils.py at 161c7a1).
"""

from collections.abc import Iterator

from kit.benchmarks import cells
from kit.benchmarks.options import offered
from kit.benchmarks.parquet import Place
from kit.benchmarks.probes.definition import Probe
from kit.benchmarks.probes.reading import REMEDY, Row, key, table_rows
from kit.benchmarks.records import Concept, Record
from kit.errors import DataError

LETTERS = ("A", "B", "C", "D")
COLUMNS = ("index", "question", "hint", *LETTERS, "answer", "category", "image")
OFFER = "There are several options:"


def load(place: Place) -> Iterator[Record]:
    """Yield one question per row; `group` is the category.

    Raises:
        DataError: a table is not as published, two options are one, or a right answer is none.
    """
    for where, row, image in table_rows(place, COLUMNS):
        given = {name: _optional(row, name, where) for name in LETTERS}
        options = offered(given, where, "A to D")
        answer = cells.text_or_empty(row["answer"], where, "answer")
        if answer not in options:
            raise DataError(
                f"{where}: the right answer is no option",
                expected=f"one of {', '.join(options)}",
                found=repr(answer)[:120],
                remedy=f"name tables of the split dev, which has answers; or {REMEDY}",
            )
        asked = (_optional(row, "hint", where), cells.text(row["question"], where, "question"))
        listed = "".join(f"{letter}. {text}\n" for letter, text in options.items())
        yield Record(
            key(row, "index", where),
            Concept.CHOICE,
            f"{' '.join(filter(None, asked))} {OFFER}\n{listed}",
            answer,
            image,
            candidates=tuple(options),
            group=cells.text(row["category"], where, "category"),
        )


def _optional(row: Row, field: str, where: str) -> str:
    given = cells.text_or_empty(row[field], where, field)
    return "" if given == "nan" else given


PROBE = Probe(
    "multiple choice (MMBench)",
    "choice_accuracy",
    load,
    "The probe MMBench (arXiv 2307.06281) asks every question once, and the likeliest letter "
    "counts. In the paper, a question counts if every rotation of its options is answered rightly, "
    "and a GPT model reads the answers. Do not compare values with published ones.",
    likelihood=True,
)
