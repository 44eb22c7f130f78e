"""Errors of the kit: each names the thing, what was expected, what was found and the remedy.

The command line prints the message without a traceback and ends with the class's exit code, so
that scripts can tell a wrong checksum from a full disk. Codes are part of the interface, and so are
the ids of `kit.error_kinds`, by which a message can be looked up.
"""

import difflib
import sys
from collections.abc import Collection

from kit.error_kinds import kind_of


class KitError(Exception):
    """A failure that the user can act on."""

    exit_code = 1
    is_told = False
    """Whether the verb has printed it as JSON already."""
    traceback: str | None = None
    """Of what a library raised: for `--debug` and the log, never for the message."""

    def __init__(
        self,
        what: str,
        *,
        expected: object = None,
        found: object = None,
        remedy: str | None = None,
    ) -> None:
        self.what, self.expected, self.found, self.remedy = what, expected, found, remedy
        self.made_by = _maker(self)
        lines = [what]
        for label, value in (("expected", expected), ("found", found), ("remedy", remedy)):
            if value is not None:
                lines.append(f"  {label}: {value}")
        super().__init__("\n".join(lines))

    @property
    def id(self) -> str:
        """The id of this kind of error: see `kit.error_kinds`."""
        return kind_of(self.exit_code, self.made_by).id

    @property
    def message(self) -> str:
        """The text with the id in front of the remedy, which may end with a block to copy."""
        text, mark, remedy = str(self).partition("\n  remedy: ")
        return f"{text}\n  id: {self.id}{mark}{remedy}"


def _maker(error: KitError) -> str:
    """Return the module whose code makes an error.

    One that only adds a place to the error that is handled was made where that one was.
    """
    handled = sys.exception()
    if isinstance(handled, type(error)) and handled.what in error.what:
        return handled.made_by
    frame = sys._getframe(2)
    # The constructor of a subclass, and functions of this module, make errors for their callers.
    while frame.f_back and (frame.f_locals.get("self") is error or frame.f_globals is globals()):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", ""))


class VerificationError(KitError):
    """A result does not match its signed statement or its stored answers."""

    exit_code = 1


class ManifestError(KitError):
    """The manifest cannot be read, or names something that does not exist."""

    exit_code = 2


class EnvironmentFault(KitError):
    """Python, a package or the hardware is not what the kit needs."""

    exit_code = 3


class ChecksumError(KitError):
    """Bytes differ from the list in checksums/."""

    exit_code = 4


class DataError(KitError):
    """A dataset file is missing, truncated, or not in the published format."""

    exit_code = 5


class ModelError(KitError):
    """Base weights are missing or cannot be used."""

    exit_code = 6


class StorageError(KitError):
    """A folder cannot be written, or the disk is full."""

    exit_code = 7


class BusyError(KitError):
    """Another process holds the same result."""

    exit_code = 8


class GuardError(KitError):
    """An evaluation guard failed: answers are not those of the model that was trained."""

    exit_code = 9


class SignatureError(KitError):
    """The signature is missing, wrong, or by a key that is not trusted."""

    exit_code = 10


class TrainingError(KitError):
    """Training diverged or was given inputs that it cannot use."""

    exit_code = 11


class MissingStageError(KitError):
    """A stage was started before the stage that makes its inputs."""

    exit_code = 12


class LicenceError(KitError):
    """A source's licence has not been accepted."""

    exit_code = 13


class AccessError(KitError):
    """A host requires an accepted form or a token."""

    exit_code = 14


class TransferError(KitError):
    """A download failed: no host answered, or all of them failed."""

    exit_code = 15


class MethodError(KitError):
    """The file of an unlearning method is broken, or its loss cannot be trained with."""

    exit_code = 16


class UnforeseenError(KitError):
    """A library or the kit itself failed in a way that no other code describes."""

    exit_code = 17


def unknown(what: str, name: str, known: Collection[str], *, remedy: str) -> ManifestError:
    """Return the error for a name that does not exist: it suggests the nearest that does.

    Args:
        what: the message, which contains the name.
        remedy: what to do where no known name is near.
    """
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return ManifestError(
        what,
        expected=f"one of {', '.join(names)}",
        found=f"'{name}'",
        remedy=f"did you mean '{near[0]}'?" if near else remedy,
    )
