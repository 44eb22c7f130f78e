"""`python -m kit VERB`: what `run.sh` starts in the environment that it has built."""

import sys

FOUND = f"  found: {sys.executable}, Python {sys.version.split()[0]}\n  remedy: start with ./run.sh"


def stop(what: str) -> None:
    """End like a `kit.errors.EnvironmentFault`, which may not be importable here."""
    print(f"error: {what}\n  expected: the locked packages, Python 3.11\n{FOUND}", file=sys.stderr)
    sys.exit(3)


if sys.version_info < (3, 11):  # noqa: UP036 - before an import fails that needs it
    stop("this Python is too old")
try:
    import click  # noqa: F401 - the command line needs it
except ModuleNotFoundError as error:
    stop(f"the package {error.name} is not installed")
try:
    from kit.cli.entry import main

    main()
except KeyboardInterrupt:  # while the command line is imported
    sys.exit(130)
