"""The two sides of a published split, and the check that nothing leaks from one to the other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from kit.benchmarks.clear.rows import Row, is_about, respelt, same_words
from kit.benchmarks.clear.tables import image_rows, text_rows
from kit.benchmarks.identity import in_both, merged, not_in, one_spelling
from kit.benchmarks.left_out import OddRows, few
from kit.benchmarks.mentions import OF_ANOTHER, People
from kit.benchmarks.parquet import Place
from kit.errors import DataError

FULL = "full"
SPLITS = {1: ("forget01", "retain99"), 5: ("forget05", "retain95"), 10: ("forget10", "retain90")}
SAME_REVISION = "fetch all configurations from the pinned revision"


@dataclass(frozen=True)
class Side:
    """One configuration: its image rows, and the text rows of its `+tofu` companion."""

    config: str
    images: tuple[Row, ...]
    texts: tuple[Row, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The people that the image rows name, each spelling once."""
        return tuple(dict.fromkeys(row.name for row in self.images if row.name))


@dataclass(frozen=True)
class Halves:
    """The two sides of a split, with one spelling for each person.

    `spelling` is {identity: spelling}. `notes` say which names were spelt in several ways.
    """

    forget: Side
    retain: Side
    spelling: dict[str, str]
    notes: tuple[str, ...]


def read_split(place: Place, percent: int, odd: OddRows) -> Halves:
    """Return the published split that forgets `percent` % of the people, a key of `SPLITS`.

    Several spellings of a person within one side become the first one. Rows of the retain side
    whose texts mention a forgotten person, or that show a picture of one, are odd: they would teach
    what is forgotten.

    Raises:
        DataError: a configuration is malformed, or `check_split` refuses the split.
    """
    forget, retain = (read_side(place, config, odd) for config in SPLITS[percent])
    for side in (forget, retain):
        odd.require_everybody(side.config, side.names)
    check_split(forget, retain, read_side(place, FULL, odd))
    people = People((*forget.names, *retain.names))
    retain = _without(forget, retain, odd)
    forget, retain = (_of_their_own(side, people, odd) for side in (forget, retain))
    odd.require_everybody(retain.config, retain.names)
    names = (*forget.names, *retain.names)
    spelling = one_spelling(names)
    forget, retain = (
        replace(side, images=respelt(side.images, spelling), texts=respelt(side.texts, spelling))
        for side in (forget, retain)
    )
    return Halves(forget, retain, spelling, merged(names))


def read_side(place: Place, config: str, odd: OddRows) -> Side:
    """Return a configuration and its `+tofu` companion.

    Raises:
        DataError: one of the two is missing or malformed.
    """
    images = tuple(image_rows(place, config, odd))
    names = {row.name for row in images} - {""}
    return Side(config, images, tuple(text_rows(place, f"{config}+tofu", odd, names)))


def check_split(forget: Side, retain: Side, full: Side) -> None:
    """Check that the two sides are disjoint and together make up `full`.

    People and texts are compared in every spelling (`kit.benchmarks.identity`).

    Raises:
        DataError: they share a person, an image with its caption, or a question with its answer;
            a forgotten person is not in `full`; pictures have other captions than in `full`; more
            than one row in a hundred of `full` has no name; or their row counts do not (nearly) add
            up to that of `full`.
    """
    _refuse(
        in_both(forget.names, retain.names),
        f"people in both '{forget.config}' and '{retain.config}'",
    )
    for what, kind, key in (("images", "images", _image_key), ("text rows", "texts", _text_key)):
        seen = {key(row): row for row in getattr(retain, kind)}
        shared = [row.where for row in getattr(forget, kind) if key(row) in seen]
        _refuse(shared, f"{what} of '{forget.config}' that are also in '{retain.config}'")
    _refuse(
        not_in(forget.names, full.names),
        f"people of '{forget.config}' who are not in '{full.config}'",
    )
    require_own_pictures((*forget.images, *retain.images), full.images)
    nameless = [row.where for row in full.images if not row.name]
    if not few(len(nameless), len(full.images)):
        _refuse(nameless, f"rows of '{full.config}' without a name, more than one in a hundred")
    for what, kind in (("image", "images"), ("text", "texts")):
        parts = [len(getattr(side, kind)) for side in (forget, retain)]
        whole = len(getattr(full, kind))
        if not few(abs(sum(parts) - whole), whole):
            raise DataError(
                f"'{forget.config}' and '{retain.config}' do not add up to '{full.config}'",
                expected=f"about {whole} {what} rows",
                found=f"{parts[0]} + {parts[1]}",
                remedy=SAME_REVISION,
            )


