"""The error for a signed file that cannot be read as what its name says."""

from kit.errors import VerificationError
from kit.names import show


def unusable(name: str, reason: object) -> VerificationError:
    """Return the error for a signed file that cannot be read as what its name says."""
    return VerificationError(
        f"{name} cannot be used to recompute the result",
        expected=f"{name} as the kit writes it",
        found=show(str(reason)),  # a stranger's text is one line of the message, and no more
        remedy="ask the signer for a result as the kit writes it",
    )
