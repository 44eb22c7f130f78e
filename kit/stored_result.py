"""The files of a result folder that its numbers follow from, read without asking who signed."""

from pathlib import Path

from kit.claims_file import CLAIMS
from kit.errors import MissingStageError
from kit.recomputation import INPUTS
from kit.report_check import FOLDER
from kit.result_tree import read_bytes

MAX_FILE_BYTES = 512 << 20


def read_result(folder: Path) -> dict[str, bytes]:
    """Return {path in the result: bytes} of what `kit.recomputation` needs.

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
    pages = folder / FOLDER.rstrip("/")
    report = [path for path in sorted(pages.iterdir()) if path.is_file()] if pages.is_dir() else []
    names = [*INPUTS, *(FOLDER + path.name for path in report)]
    if (folder / CLAIMS).is_file():
        names.append(CLAIMS)
    return {name: read_bytes(folder / name, max_bytes=MAX_FILE_BYTES) for name in names}
