"""How long hashing takes with one worker and with two, on files that lie in memory already.

    python -m tests.bench.hashing [MB]

Verification of a fetched source is this, plus the disk.
"""

import sys
import tempfile
import time
from pathlib import Path

from kit.digests import hash_files

FILES = 8
REPEATS = 3
LEAST_GAIN = 1.5


def main() -> int:
    """Print both times, the better of three each; 1 if two workers are not fast enough."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 800
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        block = bytes(range(256)) * 4096
        for number in range(FILES):
            with (root / f"{number}.bin").open("wb") as stream:
                for _ in range(max(1, megabytes // FILES)):
                    stream.write(block)
        names = [f"{number}.bin" for number in range(FILES)]
        expected = hash_files(root, names, workers=1)
        size = sum((root / name).stat().st_size for name in names)
        taken = {workers: _best(root, names, workers, expected) for workers in (1, 2)}
    for workers, seconds in taken.items():
        rate = size / seconds / 1e6
        print(f"{workers} worker{'s'[: workers - 1]}: {seconds:.2f} s, {rate:.0f} MB/s")
    gain = taken[1] / taken[2]
    print(f"{gain:.2f} times as fast")
    return int(gain < LEAST_GAIN)


def _best(root: Path, names: list[str], workers: int, expected: dict[str, str]) -> float:
    best = float("inf")
    for _ in range(REPEATS):
        started = time.perf_counter()
        found = hash_files(root, names, workers=workers)
        best = min(best, time.perf_counter() - started)
        assert found == expected
    return best


if __name__ == "__main__":
    raise SystemExit(main())
