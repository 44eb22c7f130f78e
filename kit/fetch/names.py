"""Names of files: which are safe to write, and how many of them a message says."""

from collections import Counter
from collections.abc import Iterable, Sequence

from kit.errors import DataError
from kit.names import case_collisions, name_fault

NAMED = 20  # files in one message
LONGEST = 255  # bytes that file systems allow a name


def some_of(names: Sequence[str]) -> str:
    """Return names for a message, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def require_safe(names: Iterable[str]) -> None:
    """Refuse names that could be written outside a folder, or over each other.

    Raises:
        DataError: a name is absolute, climbs, is there twice, is also a folder, is too long,
            begins or ends with white space, or differs from another, or a folder from a folder,
            only by letter case.
    """
    listed = list(names)
    if twice := [name for name, times in Counter(listed).items() if times > 1]:
        raise DataError(
            f"file name {twice[0]!a} is there twice",
            remedy="do not use this source; tell its publisher",
        )
    for name in listed:
        if faults := [fault for part in name.split("/") if (fault := _fault(part))]:
            raise DataError(
                f"file name {name!a} is not safe: {faults[0]}",
                remedy="do not use this source; tell its publisher",
            )
    folders = {name[:end] for name in listed for end, sign in enumerate(name) if sign == "/"}
    if both := folders.intersection(listed):
        raise DataError(
            f"{min(both)!a} is the name of a file and of a folder",
            remedy="do not use this source; tell its publisher",
        )
    for first, second in case_collisions([*listed, *folders]):
        raise DataError(
            f"file names {first!a} and {second!a} differ only by letter case",
            expected="names that every file system keeps apart",
            remedy="leave one of them out in the source's `files`",
        )


def _fault(part: str) -> str:
    if part != part.strip():  # an editor removes it from a checksum list, and Windows from a file
        return "white space around it"
    if len(part.encode(errors="replace")) > LONGEST:
        return f"longer than {LONGEST} bytes"
    return name_fault(part)
