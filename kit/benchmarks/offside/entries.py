"""OFFSIDE's JSON files: questions about an image, with an answer or with options.

forget_set.json and others     [{"messages": [{"content": question}, {"content": answer}],
                                 "images": path}]
classification_forget_set.json and others
                               [{"Question", "Options": {letter: text}, "Correct_Answer": letter,
                                 "images": path}]

These are the fields that the released code reads (github.com/zh121800/OFFSIDE, commit 91884c7:
GA_forget.py, eval_generation.py, eval_classi.py). It also knows the key `image`. The hub has the
files in the folder complete_unlearning_data. Entries of ms-swift's other forms are read as well: a
list of one image, and a message of the system before the question.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kit.benchmarks.cells import kind_of, nested, text
from kit.benchmarks.left_out import REMEDY, OddCell, OddRows
from kit.benchmarks.literals import read_json
from kit.benchmarks.offside.facts import QUESTIONS, fact_of
from kit.benchmarks.offside.images import Images, Shown
from kit.benchmarks.options import mapped, offered, right_letter
from kit.benchmarks.right_answers import RightAnswers
from kit.errors import DataError
from kit.texts import EXPECTED, NotText, decode_text

FOLDER = "complete_unlearning_data"
TAG = "<image>"  # ms-swift's mark of the image in a question
_SHOWN_IN = re.compile(rf"\b(in|of|from)\s*{TAG}")
_ROLES = ({"user", "human"}, {"assistant", "gpt"})


@dataclass(frozen=True)
class Entry:
    """One question about one image. `image` is its name in the source, `file` the file, `given` its
    path in the entry.

    `fact` and `facts` are what is asked for, and whether all images of a player share it. `answer`
    is a letter where there are `options`, ordered (letter, text).
    """

    image: str
    file: Path
    fact: str
    facts: str
    question: str
    answer: str
    options: tuple[tuple[str, str], ...] = ()
    given: str = ""


def read_entries(
    root: Path, name: str, images: Images, odd: OddRows, *, options: bool
) -> list[Entry]:
    """Return the entries of a file, without odd ones.

    Args:
        root: folder of the source; `name` is looked for in `FOLDER`, otherwise everywhere.
        options: the file is one of multiple choice.

    Raises:
        DataError: there is no such file, or several; it is no JSON list; or too much is odd.
    """
    right = RightAnswers()
    found: list[Entry] = []
    for number, entry in enumerate(_list(_path(root, name))):
        where = f"{name}, entry {number}"
        try:
            fields = nested(entry, dict, where, "the entry")
            image = images.find((fields.get("images"), fields.get("image")), where)
            found.append(
                _choice(fields, image, where, right) if options else _free(fields, image, where)
            )
        except OddCell as error:
            odd.leave_out(name, error.kind, error.where, unit="entries")
    odd.require_few(name, len(found), "entries")
    return found


def _free(fields: Mapping[str, object], image: Shown, where: str) -> Entry:
    asked, answer = _turns(fields, where)
    question = _without_tag(asked)
    return Entry(
        image.name, image.file, *_asked(question, where), question, answer, given=image.given
    )


def _turns(fields: Mapping[str, object], where: str) -> tuple[str, str]:
    """Return the question and the answer; what the system is told before is no turn."""
    given = nested(fields.get("messages"), list, where, "messages")
    turns = [nested(turn, dict, where, "the message") for turn in given]
    spoken = [turn for turn in turns if turn.get("role") != "system"]
    fitting = all(
        turn.get("role") is None or str(turn["role"]) in roles
        for turn, roles in zip(spoken, _ROLES, strict=False)
    )
    if len(spoken) != len(_ROLES) or not fitting:
        expected = "a question of the user and an answer of the assistant"
        problem = "are not one question and one answer"
        raise OddCell(where, "messages", problem, expected=expected, found=given)
    asked, answer = (text(turn.get("content"), where, "content") for turn in spoken)
    return asked, answer


def _without_tag(question: str) -> str:
    """Return a question without the mark of its image; "in <image>" becomes "in the image"."""
    bare = _SHOWN_IN.sub(r"\1 the image", question).replace(TAG, "")
    return re.sub(r"\s+(?=[.,?!])", "", bare).strip().removesuffix(":")


def _choice(fields: Mapping[str, object], image: Shown, where: str, right: RightAnswers) -> Entry:
    asked = _without_tag(text(fields.get("Question"), where, "Question"))
    given = nested(mapped(fields.get("Options")), dict, where, "Options")
    options = offered(given, where, "Options")
    answer = text(fields.get("Correct_Answer"), where, "Correct_Answer")
    letter = right_letter(answer, options)
    if letter is None:
        problem, expected = "is none of the options", f"one of {', '.join(sorted(options))}"
        raise OddCell(where, "Correct_Answer", problem, expected=expected, found=answer)
    known, texts = _asked(asked, where), options.values()
    right.note(
        known[0], options[letter], where, image=image.file, options=texts, name="Correct_Answer"
    )
    offer = tuple(sorted(options.items()))
    return Entry(image.name, image.file, *known, asked, letter, offer, image.given)


def _asked(question: str, where: str) -> tuple[str, str]:
    if known := fact_of(question):
        return known
    problem, expected = (
        "asks for no known fact",
        f"one of {', '.join(fact for fact, _ in QUESTIONS.values())}",
    )
    raise OddCell(where, "question", problem, expected=expected, found=question)


def _path(root: Path, name: str) -> Path:
    everywhere = sorted(path for path in root.rglob(name) if path.is_file())
    chosen = [path for path in everywhere if path.parent.name == FOLDER] or everywhere
    if len(chosen) != 1:
        raise DataError(
            f"OFFSIDE: the source has {'several files' if chosen else 'no file'} {name}",
            expected=f"one, in the folder {FOLDER}",
            found=", ".join(path.relative_to(root).as_posix() for path in chosen) or "none",
            remedy="list it in the source's `files`, then run `./run.sh fetch`",
        )
    return chosen[0]


def _list(path: Path) -> Iterator[object]:
    try:
        found = read_json(decode_text(path.read_bytes()))
    except NotText as error:
        raise DataError(
            f"{path.name} is not a text", expected=EXPECTED, found=error.found, remedy=error.remedy
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path.name} is not JSON",
            expected="a list of entries, with each key once in an object",
            found=str(error)[:120],
            remedy=REMEDY,
        ) from None
    if not isinstance(found, list) or not found:
        raise DataError(
            f"{path.name} has no entries",
            expected="a list of entries",
            found="an empty list" if found == [] else kind_of(found),
            remedy=REMEDY,
        )
    yield from found