def require_own_pictures(rows: Sequence[Row], whole: Sequence[Row]) -> None:
    """Check that a picture has the caption that it has in another configuration.

    A picture that the other one does not have, or has in another encoding, says nothing.

    Raises:
        DataError: more than one in a hundred have another: rows and pictures are shifted.
    """
    captions: dict[object, set[tuple[str, ...]]] = {}
    for row in whole:
        captions.setdefault(row.image, set()).add(same_words(row.text("caption")))
    wrong = [
        row.where
        for row in rows
        if row.image in captions and same_words(row.text("caption")) not in captions[row.image]
    ]
    if not few(len(wrong), len(rows)):
        _refuse(
            wrong,
            f"pictures in '{rows[0].config}' whose captions in '{whole[0].config}' are others",
        )


def _of_their_own(side: Side, people: People, odd: OddRows) -> Side:
    """Return a side without the image rows whose caption names another person alone.

    Raises:
        DataError: there are too many such rows, or all of a person are.
    """
    kept = []
    for row in side.images:
        if people.is_about_another([row.text("caption")], row.name):
            odd.leave_out(side.config, OF_ANOTHER, row.where, person=row.name)
        else:
            kept.append(row)
    odd.require_few_more(side.config)
    odd.require_everybody(side.config, {row.name for row in kept})
    return replace(side, images=tuple(kept))


def _without(forget: Side, side: Side, odd: OddRows) -> Side:
    """Return a side without the rows that mention a forgotten person, or show their picture.

    Raises:
        DataError: there are too many such rows.
    """
    pictures = {row.image for row in forget.images}
    kept: list[tuple[Row, ...]] = []
    for rows, table in ((side.images, side.config), (side.texts, f"{side.config}+tofu")):
        left = set()
        for row in rows:
            if is_about(row, forget.names):
                kind = "it mentions a forgotten person"
            elif row.image is not None and row.image in pictures:
                kind = "it shows a picture of the forget side"
            else:
                continue
            odd.leave_out(table, kind, row.where, person=row.name)
            left.add(row.number)
        odd.require_few_more(table)
        kept.append(tuple(row for row in rows if row.number not in left))
    return Side(side.config, *kept)


def check_kept(rows: list[Row], forget: Side, retain: Side) -> None:
    """Check that the rows that measure retention show only people to be kept.

    Raises:
        DataError: a row names a forgotten person, or a person who is not on the retain side; or
            pictures have other captions than there.
    """
    found = [row.name for row in rows]
    config = rows[0].config
    _refuse(in_both(forget.names, found), f"people of '{forget.config}' in '{config}'")
    require_own_pictures(rows, retain.images)
    _refuse(
        not_in(found, retain.names),
        f"people of '{config}' who are not in '{retain.config}'",
    )


def _image_key(row: Row) -> tuple[object, ...]:
    return row.image, same_words(row.text("caption"))


def _text_key(row: Row) -> tuple[object, ...]:
    return same_words(row.text("question")), same_words(row.text("answer"))


def _refuse(found: Iterable[str], what: str) -> None:
    listed = sorted(found)
    if listed:
        raise DataError(
            f"CLEAR's split has {what}",
            expected="none",
            found=f"{len(listed)}: {', '.join(listed[:3])}",
            remedy=SAME_REVISION,
        )
