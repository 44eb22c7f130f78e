"""The forms in which a verified result can be written, by name, and the writing itself."""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from kit.artifacts import storage_error
from kit.exchange.appendix import appendix_files
from kit.exchange.croissant import croissant_files
from kit.exchange.every_eval_ever import every_eval_ever
from kit.exchange.exported import Exported
from kit.exchange.inspect_log import inspect_logs
from kit.exchange.paper import paper_files

Form = Callable[[Exported], Iterable[tuple[str, bytes]]]  # (path, content) of each file
FORMS: dict[str, Form] = {
    "every-eval-ever": every_eval_ever,
    "inspect": inspect_logs,
    "croissant": croissant_files,
    "appendix": appendix_files,
    "paper": paper_files,
}


def write_form(exported: Exported, form: str, folder: Path) -> int:
    """Write a result in a form into a new folder, all of it or nothing; return how many files.

    The same result gives the same bytes: nothing depends on the clock or the machine.

    Args:
        exported: the verified result.
        form: one of `FORMS`.
        folder: does not exist yet.

    Raises:
        StorageError: the folder cannot be written.
    """
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    files = 0
    try:
        partial.mkdir(parents=True)
        try:
            for name, data in FORMS[form](exported):
                path = partial / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                files += 1
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise storage_error(error, folder) from error
    return files
