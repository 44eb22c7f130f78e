"""`python -m kit VERB`: what `run.sh` starts once the environment is there."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - said before an import that needs it fails
    print(
        "error: this Python is too old\n  expected: Python 3.11\n"
        f"  found: {sys.version.split()[0]}\n  remedy: start with ./run.sh, which finds one",
        file=sys.stderr,
    )
    sys.exit(3)

try:
    from kit.entry import main

    main()
except KeyboardInterrupt:  # while the command line is still being imported
    sys.exit(130)
