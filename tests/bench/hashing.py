"""How long hashing takes with one worker and with two, on files that lie in memory already.

    python -m tests.bench.hashing [MB]

Verification of a fetched source is this, plus the disk. The two take turns, so that another
program on the machine slows both.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from kit.digests import hash_files

FILES = 8
REPEATS = 3
LEAST_GAIN = 1.5
MEGABYTES = 64 * FILES
BLOCK = bytes(range(256)) * 3906 + bytes(64)  # a megabyte


def main() -> int:
    """Print both times, the median of three each; 1 if two workers are not fast enough."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else MEGABYTES
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        names = [f"{number}.bin" for number in range(FILES)]
        for name in names:
            with (root / name).open("wb") as stream:
                for _ in range(max(1, megabytes // FILES)):
                    stream.write(BLOCK)
        size = sum((root / name).stat().st_size for name in names)
        expected = hash_files(root, names, workers=1)  # and now they are in memory
        times: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(REPEATS):
            for workers, taken in times.items():
                taken.append(_seconds(root, names, workers, expected))
    for workers, taken in times.items():
        seconds, each = median(taken), ", ".join(f"{one:.2f}" for one in taken)
        rate = size / seconds / 1e6
        print(f"{workers} worker{'s'[: workers - 1]}: {seconds:.2f} s ({each}), {rate:.0f} MB/s")
    gain = median(times[1]) / median(times[2])
    print(f"{gain:.2f} times as fast (at least {LEAST_GAIN} wanted)")
    return int(gain < LEAST_GAIN)


def _seconds(root: Path, names: list[str], workers: int, expected: dict[str, str]) -> float:
    started = time.perf_counter()
    found = hash_files(root, names, workers=workers)
    taken = time.perf_counter() - started
    assert found == expected
    return taken


if __name__ == "__main__":
    raise SystemExit(main())
