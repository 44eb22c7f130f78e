"""Read a file of a result, and make sure that it is the one that was signed."""

from collections.abc import Mapping
from pathlib import Path

from kit.digests import sha256_bytes
from kit.errors import VerificationError
from kit.result.sizes import most_bytes
from kit.result.tree import read_bytes


def read_signed(results: Path, path: str, digests: Mapping[str, str]) -> bytes:
    """Return the content of a small file.

    Args:
        results: the folder of the result.
        path: of the file, in the result.
        digests: {path in the result: SHA-256} of all signed files; `path` is one of them.

    Raises:
        VerificationError: the file changed while it was verified, or is larger than any such file.
    """
    data = read_bytes(results / path, max_bytes=most_bytes(path))
    if sha256_bytes(data) != digests[path]:
        raise VerificationError(
            f"{path} changed while it was verified",
            expected="the bytes that were signed",
            found="other bytes",
            remedy="stop what writes to it; verify again",
        )
    return data
