"""The passphrase of an encrypted key: from a file, the environment, or a terminal.

Never from the command line: everybody on the machine can read its words while a program runs.
"""

import os
import stat
import sys
from pathlib import Path

from kit.errors import SignatureError

FROM_FILE, FROM_ENVIRONMENT = "PEBENCH_PASSPHRASE_FILE", "PEBENCH_PASSPHRASE"
SHORTEST, LONGEST = 8, 1024
WAYS = (
    f"--passphrase-file FILE, {FROM_FILE}=FILE, {FROM_ENVIRONMENT} in the environment, "
    "or a terminal to ask on"
)


def read_passphrase(path: Path | None = None, *, new: bool = False) -> bytes:
    """Return the passphrase from the first place that has one: `path`, environment, terminal.

    Args:
        path: a file whose first line it is.
        new: it is chosen now: asked twice on a terminal, and not too short.

    Raises:
        SignatureError: there is none, a file is unreadable or readable by others, or a new one is
            shorter than 8 bytes.
    """
    place = path or (Path(os.environ[FROM_FILE]) if os.environ.get(FROM_FILE) else None)
    if place is not None:
        found = _first_line(place)
    elif value := os.environ.get(FROM_ENVIRONMENT):
        found = value.encode(errors="surrogateescape")
    elif sys.stdin is not None and sys.stdin.isatty():
        import click

        found = click.prompt(
            "passphrase of the runner key", hide_input=True, confirmation_prompt=new, err=True
        ).encode()
    else:
        raise SignatureError(
            "the runner key needs a passphrase, and there is none", expected=WAYS,
            remedy=f"write it into a file of mode 0600 and: export {FROM_FILE}=FILE",
        )  # fmt: skip
    if not found or len(found) > LONGEST or (new and len(found) < SHORTEST):
        raise SignatureError(
            "the passphrase cannot be used",
            expected=f"{SHORTEST} to {LONGEST} bytes",
            found=f"{len(found)} bytes",
            remedy="choose another: only its length and chance keep the key from who has the file",
        )
    return found


def _first_line(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            state = os.fstat(stream.fileno())
            if stat.S_ISREG(state.st_mode) and state.st_mode & 0o077:
                raise SignatureError(
                    f"the passphrase file {path} can be read by other people on this machine",
                    expected="mode 0600",
                    found=f"mode {stat.S_IMODE(state.st_mode):04o}",
                    remedy=f"chmod 600 {path}",
                )
            return stream.readline(LONGEST + 2).rstrip(b"\r\n")
    except OSError as error:
        raise SignatureError(
            f"the passphrase file {path} cannot be read",
            found=error.strerror,
            remedy=f"check --passphrase-file or {FROM_FILE}",
        ) from error
