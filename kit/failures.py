"""What a library or the system raised, as one error of the kit: its place, and no traceback."""

import errno
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.artifacts import PROJECT, storage_error
from kit.errors import EnvironmentFault, KitError, StorageError, UnforeseenError

FULL = (errno.ENOSPC, errno.EDQUOT)
# Libraries that write by themselves wrap the system's error in a text of their own.
FULL_TEXTS = ("No space left on device", "os error 28", "Disk quota exceeded", "os error 122")
OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)
# torch is not imported here: its error for a full GPU is known by its name. The CPU's allocator,
# the driver and cuBLAS raise a plain RuntimeError.
MEMORY_NAME = "OutOfMemoryError"
MEMORY_TEXTS = (
    "can't allocate memory", "Cannot allocate memory", "CUDA out of memory",
    "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED",
)  # fmt: skip
MEMORY_REMEDY = "lower compute.workers or the micro-batch and run again; finished jobs are kept"
SHOWN = 300  # characters of a library's message


@contextmanager
def at(place: str) -> Iterator[None]:
    """Note the place on whatever a library raises inside; errors of the kit name their own."""
    try:
        yield
    except KitError:
        raise
    except Exception as error:
        error.add_note(place)
        raise


def kit_error(error: BaseException, place: str = "") -> KitError:
    """Return the error of the kit for what was raised: it names the place and a remedy.

    Args:
        place: stage, job and the like; what `at` noted on the error is added.
    """
    if isinstance(error, KitError):
        return error
    places = [place, *reversed(getattr(error, "__notes__", []))]
    found = _known(error, ", ".join(filter(None, places)))
    found.traceback = "".join(traceback.format_exception(error))
    return found


def _known(error: BaseException, place: str) -> KitError:
    begin, said = f"{place}: " if place else "", _said(error)
    number = error.errno if isinstance(error, OSError) else None
    if number in FULL or any(text in said for text in FULL_TEXTS):
        path = error.filename if isinstance(error, OSError) else None
        return _placed(storage_error(OSError(errno.ENOSPC, "No space left on device", path)), begin)
    if out_of_memory(error):
        return EnvironmentFault(
            f"{begin}not enough memory",
            expected="memory for all that runs at once",
            found=said[:SHOWN],
            remedy=MEMORY_REMEDY,
        )
    if number in OUT_OF_FILES:
        return EnvironmentFault(
            f"{begin}too many files are open at once",
            expected="a limit of 4096 open files or more",
            found=said[:SHOWN],
            remedy="run `ulimit -n 4096` in this shell and the same command again",
        )
    if isinstance(error, OSError) and number is not None and error.filename:
        return _placed(storage_error(error), begin)
    if isinstance(error, ModuleNotFoundError) and str(error.name).split(".")[0] != "kit":
        return EnvironmentFault(
            f"{begin}the package {error.name} is not installed",
            expected="the packages of docker/requirements.cpu.lock",
            found=sys.executable,
            remedy="start with ./run.sh, which builds the environment",
        )
    if isinstance(error, SystemExit):
        return UnforeseenError(
            f"{begin}a file has ended the whole process",
            expected="code that raises an error, and never calls exit",
            found=f"{type(error).__name__}: {error} ({_lines(error)})",
            remedy="correct that file",
        )
    return UnforeseenError(
        f"{begin}{type(error).__name__}, which the kit does not expect here",
        found=f"{said[:SHOWN]} ({_lines(error)})",
        remedy="run the same command again: finished jobs are kept. If it fails in the same way, "
        "run it with --debug, which shows the traceback, and report that",
    )


def _placed(error: StorageError, begin: str) -> StorageError:
    """Return an error of a file with the place in front."""
    return StorageError(
        f"{begin}{error.what}", expected=error.expected, found=error.found, remedy=error.remedy
    )


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory does not suffice, on a GPU or a CPU."""
    if isinstance(error, MemoryError) or type(error).__name__ == MEMORY_NAME:
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in MEMORY_TEXTS)


def _said(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _lines(error: BaseException) -> str:
    """Return the line that raised it and, where that is a library's, the line of the kit."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "no line is known"
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(PROJECT / "kit")]
    last = _line(frames[-1])
    return last if not own or own[-1] is frames[-1] else f"{last}, called by {_line(own[-1])}"


def _line(frame: traceback.FrameSummary) -> str:
    path = Path(frame.filename)
    if path.is_relative_to(PROJECT):
        return f"{path.relative_to(PROJECT)}:{frame.lineno}"
    _, mark, inside = frame.filename.rpartition("site-packages/")
    return f"{inside if mark else path.name}:{frame.lineno}"
