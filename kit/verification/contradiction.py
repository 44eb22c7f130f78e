"""The error for a result of which two parts say different things."""

from collections.abc import Sequence

from kit.errors import VerificationError
from kit.names import show

NAMED = 5
SHOWN = 300  # characters of one line: a stranger may have written it


def contradicts(what: str, expected: str, faults: Sequence[str]) -> VerificationError:
    """Return the error for parts of a result that contradict each other.

    Args:
        what: which parts.
        expected: what they would have to say.
        faults: what they say, one line each; the first five are named.
    """
    more = [f"and {len(faults) - NAMED} more"] if len(faults) > NAMED else []
    return VerificationError(
        show(what),
        expected=expected,
        found="\n    ".join(show(fault)[:SHOWN] for fault in [*faults[:NAMED], *more]),
        remedy="do not use this result; ask the signer what was run, and what was left out",
    )
