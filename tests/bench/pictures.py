"""How much longer `fetch` takes because it decodes every picture: 8,000 of 512 x 512 pixels.

    ./run.sh bench pictures [PICTURES]

The same pictures lie in four sources: single files and tables, behind a mirror and in a folder. The
mirror is a server on this machine; a real network only makes its sources slower. Each source is
fetched with an empty cache, by the whole program, without decoding and as the kit does it; the two
take turns.
"""

import hashlib
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from kit.artifacts import PROJECT
from kit.digests import format_checksums

PICTURES, SIDE, DIFFERENT, SHARDS = 8000, 512, 200, 8
REPEATS = 3
MOST = 1.5
BLANK = (
    "import kit.pictures.known as known, kit.sources.datasets as datasets; "
    "datasets.check_pictures = lambda source: ''; "
    "known.KnownPictures.examine = lambda *given: None; "
)
FETCH = "import runpy, sys; sys.argv[0] = 'kit'; runpy.run_module('kit', run_name='__main__')"
MANIFEST = """\
extends = "{base}"
name = "pictures"
claims = []

[[sources]]
name = "clear"
checksums = "{list}"
{origin}
"""


def main() -> int:
    """Print the median of three ratios for each source; 1 if a downloaded one is above 1.5."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else PICTURES
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as address:
        root = Path(folder)
        pictures = different_pictures(count)
        size = sum(map(len, pictures)) / count
        print(f"{count} pictures of {SIDE} x {SIDE} pixels, {size / 1e3:.0f} kB each")
        for shape, write in {"files": write_files, "tables": write_tables}.items():
            listed = write(root / shape, pictures)
            (root / f"{shape}.sha256").write_text(format_checksums(listed), encoding="utf-8")
            names = ", ".join(f'"{name}"' for name in listed)
            mirror = f'mirrors = ["{address}/{shape}/"]\nfiles = [{names}]\nlicence = "none"'
            for how, origin in {"mirror": mirror, "folder": f'folder = "{root / shape}"'}.items():
                ratio = measure(root, shape, how, origin)
                worst = max(worst, ratio if how == "mirror" else 0.0)
    return int(worst > MOST)


def measure(root: Path, shape: str, how: str, origin: str) -> float:
    """Fetch a source with and without decoding, print both times, and return their ratio."""
    base = PROJECT / "manifests" / "clear-smoke.toml"
    shutil.copy(base, root)
    manifest = root / f"{shape}-{how}.toml"
    text = MANIFEST.format(base=base.name, list=root / f"{shape}.sha256", origin=origin)
    manifest.write_text(text, encoding="utf-8")
    times: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(REPEATS):
        for decoding, taken in times.items():
            taken.append(seconds(root, manifest, decoding=decoding))
    without, with_ = median(times[False]), median(times[True])
    ratio = median(b / a for a, b in zip(times[False], times[True], strict=True))
    print(f"{shape} of a {how}: {without:.1f} s without decoding, {with_:.1f} s with: {ratio:.2f}x")
    return ratio


def seconds(root: Path, manifest: Path, *, decoding: bool) -> float:
    """Return how long one `fetch` with an empty cache takes."""
    shutil.rmtree(root / "cache", ignore_errors=True)
    code = FETCH if decoding else BLANK + FETCH
    started = time.perf_counter()
    found = subprocess.run(
        [sys.executable, "-c", code, "fetch", str(manifest), "--accept-licences"],
        env={**os.environ, "PEBENCH_CACHE": str(root / "cache")}, cwd=PROJECT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    taken = time.perf_counter() - started
    assert found.returncode == 0, found.stderr
    assert ("pictures can be read" in found.stdout + found.stderr) is decoding, found.stderr
    return taken


def different_pictures(count: int) -> list[bytes]:
    """Return JPEGs whose bytes all differ: some hundred images, each with a comment of its own."""
    generator = np.random.default_rng(0)
    drawn = []
    for _ in range(min(count, DIFFERENT)):
        coarse = generator.integers(0, 255, (SIDE // 8, SIDE // 8, 3), dtype=np.uint8)
        stream = io.BytesIO()
        large = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        large.save(stream, "JPEG", quality=90)
        drawn.append(stream.getvalue())
    return [commented(drawn[number % len(drawn)], b"%08d" % number) for number in range(count)]


def commented(jpeg: bytes, comment: bytes) -> bytes:
    """Return a JPEG with a comment segment behind its first marker."""
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def write_files(folder: Path, pictures: list[bytes]) -> dict[str, str]:
    """Write one file per picture; return {name: digest}."""
    folder.mkdir()
    listed = {}
    for number, picture in enumerate(pictures):
        name = f"{number:05d}.jpg"
        (folder / name).write_bytes(picture)
        listed[name] = hashlib.sha256(picture).hexdigest()
    return listed


def write_tables(folder: Path, pictures: list[bytes]) -> dict[str, str]:
    """Write the pictures as an image column of several parquet files; return {name: digest}."""
    folder.mkdir()
    column = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    listed = {}
    for shard in range(SHARDS):
        name = f"train-{shard:05d}-of-{SHARDS:05d}.parquet"
        cells = [{"bytes": picture, "path": None} for picture in pictures[shard::SHARDS]]
        table = pa.table({"image": pa.array(cells, column)})
        pq.write_table(table, folder / name, row_group_size=100)
        listed[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    return listed


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder from another process and give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "http.server", str(port)]
    command += ["--bind", "127.0.0.1", "--protocol", "HTTP/1.1"]
    with subprocess.Popen(
        [*command, "--directory", str(folder)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as server:
        try:
            time.sleep(1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()


if __name__ == "__main__":
    raise SystemExit(main())
