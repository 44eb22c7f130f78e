"""A process that fetches the toy source, to be killed.

    python -m tests.hub.fetch_child FOLDER [KILLS]

With KILLS it forks that many children, kills each at a random moment and checks the files under
final names. It forks because importing the kit a hundred times would take minutes.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from kit.digests import read_checksums
from kit.fetch.settings import Settings
from kit.fetch.sources import fetch_listed
from tests.hub.fetching import source

SETTINGS = Settings(workers=2, attempts=3, pause=0.01, silence=5.0)
LONGEST = 0.5  # seconds until a child is killed, at most


def fetch(root: Path) -> None:
    """Fetch the source whose list is in `root` into its folder."""
    fetch_listed(source(root), root / "toy", read_checksums(root / "toy.sha256"), SETTINGS)


def torment(root: Path, kills: int) -> dict[str, int]:
    """Kill `kills` fetches; whenever one finishes before its kill, start over."""
    listed, chance = read_checksums(root / "toy.sha256"), random.Random(1)
    counts = {"killed": 0, "finished": 0, "bad": 0, "failed": 0}
    while counts["killed"] < kills:
        child = os.fork()
        if not child:
            fetch(root)
            os._exit(0)
        time.sleep(chance.uniform(0.0, LONGEST))
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        there = [name for name in listed if (root / "toy" / name).is_file()]
        for name in there:
            found = hashlib.sha256((root / "toy" / name).read_bytes()).hexdigest()
            counts["bad"] += found != listed[name]
        if os.WIFSIGNALED(status):
            counts["killed"] += 1
        elif os.WEXITSTATUS(status):
            counts["failed"] += 1
            break
        if len(there) == len(listed):
            counts["finished"] += 1
            shutil.rmtree(root / "toy")
    return counts


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(json.dumps(torment(Path(sys.argv[1]), int(sys.argv[2]))))
    else:
        fetch(Path(sys.argv[1]))
