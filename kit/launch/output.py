"""Write a job file without ever replacing another file."""

from pathlib import Path

from kit.artifacts import write_bytes
from kit.errors import ManifestError


def write_new(path: Path, text: str) -> str:
    """Write a file atomically; return a line for the user.

    Raises:
        ManifestError: the path exists with other content, or is not a file.
        OSError: it cannot be written.
    """
    data = text.encode()
    if path.exists():
        if path.is_file() and path.read_bytes() == data:
            return f"{path} already has this content"
        raise ManifestError(
            f"{path} exists already",
            expected="a new name, or a file with the same content",
            found="a file with other content" if path.is_file() else "not a file",
            remedy="remove it, or give --output another name",
        )
    write_bytes(path, data)
    return f"wrote {path}"
