"""`python3 -m kit VERB`: what `run.sh` starts in the environment that it has built.

Started by a Python without the packages, a verb that checks a result continues in the slim
environment, which is built if need be. Every other verb needs the environment of `run.sh`.
"""

import gc
import json
import sys
from pathlib import Path

FOUND = f"  found: {sys.executable}, Python {sys.version.split()[0]}\n"


def stop(what: str, remedy: str) -> None:
    """End like a `kit.errors.EnvironmentFault`, which may not be importable here."""
    expected = "  expected: the locked packages, Python 3.11 or later\n"
    end(f"error: {what}\n{expected}{FOUND}  id: PE-0300\n  remedy: {remedy}", 3, "PE-0300")


def end(text: str, code: int, kind: str) -> None:
    """Print an error as `kit.cli.entry` does, and end."""
    print(text, file=sys.stderr)
    if "--json" in sys.argv:
        print(json.dumps({"event": "error", "message": text, "code": code, "id": kind}))
    sys.exit(code)


# Imports make objects that stay. At its own threshold of 700, Python looks through all of them for
# garbage again and again.
gc.set_threshold(10_000)
if sys.version_info < (3, 11):  # noqa: UP036 - before an import fails that needs it
    stop("this Python is too old", "install Python 3.11 or later")
if not __package__:  # python3 /path/to/clone/kit VERB
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
try:
    from kit.errors import KitError
    from kit.supply_chain import slim

    try:
        slim.enter(sys.argv[1:])
    except KitError as error:
        end(f"error: {error.message}", error.exit_code, error.id)
    try:
        import click  # noqa: F401 - the command line needs it
    except ModuleNotFoundError as error:
        verbs = "plan, show, new, verify, rescore, compare, board, sign, keygen, report --to"
        here = f"{verbs} and --help work with any Python"
        stop(f"the package {error.name} is not installed", f"start with ./run.sh, on Linux; {here}")
    from kit.cli.entry import main

    main()
except KeyboardInterrupt:  # while the command line is imported
    sys.exit(130)
