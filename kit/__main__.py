"""`python -m kit VERB`: what `run.sh` starts once the environment is there."""

import sys

FOUND = f"  found: {sys.executable}, Python {sys.version.split()[0]}\n  remedy: start with ./run.sh"


def stop(what: str) -> None:
    """End as `kit.errors.EnvironmentFault` does, which may not be importable here."""
    print(f"error: {what}\n  expected: the locked packages, Python 3.11\n{FOUND}", file=sys.stderr)
    sys.exit(3)


if sys.version_info < (3, 11):  # noqa: UP036 - said before an import that needs it fails
    stop("this Python is too old")
try:
    import click  # noqa: F401 - the command line is made of it
except ModuleNotFoundError as error:
    stop(f"the package {error.name} is not installed")
try:
    from kit.cli.entry import main

    main()
except KeyboardInterrupt:  # while the command line is still being imported
    sys.exit(130)
