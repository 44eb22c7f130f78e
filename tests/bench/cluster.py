"""How much longer 24 pieces of work take on two nodes of a Ray cluster than if split perfectly.

    ./run.sh bench cluster [--jobs 24] [--seconds 5] [--repeats 3]

The nodes have two processors each, in network namespaces of this machine, so this needs root. Each
piece of work is a fresh interpreter, which sleeps ten times, writes ten checkpoints and publishes
an artifact. The time is from the first that is submitted to the last reply; what the driver does
before, once, is not part of it. Perfectly split, 24 pieces of 5 s take 30 s on four processors.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

from tests.cluster.ray_nodes import TwoNodes, missing
from tests.cluster.toy_runs import finish, require_artifacts, start

CPUS = 2  # of each node
MOST = 1.15


def main() -> int:
    """Print the times and their median ratio; 1 if that is above 1.15."""
    parser = argparse.ArgumentParser(prog="./run.sh bench cluster")
    parser.add_argument("--jobs", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    if missing():
        sys.exit(f"error: {missing()}")
    rounds = -(-given.jobs // (2 * CPUS))
    perfect, ratios = rounds * given.seconds, []
    with tempfile.TemporaryDirectory() as folder, TwoNodes(Path(folder), cpus=CPUS) as nodes:
        for number in range(given.repeats):
            cache = Path(folder, str(number))
            (cache / "artifacts").mkdir(parents=True)
            driver = start(nodes, "train", str(given.jobs), str(given.seconds), cache=cache)
            _, told, seconds = finish(driver, given.jobs)
            require_artifacts(cache, given.jobs)
            assert "attempt" not in told, told
            ratios.append(seconds / perfect)
            print(f"{given.jobs} of {given.seconds:g} s: {seconds:.1f} s, perfect {perfect:.1f} s")
    print(f"median: {100 * (median(ratios) - 1):.0f} % above perfect splitting")
    return int(median(ratios) > MOST)


if __name__ == "__main__":
    sys.exit(main())
