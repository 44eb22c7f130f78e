"""Run a verb: errors become messages with a remedy and an exit code, never a traceback."""

import errno
import sys
from typing import Any

import click

from kit.cli import verbs
from kit.errors import KitError

INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> Any:
    """Run a verb; print an error without a traceback and end with its exit code."""
    try:
        return verbs.main(arguments, prog_name="./run.sh", standalone_mode=False)
    except click.exceptions.Abort:
        pass
    except KeyboardInterrupt:
        pass
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except KitError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        from kit.artifacts import storage_error

        if error.errno is None or (not error.filename and error.errno != errno.ENOSPC):
            raise
        failure = storage_error(error)
        click.echo(f"error: {failure}", err=True)
        sys.exit(failure.exit_code)
    click.echo(
        "interrupted: what is finished is kept; the same command goes on from there", err=True
    )
    sys.exit(INTERRUPTED)
