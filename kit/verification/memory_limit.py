"""The last net around a stranger's result: a limit on memory, and an error for whatever it breaks.

Every limit that is known is checked where it belongs. This is for those that are not: a result can
be refused, but neither take the machine's memory nor end in a traceback.
"""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.errors import KitError, VerificationError
from kit.names import show
from kit.result.layout import ANSWERS, LIKELIHOODS, OPTIONAL_TABLES, RECORDS, ROWS, SETS

try:
    import resource
except ImportError:  # no such thing on this platform: the limits of each file still hold
    resource = None  # type: ignore[assignment]

# To read the reference, 191 systems with 81,000 answers in 0.2 MB, takes less than 0.1 GB.
MAX_MEMORY_BYTES = 640 << 20
# More for tables that are large on disk, as those of a large benchmark are.
PER_TABLE_BYTE = 16
MOST_MEMORY_BYTES = 4 << 30
TABLES = (RECORDS, SETS, ROWS, ANSWERS, LIKELIHOODS, *OPTIONAL_TABLES)
SHOWN = 200  # characters of an error that a stranger may have written
FULL = (errno.ENOSPC, errno.EDQUOT)
REMEDY = (
    "do not use it; ask the signer for a result as the kit writes it; if your own run made it, it "
    "is a fault of the kit: report it"
)


@contextmanager
def guarded(*results: Path) -> Iterator[None]:
    """Run what reads a stranger's result with little memory, and without a traceback.

    It may take 640 MiB beyond what the process has, and 16 bytes more for each byte of the tables
    on disk, at most 4 GiB.

    Args:
        results: the folders that are read.

    Raises:
        VerificationError: it needs more memory, or something unforeseen happened, its cause.
        KitError, ImportError: as raised within.
        OSError: as raised within, where it names a file or says that the disk is full.
    """
    stored = sum(_size(folder / name) for folder in results for name in TABLES)
    most = min(MAX_MEMORY_BYTES + PER_TABLE_BYTE * stored, MOST_MEMORY_BYTES)
    try:
        with _limited(most):
            yield
    except (KitError, ImportError):
        raise
    except MemoryError as error:
        raise VerificationError(
            "the result needs more memory than any honest one",
            expected=f"at most {most >> 20} MiB for tables of {stored} bytes",
            found="more, and it was not given any",
            remedy=REMEDY,
        ) from error
    except Exception as error:
        if isinstance(error, OSError) and (error.filename or error.errno in FULL):
            raise
        said = show(" ".join(str(error)[:SHOWN].split()))
        raise VerificationError(
            f"the result cannot be used: {type(error).__name__}",
            expected="a result as the kit writes it",
            found=said or "no further words",
            remedy=REMEDY,
        ) from error


def _size(path: Path) -> int:
    """Return the bytes of a file on the disk; a hole takes none."""
    try:
        state = path.lstat()
    except OSError:
        return 0
    blocks = getattr(state, "st_blocks", None)  # Windows does not say
    return state.st_size if blocks is None else min(state.st_size, blocks * 512)


def data_bytes() -> int:
    """Return how many bytes of data this process has, as the limit counts them; 0 if unknown."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    found = re.search(r"^VmData:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) << 10 if found else 0


@contextmanager
def _limited(most: int) -> Iterator[None]:
    """Lower the soft limit on this process's data to what it has and `most`, and put it back."""
    if resource is None or not hasattr(resource, "RLIMIT_DATA"):
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    others = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    data = data_bytes()
    wanted = data + most if data else MOST_MEMORY_BYTES
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (min([wanted, *others]), hard))
    except (OSError, ValueError):  # a system that has the limit and does not let it be set
        yield
        return
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
