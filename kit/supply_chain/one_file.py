"""`kit.pyz`: one file that checks a result with a stock Python 3.11 or later, and nothing else.

    python3 -m kit.supply_chain.one_file kit.pyz      make it, in a clone of the project
    python3 kit.pyz verify RESULT                     use it, anywhere

The file is a zip that Python runs. It unpacks the kit into the user's cache and starts it there.
The packages come from the package index at the first call, each checked against its hash. Equal
sources give equal bytes. Uses the standard library alone.
"""

import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from kit.artifacts import PROJECT, write_bytes
from kit.digests import sha256_bytes

# Everything that a check reads. The reference is there, so the file can show that it works.
CONTENT = (
    "LICENSE", "README.md", "CITATION.cff", "kit", "checksums", "manifests",
    "docker/pip_install.py", "docker/requirements.verify.lock", "docker/requirements.keyless.lock",
)  # fmt: skip
LEFT = {"__pycache__", ".DS_Store"}
# Of the experiment alone: the weights of the embedded base model.
EXPERIMENT = ("kit/smoke/base/",)
TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold
FIRST_LINE = b"#!/usr/bin/env python3\n"
STARTER = '''"""Unpack the kit into the user's cache and start it there."""

import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

if sys.version_info < (3, 11):
    print("error: this Python is too old\\n  expected: Python 3.11 or later\\n"
          f"  found: {sys.executable}, Python {sys.version.split()[0]}\\n"
          "  remedy: install it from python.org, Homebrew, conda or uv", file=sys.stderr)
    sys.exit(3)


def cache():
    """Return the folder of what can be made again: PEBENCH_CACHE, or this system's place."""
    if os.environ.get("PEBENCH_CACHE"):
        return Path(os.environ["PEBENCH_CACHE"])
    home = Path.home()
    if os.name == "nt":
        place = Path(os.environ.get("LOCALAPPDATA") or home / "AppData/Local")
    elif sys.platform == "darwin":
        place = home / "Library/Caches"
    else:
        place = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return place / "pebench-kit"


def unpacked():
    """Return the folder of the unpacked kit, whose name is the digest of its content."""
    folder = cache() / "kit" / "DIGEST"
    if (folder / "complete").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        with zipfile.ZipFile(sys.argv[0]) as archive:
            archive.extractall(partial)
        (partial / "complete").touch()
        try:
            partial.rename(folder)
        except OSError:  # another process was faster, or a killed one left half of it
            if not (folder / "complete").is_file():
                shutil.rmtree(folder, ignore_errors=True)
                partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


try:
    os.environ["PEBENCH_CACHE"] = str(cache())
    root = unpacked()
except OSError as error:
    print(f"error: {error.filename or cache()} cannot be written\\n  found: {error.strerror}\\n"
          "  remedy: set PEBENCH_CACHE to a folder that you can write", file=sys.stderr)
    sys.exit(7)
sys.path[0] = str(root)
import runpy

runpy.run_module("kit", run_name="__main__", alter_sys=True)
'''


def sources() -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes) of the files that the archive holds, sorted."""
    paths = (PROJECT / name for name in CONTENT)
    files = (file for path in paths for file in ([path] if path.is_file() else path.rglob("*")))
    tracked = _tracked()
    for name in sorted(file.relative_to(PROJECT).as_posix() for file in files if file.is_file()):
        known = name in tracked if tracked else not LEFT & set(name.split("/"))
        if known and not name.startswith(EXPERIMENT):
            yield name, (PROJECT / name).read_bytes()


def _tracked() -> set[str]:
    """Return the files that git knows; none in a copy without git, whose files all count."""
    command = ["git", "-C", str(PROJECT), "ls-files", "-z", "--", *CONTENT]
    try:
        said = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return set()
    return set(said.decode().split("\0")) - {""}


def archive() -> bytes:
    """Return the bytes of the archive. Nothing is compressed: versions of zlib differ."""
    listed = list(sources())
    lines = "".join(f"{sha256_bytes(data)}  {name}\n" for name, data in listed)
    digest = sha256_bytes(lines.encode())
    listed.insert(0, ("__main__.py", STARTER.replace("DIGEST", digest[:16]).encode()))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as target:
        for name, data in listed:
            entry = zipfile.ZipInfo(name, TIME)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            target.writestr(entry, data)
    return FIRST_LINE + buffer.getvalue()


def main() -> int:
    """Write the file that is named, and say what it is."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print("usage: python3 -m kit.supply_chain.one_file FILE.pyz", file=sys.stderr)
        return 2
    data = archive()
    write_bytes(Path(sys.argv[1]), data)
    print(f"{sha256_bytes(data)}  {sys.argv[1]}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
