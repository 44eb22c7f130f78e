"""Python files that a user adds to the kit or names beside it: what importing them may raise.

Methods have their own messages (`kit.methods.registry`).
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.artifacts import PROJECT
from kit.benchmarks.records import Concept
from kit.errors import KitError, ManifestError
from kit.metrics.definition import Definition


@contextmanager
def importing(what: str) -> Iterator[None]:
    """Name the line of a file that fails while it is imported, or that ends the process.

    Args:
        what: the part of the manifest that names the file, for messages.

    Raises:
        ManifestError: it fails; errors of the kit without a cause are passed on.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        cause = error.__cause__ if isinstance(error, KitError) else error
        if cause is None or isinstance(cause, KitError):
            raise
        raise ManifestError(
            error.what if isinstance(error, KitError) else f"{what}: its file cannot be imported",
            expected="a Python file that defines what it is for, and does nothing else",
            found=f"{_place(cause)}: {type(cause).__name__}: {str(cause)[:200]}",
            remedy="correct the file; --debug shows the traceback",
        ) from cause


def require_concepts(metric: Definition) -> None:
    """Check that a metric from outside is of kinds of questions that exist: else it has no row.

    Raises:
        ManifestError: it names others.
    """
    known = set(Concept)
    concepts: object = metric.concepts
    named = concepts if isinstance(concepts, frozenset | set | tuple | list) else [concepts]
    if unknown := [each for each in named if each not in known]:
        raise ManifestError(
            f"evaluation.metric_file: the metric {metric.id} is of an unknown kind of question",
            expected=f"concepts among {', '.join(Concept)}",
            found=f"{unknown[0]!r:.80}",
            remedy="correct the kinds in METRIC: kit/metrics/README.md has an example",
        )


def _place(error: BaseException) -> str:
    """Return the last line of Python's import that led to an error."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shown(error.filename)}:{error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "<frozen" not in f.filename]
    own = [frame for frame in frames if not _is_library(frame.filename)] or frames
    return f"{_shown(own[-1].filename)}:{own[-1].lineno}" if own else "no line is known"


def _is_library(file: str) -> bool:
    """Say whether a file is of the standard library or of a package."""
    return Path(traceback.__file__).parent in Path(file).parents


def _shown(file: str) -> str:
    path = Path(file)
    return path.relative_to(PROJECT).as_posix() if path.is_relative_to(PROJECT) else str(path)
