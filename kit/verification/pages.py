"""Make the pages of a report again from verified numbers, and compare them byte for byte.

This is done only if this kit's code rendered them. Another version may word or draw the same
numbers in another way.
"""

import os
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import TypeVar

import jinja2
import pandas as pd

from kit import __version__
from kit.artifacts import storage_error
from kit.errors import KitError, VerificationError
from kit.names import show
from kit.report import number_files, page_files, write_files
from kit.report.browser.packing import unpacked
from kit.report.browser.shown import Stored, pictures_of
from kit.report.contents import Contents, make_contents, schema_of
from kit.report.renderer import renderer_digest
from kit.result.layout import ATTACKED, PICTURES, RECORDS, REPORT, RUN
from kit.result.made_by import Kit
from kit.result.tables import ROW_TYPES
from kit.result.unusable import unusable
from kit.verification import numbers
from kit.verification.memory_limit import REMEDY
from kit.verification.recompute import Recomputed, require_rows, require_verdicts, unchecked_numbers

BROWSER = f"{REPORT}answers.html"
# The pages of all versions of the kit up to this one, and those that each of them made.
KNOWN = frozenset({"answers.html", "attacks.svg", "forget_retain.svg", "report.html", "report.md"})
ALWAYS = frozenset({"forget_retain.svg", "report.html", "report.md"})
NAMED = 5
SHOWN = 160  # characters of a differing line
Made = TypeVar("Made")


def is_rendered_here(kit: Kit) -> bool:
    """Say whether the pages of a result were rendered by the code of this kit.

    Raises:
        VerificationError: they were, but the result states another version of the kit.
    """
    if kit.renderer is None or kit.renderer != renderer_digest():
        return False
    if kit.version != __version__:
        raise unusable(
            RUN,
            f"kit.renderer is the code of version {__version__}, but kit.version is {kit.version}",
        )
    return True


def not_remade(kit: Kit, names: Collection[str] = ()) -> str:
    """Return, in one line, what of a report is not verified if another renderer made it.

    Args:
        kit: which made the result.
        names: the paths of everything under report/.
    """
    theirs = f"{kit} (renderer {kit.renderer[:12]})" if kit.renderer else str(kit)
    ours = f"{__version__} (renderer {renderer_digest()[:12]})" if kit.renderer else __version__
    return (
        "the report's pages and the sentences in report.json are NOT VERIFIED and may say "
        f"anything: kit {theirs} rendered them, and this is kit {ours}. The numbers in report.json "
        "and the CSV files were checked. To render pages from them: ./run.sh report RESULT --to "
        f"FOLDER{_other_pages(names)}"
    )


def _other_pages(names: Collection[str]) -> str:
    """Return which pages no version of this kit makes, and which are missing; "" if none."""
    pages = {
        name.removeprefix(REPORT) for name in names if PurePosixPath(name).suffix in numbers.PAGES
    }
    said = ""
    if others := sorted(pages - KNOWN):
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        said += f". This kit makes no page named {', '.join(map(show, others[:NAMED]))}{more}"
    if pages and (missing := sorted(ALWAYS - pages)):
        said += f". A page of every version of the kit is missing: {', '.join(missing)}"
    return said


def require_stored(found: Recomputed) -> list[str]:
    """Hold all that a result stores beside its answers against what follows from them.

    Returns:
        A line for each thing that was not compared.

    Raises:
        VerificationError: rows, verdicts, numbers of the report or pages differ.
    """
    require_rows(found)
    require_verdicts(found)
    unchecked = unchecked_numbers(found)
    if found.stored.report:
        contents = contents_of(found)
        numbers.require_numbers(contents, found.stored.report, found.stored.kit, found.retired)
        if not is_rendered_here(found.stored.kit):
            return [*unchecked, not_remade(found.stored.kit, found.stored.report)]
        require_pages(contents, found.stored.report)
    return unchecked


