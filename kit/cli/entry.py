"""Run a verb; print an error as a message with a remedy, and end with its exit code."""

import errno
import signal
import sys
from types import FrameType

import click

from kit.cli.verbs import verbs
from kit.console import quieten
from kit.errors import EnvironmentFault, KitError

INTERRUPTED = 130
READER_GONE = 141  # as after SIGPIPE: `./run.sh plan | head`


def main(arguments: list[str] | None = None) -> None:
    """Run a verb; print an error without a traceback and end with its exit code."""
    quieten()
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):  # not on Windows
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores SIGHUP
            signal.signal(number, _interrupt)
    try:
        verbs.main(arguments, prog_name="./run.sh", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        _interrupted()
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except KitError as error:
        _fail(error)
    except SystemExit:
        # For a closed pipe, click installs this wrapper and exits with 1.
        if "PacifyFlushWrapper" in type(sys.stdout).__name__:
            sys.exit(READER_GONE)
        raise
    except ModuleNotFoundError as error:
        if str(error.name).split(".")[0] == "kit":
            raise
        _fail(
            EnvironmentFault(
                f"the package {error.name} is not installed",
                expected="the packages of docker/requirements.cpu.lock",
                found=sys.executable,
                remedy="start with ./run.sh, which builds the environment",
            )
        )
    except OSError as error:
        from kit.artifacts import storage_error

        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        if error.errno is None or (not error.filename and not full):
            raise
        _fail(storage_error(error))


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Handle a signal to end like Ctrl-C, which stops the workers and closes the log."""
    raise KeyboardInterrupt


def _interrupted() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not cut the message
    click.echo("interrupted: finished work is kept; run the same command to resume", err=True)
    sys.exit(INTERRUPTED)


def _fail(error: KitError) -> None:
    from kit.names import show

    # An error may quote text from outside, whose escape sequences must not reach the terminal.
    click.echo("\n".join(map(show, f"error: {error}".split("\n"))), err=True)
    sys.exit(error.exit_code)
