"""POPE (arXiv 2305.10355): yes/no questions about objects in images of COCO's val2014.

coco_pope_random.json        JSON lines {"question_id", "image", "text", "label"}; the three files
coco_pope_popular.json       differ in how the absent objects were drawn
coco_pope_adversarial.json
val2014/<image>              the images that the lines name

This is the layout of the released files, github.com/AoiDragon/POPE at 08d957b, output/coco: 3,000
questions of each kind about the same 500 images. Any other layout is refused.
"""

from pathlib import Path
from typing import TypedDict, cast

from kit.benchmarks.literals import DoubledKey, read_json
from kit.benchmarks.records import GROUPS, VERDICTS, Concept, Record
from kit.benchmarks.right_answers import RightAnswers
from kit.errors import DataError
from kit.texts import EXPECTED, NotText, decode_text

IMAGES = "val2014"
FIELDS = ("question_id", "image", "text", "label")
REMEDY = (
    "replace the file by the released one (output/coco of github.com/AoiDragon/POPE), then run "
    "`./run.sh lock MANIFEST`; nothing is repaired or left out"
)


class Question(TypedDict):
    """One line of POPE's files; `label` is "yes" or "no"."""

    question_id: int
    image: str
    text: str
    label: str


def load_pope(root: Path) -> list[Record]:
    """Return one record per question of the three kinds; `group` is the kind.

    Raises:
        DataError: a kind or an image is missing, or a line is not as published: it asks again what
            another line asks, for example.
    """
    right = RightAnswers()
    return [record for kind in GROUPS for record in _kind(root, kind, right)]


def _kind(root: Path, kind: str, right: RightAnswers) -> list[Record]:
    path = root / f"coco_pope_{kind}.json"
    records: dict[str, Record] = {}
    first: dict[str, int] = {}
    images, here = _images(root), RightAnswers()
    for number, line in enumerate(_lines(path, root), 1):
        if not line.strip():
            continue
        where = f"{path.name}, line {number}"
        asked = _question(line, where)
        key = f"pope/{kind}/{asked['question_id']}"
        if key in records:
            raise DataError(
                f"{where}: question_id {asked['question_id']} occurs twice",
                expected="every question_id once per file",
                found=f"lines {first[key]} and {number}",
                remedy=REMEDY,
            )
        image = asked["image"]
        if image not in images:
            raise DataError(
                f"{where}: image '{image}' is missing",
                expected=f"a non-empty file of that name in {root / IMAGES}",
                found=f"{len(images)} non-empty files in that folder",
                remedy="copy COCO's val2014 images there, under the names that the questions use, "
                "then run `./run.sh lock MANIFEST`",
            )
        _, before = (
            asks.note(asked["text"], asked["label"], where, image=images[image], name="label")
            for asks in (right, here)
        )
        if before:
            raise DataError(
                f"{where}: a question about an image occurs twice",
                expected="every question about an image once per file",
                found=f"{before} and {where}: {_short(asked['text'])}",
                remedy=REMEDY,
            )
        first[key] = number
        records[key] = Record(
            key, Concept.PRESENCE, asked["text"], asked["label"], images[image], group=kind
        )
    if not records:
        raise DataError(
            f"{path} has no questions",
            expected="JSON lines",
            found="only white space",
            remedy=REMEDY,
        )
    return list(records.values())


def _lines(path: Path, root: Path) -> list[str]:
    try:
        return decode_text(path.read_bytes()).split("\n")
    except FileNotFoundError:
        there = sorted(p.name for p in root.glob("*.json")) if root.is_dir() else []
        raise DataError(
            f"POPE's questions {path} are missing",
            expected=", ".join(f"coco_pope_{kind}.json" for kind in GROUPS),
            found=", ".join(there) or "no such file",
            remedy="all three kinds are needed: copy the three released files there, "
            "then run `./run.sh lock MANIFEST`",
        ) from None
    except NotText as error:
        raise DataError(
            f"{path} cannot be read", expected=EXPECTED, found=error.found, remedy=REMEDY
        ) from None


def _images(root: Path) -> dict[str, Path]:
    """Return {name: path} of the non-empty images. A bare name cannot point outside the folder."""
    folder = root / IMAGES
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return {path.name: path for path in found if path.is_file() and path.stat().st_size}


def _question(line: str, where: str) -> Question:
    """Return the checked fields of a line.

    Raises:
        DataError: it is not a JSON object, lacks a field, or has an invalid value.
    """
    expected = "a JSON object with " + ", ".join(FIELDS)
    try:
        asked = read_json(line)
    except DoubledKey as error:
        raise DataError(
            f"{where} has a key twice",
            expected=expected,
            found=f"{error}: {_short(line)}",
            remedy=REMEDY,
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{where} is not JSON",
            expected=expected,
            found=f"{_short(line)} ({error})",
            remedy="POPE's files have one JSON object per line; " + REMEDY,
        ) from None
    if not isinstance(asked, dict) or any(name not in asked for name in FIELDS):
        raise DataError(
            f"{where} is not a question", expected=expected, found=_short(line), remedy=REMEDY
        )
    wrong = [name for name in ("image", "text") if not _is_text(asked[name])]
    if type(asked["question_id"]) is not int:
        wrong.append("question_id")
    if wrong:
        raise DataError(
            f"{where}: {wrong[0]} is not valid",
            expected="an integer" if wrong[0] == "question_id" else "a non-empty text",
            found=_short(repr(asked[wrong[0]])),
            remedy=REMEDY,
        )
    if asked["label"] not in VERDICTS:
        raise DataError(
            f"{where}: the label is unknown",
            expected=f"one of {', '.join(VERDICTS)}",
            found=_short(repr(asked["label"])),
            remedy=REMEDY,
        )
    return cast(Question, asked)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _short(text: str) -> str:
    return text if len(text) <= 120 else text[:117] + "..."
