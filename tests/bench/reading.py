"""How long PEBench takes to read: 200 people at 40 events, from a temporary folder.

    ./run.sh bench reading

The images are tiny: the loader looks at their names and sizes and never at their pixels.
"""

import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from kit.artifacts import PROJECT
from kit.benchmarks import load
from kit.benchmarks.parquet import Place
from kit.benchmarks.pebench.events import published
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import load_manifest
from tests.toys.dataset import HEADER, write_dataset, write_table

PEOPLE = 200
MOST_SECONDS, MOST_BYTES = 5, 500_000_000


def main() -> int:
    """Build the data, read it once, print what it took; 1 if it took too much."""
    document = load_manifest(PROJECT / "manifests" / "pebench.toml").resolved()
    with tempfile.TemporaryDirectory() as folder:
        root = write_dataset(Path(folder))
        shutil.rmtree(root / "images")
        events = published()["keywords"]
        names = [f"Person {i:03d}" for i in range(PEOPLE)]
        table = [
            [f"images/{name}/{j:02d}.png", name, event, f"At the {event}.", "; ".join(words)]
            for name in names
            for j, (event, words) in enumerate(events.items())
        ]
        write_table(root / "PEBench.csv", HEADER, table)
        started = time.perf_counter()
        benchmark = load(Manifest.model_validate(document), {"pebench": Place(root, root / "no")})
        seconds = time.perf_counter() - started
    scale = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    print(f"{len(benchmark.records)} records, {seconds:.2f} s, peak {peak / 1e6:.0f} MB of memory")
    return int(seconds > MOST_SECONDS or peak > MOST_BYTES)


if __name__ == "__main__":
    raise SystemExit(main())
