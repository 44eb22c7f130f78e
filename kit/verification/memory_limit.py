"""The last net around a stranger's result: a limit on memory, and an error for whatever it breaks.

Every limit that is known is checked where it belongs. This is for those that are not: a result can
be refused, but neither take the machine's memory nor end in a traceback.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from kit.errors import KitError, VerificationError
from kit.names import show

try:
    import resource
except ImportError:  # no such thing on this platform: the limits of each file still hold
    resource = None  # type: ignore[assignment]

# The reference, 191 systems, takes 0.2 GB.
MAX_MEMORY_BYTES = 4 << 30
SHOWN = 200  # characters of an error that a stranger may have written
FULL = (errno.ENOSPC, errno.EDQUOT)
REMEDY = (
    "do not use it; ask the signer for a result as the kit writes it; if your own run made it, it "
    "is a fault of the kit: report it"
)


@contextmanager
def guarded() -> Iterator[None]:
    """Run what reads a stranger's result with at most 4 GiB of data, and without a traceback.

    Raises:
        VerificationError: it needs more memory, or something unforeseen happened, its cause.
        KitError, ImportError: as raised within.
        OSError: as raised within, where it names a file or says that the disk is full.
    """
    try:
        with _limited():
            yield
    except (KitError, ImportError):
        raise
    except MemoryError as error:
        raise VerificationError(
            "the result needs more memory than any honest one",
            expected=f"at most {MAX_MEMORY_BYTES >> 30} GiB",
            remedy=REMEDY,
        ) from error
    except Exception as error:
        if isinstance(error, OSError) and (error.filename or error.errno in FULL):
            raise
        said = show(" ".join(str(error)[:SHOWN].split()))
        raise VerificationError(
            f"the result cannot be used: {type(error).__name__}", found=said, remedy=REMEDY
        ) from error


@contextmanager
def _limited() -> Iterator[None]:
    """Lower the soft limit on this process's data, where there is one, and put it back."""
    if resource is None or not hasattr(resource, "RLIMIT_DATA"):
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    others = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min([MAX_MEMORY_BYTES, *others]), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