def contents_of(found: Recomputed) -> Contents:
    """Return what the report of a result says, made from its verified rows and verdicts.

    Raises:
        VerificationError: a part of run.json that only the report reads is not what it should be.
    """
    stored = found.stored
    # The stored rows, whose last decimals the report prints, are known to be right.
    rows: pd.DataFrame = stored.rows.to_pandas().astype(ROW_TYPES)
    entries = stored.verdicts.entries if stored.verdicts else ()
    schema = schema_of(stored.run, stored.report)
    tables = stored.tables
    pictures = pictures_of(tables.get(PICTURES))
    shown = Stored(tables[RECORDS], tables.get(ATTACKED), pictures, stored.losses)
    return _made(
        lambda: make_contents(
            stored.run, stored.protocol, rows, entries, found.measured, shown, schema
        )
    )


def require_pages(contents: Contents, signed: Mapping[str, bytes]) -> None:
    """Compare the signed report, byte for byte, with the one that follows from what was verified.

    Args:
        contents: what the report says, made from verified rows.
        signed: {path in the result: bytes} of everything under report/.

    Raises:
        VerificationError: a page differs, is missing, or does not belong to a report.
    """
    files = _made(lambda: number_files(contents) | page_files(contents))
    made = {REPORT + name: data for name, data in files.items()}
    # Builds of zlib differ in what they write, so the table of answers is compared unpacked.
    made[BROWSER] = unpacked(made[BROWSER])
    held = {
        name: _unpacked(data, len(made[BROWSER])) if name == BROWSER else data
        for name, data in signed.items()
    }
    differences = [
        f"{show(name)}: {difference(held.get(name), made.get(name))}"
        for name in sorted(held.keys() | made.keys())
        if held.get(name) != made.get(name)
    ]
    if differences:
        raise VerificationError(
            "the pages of the report do not follow from the stored answers",
            expected="the pages that this kit makes from them: run.json says that its code made "
            "these",
            found="\n    ".join(differences),
            remedy="do not use the report; ask the signer how it came to be",
        )


def _unpacked(page: bytes, most: int) -> bytes:
    """Return a signed page of answers unpacked; as it is, and so another one, if it is damaged."""
    try:
        return unpacked(page, most)
    except ValueError:
        return page


def write_pages(contents: Contents, folder: Path) -> list[Path]:
    """Write this kit's report of verified numbers into a new folder; return its files.

    Raises:
        VerificationError: a page cannot be made.
        StorageError: the folder cannot be written.
    """
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True)
        try:
            _made(lambda: write_files(contents, partial))
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise storage_error(error, folder) from error
    return sorted(folder.iterdir())


def _made(make: Callable[[], Made]) -> Made:
    try:
        return make()
    except KitError as error:
        raise VerificationError(
            "the report cannot be made again",
            expected="a result that its report follows from",
            found=error.what,
            remedy=error.remedy or REMEDY,
        ) from error
    except (
        ArithmeticError, LookupError, TypeError, ValueError, AttributeError, jinja2.TemplateError,
    ) as error:  # fmt: skip
        # run.json has many parts that only the report reads; one of them is not what it should be.
        raise unusable(RUN, f"the report stops at {error!r}") from error


def difference(signed: bytes | None, made: bytes | None) -> str:
    """Return where a signed text is not the one that was made again, in one line."""
    if signed is None:
        return "missing"
    if made is None:
        return "no file of a report"
    left, right = (data.decode("utf-8", "replace").splitlines() for data in (signed, made))
    for number, (old, new) in enumerate(zip(left, right, strict=False), 1):
        if old != new:
            start = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0)
            cut = slice(max(0, start - SHOWN // 2), start + SHOWN // 2)
            return f"line {number} is {show(old[cut])!r}, recomputed {show(new[cut])!r}"
    return f"{len(left)} lines, recomputed {len(right)}, or other line ends"
