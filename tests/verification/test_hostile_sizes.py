"""A result made to take hours or gigabytes is refused within five seconds and one gigabyte.

Each case runs `verify` in a process of its own, whose processor time and memory are measured.
"""

import json
import os
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kit.artifacts import PROJECT
from kit.signing.keys import public_line
from tests.toys.signed_result import ANSWERS, CARD, KEY, forge

MOST_SECONDS, MOST_BYTES = 5, 1 << 30
WEIGHTS = CARD.replace("card.json", "adapter_model.safetensors")
LOSSES = CARD.replace("card.json", "losses.jsonl")


def grown(name: str, size: int):
    """Make a file sparse: it states `size` bytes and takes none."""

    def mutate(result: Path) -> None:
        os.truncate(result / name, size)

    return mutate


def added_while_one_is_missing(result: Path) -> None:
    (result / "claims.json").rename(result / "claims.old.json")
    os.truncate(result / "claims.old.json", 2 << 30)


def envelope(data: bytes):
    def mutate(result: Path) -> None:
        (result / "manifest.intoto.json").write_bytes(data)

    return mutate


def many_keys(result: Path) -> None:
    path = result / "manifest.intoto.json"
    whole = path.read_bytes().rstrip()[:-1]
    path.write_bytes(whole + b"".join(b',"%d":0' % n for n in range(400_000)) + b"}")


def signed_numbers(result: Path) -> None:
    (result / "run.json").write_bytes(b"[" + b"1," * (7 << 20) + b"1]")
    forge(result)


def varint(value: int, length: int = 0) -> bytes:
    """Return a number as Thrift writes it, padded to a length."""
    value, found = value << 1, []
    while value or len(found) < length or not found:
        found.append(value & 127 | 128)
        value >>= 7
    found[-1] &= 127
    return bytes(found)


def lying_table(result: Path) -> None:
    """Write the table in a process of its own, whose memory is given back."""
    maker = get_context("spawn").Process(target=write_lying_table, args=(result / ANSWERS,))
    maker.start()
    maker.join()
    assert maker.exitcode == 0
    forge(result)


def write_lying_table(path: Path) -> None:
    """Write a text of 900 MB in 28 kB, whose footer says that it unfolds to a thousand bytes."""
    size = 900_000_000
    offsets = pa.py_buffer(np.array([0, size], "<i4").tobytes())
    text = pa.StringArray.from_buffers(1, offsets, pa.py_buffer(bytes(size)))
    row = {"record_id": ["p0"], "system": ["vanilla"], "text": text,
           "tokens": pa.array([1], pa.int32()), "stop": ["eos"]}  # fmt: skip
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(row), sink, compression="zstd", use_dictionary=False,
                   write_statistics=False)  # fmt: skip
    data = sink.getvalue().to_pybytes()
    file = pq.ParquetFile(pa.BufferReader(data))
    group = file.metadata.row_group(0)
    sizes = {group.total_byte_size, *(group.column(n).total_uncompressed_size for n in range(5))}
    for size in sizes:
        if size > 1_000_000:
            assert varint(size) in data[-4000:]
            data = data.replace(varint(size), varint(1000, len(varint(size))))
    assert pq.ParquetFile(pa.BufferReader(data)).metadata.row_group(0).total_byte_size < 10_000
    assert len(data) < 200_000
    path.write_bytes(data)


def pipe(result: Path) -> None:
    (result / "manifest.intoto.json").unlink()
    os.mkfifo(result / "manifest.intoto.json")


def device(result: Path) -> None:
    (result / "manifest.intoto.json").unlink()
    (result / "manifest.intoto.json").symlink_to("/dev/zero")


CASES = {
    "claims.json of 200 GB": (grown("claims.json", 200 << 30), "claims.json is too large"),
    "losses.jsonl of 20 GiB": (grown(LOSSES, 20 << 30), "losses.jsonl is too large"),
    "losses.jsonl of 1 GiB": (grown(LOSSES, 1 << 30), "losses.jsonl: larger than any honest"),
    "weights that are a hole": (grown(WEIGHTS, 2 << 30), "bytes are a hole"),
    "a page of 2 GiB": (grown("report/report.html", 2 << 30), "larger than any honest"),
    "a hole beside a missing file": (added_while_one_is_missing, "added after signing"),
    "a table that lies": (lying_table, "needs more memory|when unpacked"),
    "an envelope of many keys": (many_keys, "other parts than a payload|too large"),
    "an envelope of numbers": (envelope(b"[" + b"1," * (1 << 20) + b"1]"), "other parts than"),
    "an envelope of 14 MB": (envelope(b'{"a":"' + b"a" * (14 << 20) + b'"}'), "too large"),
    "run.json of numbers": (signed_numbers, "more than 500000 values"),
    "an envelope that is a pipe": (pipe, "is no regular file"),
    "an envelope that is a device": (device, "is no regular file"),
}


# The peak of this process alone: getrusage would count what its parent had when it forked.
MEASURED = """
import atexit, json, re, resource, sys
from pathlib import Path

def tell():
    used = resource.getrusage(resource.RUSAGE_SELF)
    status = Path("/proc/self/status").read_text()
    peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) << 10
    Path(sys.argv[1]).write_text(json.dumps([used.ru_utime + used.ru_stime, peak]))

atexit.register(tell)
from kit.cli.entry import main
main(sys.argv[2:])
"""


def measured(result: Path, key: Path) -> tuple[int, str, float, int]:
    """Run `verify`; return its exit code, its message, seconds of processor time, and bytes."""
    told = result.parent / "measured.json"
    words = ["verify", str(result), "--trust", str(key)]
    done = subprocess.run(
        [sys.executable, "-P", "-c", MEASURED, str(told), *words], capture_output=True, text=True,
        check=False, cwd=PROJECT, env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    seconds, memory = json.loads(told.read_text())
    return done.returncode, done.stdout + done.stderr, seconds, memory


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_in_little_time_and_memory(damaged, tmp_path, name, record_property):
    mutate, reason = CASES[name]
    mutate(damaged)
    key = tmp_path / "key.pub"
    key.write_text(public_line(KEY.public_key()), encoding="utf-8")
    code, said, seconds, memory = measured(damaged, key)
    record_property("measured", json.dumps({"seconds": seconds, "bytes": memory}))
    print(f"{name}: {seconds:.1f} s, {memory / 2**20:.0f} MiB")
    assert code in (1, 10), said
    assert any(part in said for part in reason.split("|")), said
    assert "Traceback" not in said
    assert seconds <= MOST_SECONDS
    assert memory <= MOST_BYTES
