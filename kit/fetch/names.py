"""Names of files to download: which are safe to write."""

from collections import Counter
from collections.abc import Iterable

from kit.errors import DataError
from kit.names import case_collisions, name_fault

MAX_NAME_BYTES = 255  # of one part of a path, on common file systems


def require_safe(names: Iterable[str]) -> None:
    """Refuse names that could be written outside a folder, or over each other.

    Raises:
        DataError: a name is absolute, climbs with `..`, occurs twice, is also a folder, is too
            long, begins or ends with white space, or differs from another only by letter case
            (folders included).
    """
    listed = list(names)
    if twice := [name for name, times in Counter(listed).items() if times > 1]:
        raise DataError(
            f"file name {twice[0]!a} occurs twice",
            expected="each name once",
            found=f"{len(twice)} names more than once",
            remedy="do not use this source; tell its publisher",
        )
    for name in listed:
        if faults := [fault for part in name.split("/") if (fault := _fault(part))]:
            raise DataError(
                f"file name {name!a} is not safe",
                expected="a relative name that every file system can hold and every reader sees",
                found=faults[0],
                remedy="do not use this source; tell its publisher",
            )
    folders = {name[:end] for name in listed for end, sign in enumerate(name) if sign == "/"}
    if both := folders.intersection(listed):
        raise DataError(
            f"{min(both)!a} is the name of a file and of a folder",
            expected="a file, or a folder with files",
            found=f"the file, and {next(n for n in listed if n.startswith(f'{min(both)}/'))!a}",
            remedy="do not use this source; tell its publisher",
        )
    for first, second in case_collisions([*listed, *folders]):
        raise DataError(
            "file names differ only by letter case",
            expected="names that every file system keeps apart",
            found=f"{first!a} and {second!a}",
            remedy="leave one of them out in the source's `files`",
        )


def _fault(part: str) -> str:
    # Editors remove such white space from checksum lists, and Windows from file names.
    if part != part.strip():
        return "white space around it"
    if len(part.encode(errors="replace")) > MAX_NAME_BYTES:
        return f"longer than {MAX_NAME_BYTES} bytes"
    return name_fault(part)
