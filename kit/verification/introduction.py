"""What results say of themselves: `python -m kit.verification.introduction FOLDER...`.

It needs neither pandas nor pyarrow. Nothing is checked but the form of run.json. Nothing is said of
a folder that is no result.
"""

import sys
from pathlib import Path

from kit.console import say
from kit.errors import KitError
from kit.names import show
from kit.result.made_by import kit_of
from kit.result.run_file import claims_of, manifest_of, read_run_in
from kit.verification.memory_limit import guarded


def introduction(folder: Path) -> str:
    """Return the run's name, its kit, and how many systems and claims it states.

    Raises:
        VerificationError: run.json is missing, or cannot be read as one.
    """
    run = read_run_in(folder)
    name = f"{manifest_of(run).get('name')}-{str(run['manifest_digest'])[:8]}"
    listed = run.get("systems")
    systems = len(listed) if isinstance(listed, list) else 0
    about = f"{show(name)}, made by kit {kit_of(run)}"
    return f"{folder} says: {about}, {systems} systems, {len(claims_of(run))} claims"


def main() -> None:
    """Print the introduction of each folder; the verb that follows tells what is wrong with one."""
    for folder in map(Path, sys.argv[1:]):
        try:
            with guarded(folder):
                say(f"  {introduction(folder)}")
        except (KitError, OSError):
            continue


if __name__ == "__main__":
    main()
