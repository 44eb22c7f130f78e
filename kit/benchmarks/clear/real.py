"""CLEAR's two real-world sets: faces of known people, and questions about photographs.

The published `real_faces` has no column `question`: the released code asks all faces one question.
The kit asks its own name question, the one by which all names are learnt and measured. (Code of
other papers asks "What is the name of the person in the image?".) A question in the table wins.

`options` may be a list of texts or a mapping of letters to texts, either of them also as a string
(JSON or a Python literal). They may or may not hold the right answer. Other rows are left out.
"""

import ast
import io
import tokenize
from collections.abc import Mapping
from typing import TypeGuard

from kit.benchmarks.cells import is_missing
from kit.benchmarks.clear.records import NAME_QUESTION, without
from kit.benchmarks.clear.rows import Row, same_words
from kit.benchmarks.clear.tables import read_config, require_image, usable
from kit.benchmarks.identity import identity, one_spelling
from kit.benchmarks.left_out import OddRows
from kit.benchmarks.literals import read_json, require_keys_once
from kit.benchmarks.options import (
    apart,
    folded,
    letter_of,
    lettered,
    right_letter,
    without_words,
)
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Concept, Record
from kit.benchmarks.right_answers import RightAnswers

FACES, WORLD = "real_faces", "real_world"


def real_faces(place: Place, odd: OddRows) -> list[Record]:
    """Return one record per real face. The question asks for the name; other options are wrong.

    Raises:
        DataError: the configuration or a column is missing, or too many rows are odd.
    """
    rows = _asked(place, FACES, odd)
    spelling = one_spelling(answer for _, answer, _ in rows)
    return [
        Record(
            f"{FACES}/{row.number}#person",
            Concept.PERSON,
            row.text_or_empty("question") or NAME_QUESTION,
            spelling.get(identity(answer), answer),
            row.image,
            spelling.get(identity(answer), answer),
            candidates=others,
        )
        for row, answer, others in rows
    ]


def real_world(place: Place, odd: OddRows) -> list[Record]:
    """Return one record per question about the real world.

    Raises:
        DataError: the configuration or a column is missing, or too many rows are odd.
    """
    return [
        Record(
            f"{WORLD}/{row.number}#fact",
            Concept.FACT,
            row.text("question"),
            answer,
            row.image,
            candidates=others,
        )
        for row, answer, others in _asked(place, WORLD, odd)
    ]


def _asked(place: Place, config: str, odd: OddRows) -> list[tuple[Row, str, tuple[str, ...]]]:
    """Return (row, answer, wrong options) of a configuration."""
    question = ("question",) if config == WORLD else ()
    rows = read_config(place, config, ("image", *question, "answer", "options"))
    found: dict[int, tuple[str, tuple[str, ...]]] = {}
    right = RightAnswers()

    def check(row: Row) -> None:
        require_image(row)
        row.text("question") if question else row.text_or_empty("question")
        answer, options = resolve(row.text("answer"), row.cells.get("options"), row)
        others = without(options, answer)
        if not others:
            raise row.odd("options", "has no wrong option", "an option besides the answer")
        if question:
            offer = (answer, *others)
            right.note(row.text("question"), answer, row.where, image=row.image, options=offer)
        else:  # a face has one name, and what is offered beside it does not matter
            right.note("", identity(answer), row.where, image=row.image)
        found[row.number] = answer, others

    return [(row, *found[row.number]) for row in usable(rows, odd, check)]


def resolve(answer: str, options: object, row: Row) -> tuple[str, tuple[str, ...]]:
    """Return the answer and the options as texts.

    If the answer is a letter of a mapping, or of options such as `A. a cat`, the option of that
    letter is the answer. Letters belong to no text.

    Raises:
        OddCell: the options have an unknown form or one letter twice; or the answer is a letter
            that they lack, none of lettered options, or the number of an option.
    """
    given = _decoded(options)
    # A parquet struct has all keys of the column; some of them are null.
    cells = [c for c in given.values() if not _is_null(c)] if isinstance(given, dict) else given
    texts = tuple(c.strip() for c in cells if _is_text(c)) if isinstance(cells, list) else ()
    if not isinstance(cells, list) or not cells or len(texts) < len(cells):
        expected = "a list of texts, a mapping of letters to texts, or one of them as a string"
        raise row.odd("options", "is neither a list nor a mapping of texts", expected)
    named: dict[str, str] = {}
    if isinstance(given, dict):
        named = {letter_of(str(k)): c.strip() for k, c in given.items() if _is_text(c)}
        if len(named) < len(texts):
            raise row.odd("options", "has a letter twice", "one option for each letter")
    named = lettered(texts) or named
    if len(set(map(folded, named.values()))) < len(named):
        raise row.odd("options", "has a text twice", "another text for each letter")
    offer = tuple(named.values()) or texts
    whole = {same_words(text) for text in texts}
    if same_words(answer) in {same_words(text) for text in offer}:
        return answer, offer
    if same_words(answer) in whole and list(named) != sorted(named):
        return answer, texts  # initials of names, rather than letters
    if letter := right_letter(answer, named):
        return named[letter], offer
    _require_no_letter(answer, texts, named, row)
    return answer, texts


def _require_no_letter(
    answer: str, texts: tuple[str, ...], named: Mapping[str, str], row: Row
) -> None:
    """Refuse an answer that is not among the options because it means one of them in other words.

    The right option would be held against it as a wrong one.
    """
    if (letter := letter_of(without_words(answer))).isalpha() and len(letter) == 1:
        expected = f"an option with the letter '{letter}', which is the answer"
        raise row.odd("options", "lacks the letter of the answer", expected)
    if named and all(len(letter) == 1 and letter.isalpha() for letter in named):
        expected = f"an option that is the answer {answer[:60]!r}, or has its letter"
        raise row.odd("options", "has letters, and none is the answer", expected)
    parts = [each for each in map(apart, texts) if each]
    if same_words(answer) in {same_words(text) for _, text in parts}:
        expected = "options that begin with A, B, C and so on, or with no letters"
        raise row.odd("options", "has letters that are no row of A, B, C", expected)
    if answer.isdecimal() and int(answer) <= len(texts) and not any(map(str.isdecimal, texts)):
        # Counted from 0 or from 1: that cannot be told.
        raise row.odd("answer", "is a number, and no option is one", "the text of an option")


def _decoded(options: object) -> object:
    """Return the value of options that are written as a string; other options unchanged."""
    if not isinstance(options, str):
        return options
    for read in (read_json, _literal):
        try:
            value: object = read(options.strip().removeprefix("\ufeff"))
        except (
            ValueError,
            TypeError,
            SyntaxError,
            MemoryError,
            RecursionError,
            tokenize.TokenError,
        ):
            continue  # the errors of both readers for a string that is not a literal
        return value
    return None


def _literal(text: str) -> object:
    """Return the value of a Python literal.

    A mapping with a key twice is none, nor are two texts without a comma: NumPy prints arrays so,
    and Python would make one text of them.
    """
    tree = ast.parse(text.strip(), mode="eval").body
    texts = [node for node in ast.walk(tree) if _is_constant_text(node)]
    tokens = tokenize.generate_tokens(io.StringIO(text.strip()).readline)
    if sum(token.type == tokenize.STRING for token in tokens) != len(texts):
        raise ValueError("two texts without a comma between them")
    require_keys_once(tree)
    value: object = ast.literal_eval(tree)
    return value


def _is_constant_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)


def _is_null(value: object) -> bool:
    return value is None or (isinstance(value, float) and is_missing(value))


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and not is_missing(value)
