"""MMBench (arXiv 2307.06281): multiple choice about what an image shows.

Read are parquet tables as on the hub. The cards of lmms-lab/MMBench and lmms-lab/MMBench_EN name
their columns: index, question, hint, A, B, C, D, answer, category, image, source, comment and
split; the second level of the category is spelled in two ways there. Only the split dev has
answers.
Published tables hold each question once for every rotation of its options (4.38k rows of dev, of
1,164 questions): the rotations of row n have the index n + 1,000,000, n + 2,000,000 and so on
(lmms_eval/tasks/mmbench/mmbench_evals.py at 161c7a1). They are left out: each question is asked
once.
The prompt is the one of the README of github.com/open-compass/MMBench at 2cdeffb: the hint, the
question, "There are several options:" and one line per option. A hint or an option without a text
is empty or "nan", as lmms-eval reads them (lmms_eval/tasks/mmbench/en_utils.py at 161c7a1).
"""

from pathlib import Path

from kit.benchmarks import cells
from kit.benchmarks.options import folded, offered, right_letter
from kit.benchmarks.parquet import Place
from kit.benchmarks.probes.definition import Probe
from kit.benchmarks.probes.reading import REMEDY, Row, key, table_rows
from kit.benchmarks.records import Concept, Record
from kit.errors import DataError

LETTERS = ("A", "B", "C", "D")
COLUMNS = ("index", "question", "hint", *LETTERS, "answer", "category", "image")
OFFER = "There are several options:"
ROTATION = 1_000_000  # the index of a rotation is larger by a multiple of it
Same = tuple[str, str, frozenset[str]]


def load(place: Place) -> list[Record]:
    """Return the questions of all rows but rotations; `group` is the category.

    Raises:
        DataError: a table is not as published, two options are one, or a right answer is none.
    """
    return _read(place)[0]


def left_out(place: Place) -> list[str]:
    """Return a sentence on the rotations, if there are any."""
    asked, rotations = _read(place)
    if not rotations:
        return []
    return [
        f"{rotations} of {len(asked) + rotations} rows are rotations of the options of others, and "
        "not asked."
    ]


def _read(place: Place) -> tuple[list[Record], int]:
    """Return the questions, and the number of rotations among the rows."""
    rows = [_question(where, row, image) for where, row, image in table_rows(place, COLUMNS)]
    first = {n: same for n, same, _ in rows if n is not None and n < ROTATION}
    asked = [
        record
        for number, same, record in rows
        if number is None or number < ROTATION or first.get(number % ROTATION) != same
    ]
    return asked, len(rows) - len(asked)


def _question(where: str, row: Row, image: Path) -> tuple[int | None, Same, Record]:
    """Return the index of a row, what is the same in its rotations, and its record."""
    given = {name: _optional(row, name, where) for name in LETTERS}
    options = offered(given, where, "A to D")
    said = cells.text_or_empty(row["answer"], where, "answer")
    answer = right_letter(said, options) if said else None
    if answer is None:
        raise DataError(
            f"{where}: the right answer is no option",
            expected=f"one of {', '.join(options)}",
            found=repr(said)[:120],
            remedy=f"name tables of the split dev, which has answers; or {REMEDY}",
        )
    number, question = key(row, "index", where), cells.text(row["question"], where, "question")
    listed = "".join(f"{letter}. {text}\n" for letter, text in options.items())
    asked = " ".join(filter(None, (_optional(row, "hint", where), question)))
    record = Record(
        number,
        Concept.CHOICE,
        f"{asked} {OFFER}\n{listed}",
        answer,
        image,
        candidates=tuple(options),
        group=cells.text(row["category"], where, "category"),
    )
    same = folded(question), folded(options[answer]), frozenset(map(folded, options.values()))
    return int(number) if number.isdecimal() else None, same, record


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
    left_out=left_out,
)
