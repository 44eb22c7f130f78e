"""Run a verb; print an error as a message with a remedy, and end with its exit code."""

import os
import signal
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click

from kit.artifacts import cache_root
from kit.cli import options
from kit.cli.options import DEBUG
from kit.cli.remedies import completed
from kit.cli.verbs import verbs
from kit.console import JSON, MODE, event, quieten
from kit.error_kinds import kind_of
from kit.errors import KitError, ManifestError
from kit.failures import kit_error
from kit.names import show

INTERRUPTED = 130
WANTS_JSON = "--json"
READER_GONE = 141  # as after SIGPIPE: `./run.sh plan | head`


def main(arguments: list[str] | None = None) -> None:
    """Run a verb; print an error without a traceback and end with its exit code.

    With `--debug` the traceback comes first.
    """
    quieten()
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):  # not on Windows
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores SIGHUP
            signal.signal(number, _interrupt)
    given = sys.argv[1:] if arguments is None else arguments
    try:
        verbs.main(given, prog_name="./run.sh", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        _interrupted()
    except click.ClickException as error:
        error.show()
        kind = kind_of(ManifestError.exit_code, __name__)
        click.echo(f"  id: {kind.id}", err=True)
        if WANTS_JSON in given:
            os.environ[MODE] = JSON  # a wrong option ends the reading before the flag is noted
        event("error", message=error.format_message(), code=kind.exit_code, id=kind.id)
        sys.exit(kind.exit_code)
    except SystemExit as error:
        # For a closed pipe, click installs this wrapper and exits with 1.
        if "PacifyFlushWrapper" in type(sys.stdout).__name__:
            sys.exit(READER_GONE)
        if not _is_of_a_verb(error):  # but of a metric's file, say, whose verb is not done
            _fail(kit_error(error), given, raised=error)
        raise
    except Exception as error:
        _fail(kit_error(error), given, raised=error)
    finally:
        os.environ.pop(MODE, None)  # a flag of this call alone


def _is_of_a_verb(error: SystemExit) -> bool:
    """Return whether the command line itself has ended the process."""
    file = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    return any(
        file.is_relative_to(Path(of.__file__).parent) for of in (click, options) if of.__file__
    )


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Handle a signal to end like Ctrl-C, which stops the workers and closes the log."""
    raise KeyboardInterrupt


def _interrupted() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not cut the message
    click.echo("interrupted: finished work is kept; run the same command to resume", err=True)
    event("interrupted", code=INTERRUPTED)
    sys.exit(INTERRUPTED)


def _fail(error: KitError, given: list[str], *, raised: BaseException) -> None:
    if DEBUG in given:
        _print_lines(error.traceback or "".join(traceback.format_exception(raised)))
    message = completed(f"error: {error.message}", given, verbs)
    if error.traceback and (log := _keep(error.traceback)):
        message += f"\n  log: {log}"
    _print_lines(message)
    if WANTS_JSON in given and not error.is_told:
        os.environ[MODE] = JSON  # also of a verb that prints one object, which it has not come to
    event("error", message=message, code=error.exit_code, id=error.id)
    sys.exit(error.exit_code)


def _keep(text: str) -> Path | None:
    """Write the traceback of what a library raised to a log; return None where nothing can be."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    path = cache_root() / "logs" / f"error-{moment}-{os.getpid()}.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError:
        return None
    return path


def _print_lines(text: str) -> None:
    # An error may quote text from outside, whose escape sequences must not reach the terminal.
    click.echo("\n".join(map(show, text.rstrip("\n").split("\n"))), err=True)
