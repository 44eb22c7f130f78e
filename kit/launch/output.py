"""Write a job description, and never over something else."""

from pathlib import Path

from kit.artifacts import write_bytes
from kit.errors import ManifestError


def write_new(path: Path, text: str) -> str:
    """Write a file atomically; return one line that says what was done.

    Raises:
        ManifestError: the path is there with other content, or is no file.
        OSError: it cannot be written.
    """
    data = text.encode()
    if path.exists():
        if path.is_file() and path.read_bytes() == data:
            return f"{path} is there already, with these bytes"
        raise ManifestError(
            f"{path} is there already",
            expected="a new name, or a file with what would be written",
            found="another file" if path.is_file() else "no file",
            remedy="remove it, or give --output another name",
        )
    write_bytes(path, data)
    return f"wrote {path}"
