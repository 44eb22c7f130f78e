"""The files of a result folder that its numbers follow from, read without asking who signed."""

from pathlib import Path

from kit.errors import MissingStageError
from kit.result.layout import CLAIMS, INPUTS, REPORT
from kit.result.sizes import most_bytes, require_small_report
from kit.result.tree import read_bytes


def read_result(folder: Path, *, pages: bool = True) -> dict[str, bytes]:
    """Return {path in the result: bytes} of what `kit.verification.recompute` needs.

    Args:
        folder: the result.
        pages: whether the pages of its report are read as well, to be held against the rest.

    Raises:
        MissingStageError: the result has no answers or rows.
        VerificationError: a file is too large or no plain file.
    """
    for name in INPUTS:
        if not (folder / name).is_file():
            raise MissingStageError(
                f"{folder / name} does not exist",
                expected=f"a whole result: {', '.join(INPUTS)}",
                remedy="./run.sh all makes one; of somebody else's, get the whole folder",
            )
    report = folder / REPORT.rstrip("/")
    there = sorted(report.iterdir()) if pages and report.is_dir() else []
    found = [path for path in there if path.is_file()]
    require_small_report(path.stat().st_size for path in found)
    names = [*INPUTS, *(REPORT + path.name for path in found)]
    if (folder / CLAIMS).is_file():
        names.append(CLAIMS)
    return {name: read_bytes(folder / name, max_bytes=most_bytes(name)) for name in names}
