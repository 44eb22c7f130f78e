"""The passphrase of an encrypted key: from a file, the environment, or a terminal.

Never from the command line: every user of the machine can read the arguments of a running program.
"""

import os
import stat
import sys
from pathlib import Path

from kit.errors import SignatureError

FROM_FILE, FROM_ENVIRONMENT = "PEBENCH_PASSPHRASE_FILE", "PEBENCH_PASSPHRASE"
MIN_BYTES, MAX_BYTES = 8, 1024
SOURCES = (
    f"--passphrase-file FILE, {FROM_FILE}=FILE, {FROM_ENVIRONMENT} in the environment, "
    "or a terminal to ask on"
)


def read_passphrase(path: Path | None = None, *, new: bool = False) -> bytes:
    """Return the passphrase from the first source that has one: `path`, environment, terminal.

    Args:
        path: a file whose first line is the passphrase.
        new: whether the passphrase is being chosen. A terminal then asks for it twice, and it must
            have at least 8 bytes.

    Raises:
        SignatureError: no source has a passphrase, its file cannot be read or can be read by other
            users, or a new passphrase has fewer than 8 bytes.
    """
    file = path or (Path(os.environ[FROM_FILE]) if os.environ.get(FROM_FILE) else None)
    if file is not None:
        found = _first_line(file)
    elif value := os.environ.get(FROM_ENVIRONMENT):
        found = value.encode(errors="surrogateescape")
    elif sys.stdin is not None and sys.stdin.isatty():
        import click

        found = click.prompt(
            "passphrase of the runner key", hide_input=True, confirmation_prompt=new, err=True
        ).encode()
    else:
        raise SignatureError(
            "the runner key needs a passphrase, and none was given",
            expected=SOURCES,
            found="none of these",
            remedy=f"write it into a file of mode 0600 and: export {FROM_FILE}=FILE",
        )
    if not found or len(found) > MAX_BYTES or (new and len(found) < MIN_BYTES):
        raise SignatureError(
            "the passphrase cannot be used",
            expected=f"{MIN_BYTES} to {MAX_BYTES} bytes",
            found=f"{len(found)} bytes",
            remedy="choose a longer, random passphrase: it is all that protects a stolen key file"
            if new
            else "give the passphrase that the key was made with",
        )
    return found


def _first_line(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            state = os.fstat(stream.fileno())
            if stat.S_ISREG(state.st_mode) and state.st_mode & 0o077:
                raise SignatureError(
                    f"the passphrase file {path} can be read by other users of this machine",
                    expected="mode 0600",
                    found=f"mode {stat.S_IMODE(state.st_mode):04o}",
                    remedy=f"chmod 600 {path}",
                )
            return stream.readline(MAX_BYTES + 2).rstrip(b"\r\n")
    except OSError as error:
        raise SignatureError(
            f"the passphrase file {path} cannot be read",
            expected="a file whose first line is the passphrase",
            found=error.strerror,
            remedy=f"check --passphrase-file or {FROM_FILE}",
        ) from error
