"""OFFSIDE's JSON files: questions about an image, with an answer or with options.

forget_set.json and others     [{"messages": [{"content": question}, {"content": answer}],
                                 "images": path}]
classification_forget_set.json and others
                               [{"Question", "Options": {letter: text}, "Correct_Answer": letter,
                                 "images": path}]

These are the fields that the released code reads (github.com/zh121800/OFFSIDE, commit 91884c7:
GA_forget.py, eval_generation.py, eval_classi.py). It also knows the key `image`. The hub has the
files in the folder complete_unlearning_data. Which image a path names is asked as there: the path
itself, otherwise its last part.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kit.benchmarks.cells import kind_of, nested, text
from kit.benchmarks.left_out import REMEDY, OddCell, OddRows
from kit.benchmarks.literals import read_json
from kit.benchmarks.offside.protocol import PRIVATE, SHARED
from kit.benchmarks.options import offered, right_letter
from kit.benchmarks.right_answers import RightAnswers
from kit.benchmarks.words import words
from kit.errors import DataError
from kit.texts import EXPECTED, NotText, decode_text

FOLDER = "complete_unlearning_data"
TAG = "<image>"  # ms-swift's mark of the image in a question
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
# The fourteen questions of the README, by the facts that they ask for.
QUESTIONS = {
    "What is the name of the player in the image?": ("name", SHARED),
    "How old is the player in the image?": ("age", SHARED),
    "What is the position of the player in the image?": ("position", SHARED),
    "What is the nationality of the player in the image?": ("nationality", SHARED),
    "When was the player in the image born?": ("birth", SHARED),
    "What is the height of the player in the image?": ("height", SHARED),
    "Which foot does the player in the image use?": ("foot", SHARED),
    "Where was the player in the image born?": ("birthplace", SHARED),
    "Which club is the player in the image going to play?": ("next club", PRIVATE),
    "Which club did the player in the image transfer from?": ("last club", PRIVATE),
    "What is the date of the transfer of the player in the image?": ("date", PRIVATE),
    "What was the transfer fee for the player in the image?": ("fee", PRIVATE),
    "What was the market value for the player in the image?": ("value", PRIVATE),
    "How many trophies did this player win at the club in the image?": ("trophies", PRIVATE),
}
_KNOWN = {words(question): asked for question, asked in QUESTIONS.items()}


@dataclass(frozen=True)
class Entry:
    """One question about one image. `image` is its path in the source, `file` the file.

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


def read_entries(root: Path, name: str, odd: OddRows, *, options: bool) -> list[Entry]:
    """Return the entries of a file, without odd ones.

    Args:
        root: folder of the source; `name` is looked for in `FOLDER`, otherwise everywhere.
        options: the file is one of multiple choice.

    Raises:
        DataError: there is no such file, or several; it is no JSON list; or too much is odd.
    """
    images, right = _images(root), RightAnswers()
    found: list[Entry] = []
    for number, entry in enumerate(_list(_path(root, name))):
        where = f"{name}, entry {number}"
        try:
            fields = nested(entry, dict, where, "the entry")
            image = _image(fields, images, where)
            found.append(
                _choice(fields, image, where, right) if options else _free(fields, image, where)
            )
        except OddCell as error:
            odd.leave_out(name, error.kind, error.where, unit="entries")
    odd.require_few(name, len(found), "entries")
    return found


def _free(fields: Mapping[str, object], image: tuple[str, Path], where: str) -> Entry:
    turns = nested(fields.get("messages"), list, where, "messages")
    if len(turns) < 2:
        expected = "a question and an answer"
        raise OddCell(where, "messages", "has fewer than two", expected=expected, found=turns)
    asked, answer = (
        text(nested(turn, dict, where, "the message").get("content"), where, "content")
        for turn in turns[:2]
    )
    asked = asked.replace(TAG, "").strip()
    return Entry(*image, *_asked(asked, where), asked, answer)


def _choice(
    fields: Mapping[str, object], image: tuple[str, Path], where: str, right: RightAnswers
) -> Entry:
    asked = text(fields.get("Question"), where, "Question").replace(TAG, "").strip()
    given = nested(fields.get("Options"), dict, where, "Options")
    options = offered(given, where, "Options")
    answer = text(fields.get("Correct_Answer"), where, "Correct_Answer")
    letter = right_letter(answer, options)
    if letter is None:
        problem, expected = "is none of the options", f"one of {', '.join(sorted(options))}"
        raise OddCell(where, "Correct_Answer", problem, expected=expected, found=answer)
    known, texts = _asked(asked, where), options.values()
    right.note(
        known[0], options[letter], where, image=image[1], options=texts, name="Correct_Answer"
    )
    return Entry(*image, *known, asked, letter, tuple(sorted(options.items())))


def _asked(question: str, where: str) -> tuple[str, str]:
    if known := _KNOWN.get(words(question)):
        return known
    problem, expected = "is none of the README's", f"one of the {len(QUESTIONS)} questions"
    raise OddCell(where, "question", problem, expected=expected, found=question)


def _images(root: Path) -> dict[str, list[Path]]:
    """Return the image files by their whole path in the source, and by their last part."""
    found: dict[str, list[Path]] = {}
    for path in sorted(root.rglob("*")):
        if path.suffix.casefold() in SUFFIXES and path.is_file():
            for name in {path.relative_to(root).as_posix(), path.name}:
                found.setdefault(name, []).append(path)
    return found


def _image(
    fields: Mapping[str, object], images: Mapping[str, list[Path]], where: str
) -> tuple[str, Path]:
    """Return the name and the file of an entry's image."""
    given = text(fields.get("images", fields.get("image")), where, "images")
    name = PurePosixPath(given.replace("\\", "/"))
    found = images.get(name.as_posix()) or images.get(name.name, [])
    if len(found) != 1:
        problem = "names several images" if found else "names no image of the source"
        raise OddCell(where, "images", problem, expected="one image file", found=given)
    return found[0].name, found[0]


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
