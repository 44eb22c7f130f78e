"""Make the report again from verified tables and hold every page of it against the signed one."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import jinja2
import pandas as pd

from kit import __version__
from kit.artifacts import storage_error
from kit.errors import KitError, VerificationError
from kit.metrics.rows import Measured
from kit.names import show
from kit.report import write_report
from kit.result.layout import REPORT, ROWS, RUN
from kit.result.tables import unusable

SHOWN = 160  # characters of a differing line


def compare_report(
    files: Mapping[str, bytes],
    rows: pd.DataFrame,
    measured: Measured,
    signed: Mapping[str, bytes],
) -> None:
    """Compare the signed report, byte for byte, with the one that follows from what was verified.

    Args:
        files: {path in the result: bytes} of run.json and, where there is one, claims.json.
        rows: the verified rows.
        measured: the answers that they follow from; to read and measure them once more would
            take as much memory again.
        signed: {path in the result: bytes} of everything under report/.

    Raises:
        VerificationError: a page differs, is missing, or does not belong to a report.
        StorageError: there is no room for temporary files.
    """
    made = _report_of(files, rows, measured)
    differences = [
        f"{show(name)}: {difference(signed.get(name), made.get(name))}"
        for name in sorted(signed.keys() | made.keys())
        if signed.get(name) != made.get(name)
    ]
    if differences:
        raise VerificationError(
            "the report does not follow from the stored answers",
            expected=f"the pages that version {__version__} of the kit makes from them",
            found="\n    ".join(differences),
            remedy="verify with the version of the kit that run.json names; if that is this one, "
            "do not use the report",
        )


def _report_of(
    files: Mapping[str, bytes], rows: pd.DataFrame, measured: Measured
) -> dict[str, bytes]:
    """Return the files of the report, made in a folder that holds the verified bytes only."""
    try:
        with tempfile.TemporaryDirectory(prefix="pebench-verify-") as folder:
            results = Path(folder)
            for name, data in files.items():
                (results / name).write_bytes(data)
            rows.to_parquet(results / ROWS, index=False)
            return {
                REPORT + path.name: path.read_bytes() for path in write_report(results, measured)
            }
    except KitError as error:
        raise VerificationError("the report cannot be made again", found=error.what) from error
    except OSError as error:
        raise storage_error(error) from error
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
