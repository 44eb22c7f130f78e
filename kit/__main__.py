"""`python -m kit VERB`: what `run.sh` starts once the environment is there."""

import sys

if sys.version_info < (3, 11):  # before any import that needs it  # noqa: UP036
    sys.exit(
        "error: this Python is too old\n  expected: Python 3.11\n"
        f"  found: {sys.version.split()[0]}\n  remedy: start with ./run.sh, which finds one"
    )

try:
    from kit.entry import main

    main()
except KeyboardInterrupt:  # while the command line is still being imported
    sys.exit(130)
