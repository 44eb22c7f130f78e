"""Which package owns which file: with two owners, the order of installation decides.

pip and uv let the wheel that is installed last win, without a word. `docker/lock.sh` runs this as a
program on what uv resolved (a pylock.toml, PEP 751). It reads only the table at the end of each
wheel, by HTTP range requests: a few MB in place of gigabytes.
"""

import configparser
import ssl
import sys
import tempfile
import time
import tomllib
import urllib.parse
import urllib.request
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

AT_ONCE = 8  # wheels that are read at the same time
TIMEOUT_S, TRIES, WAIT_S = 60, 4, 3  # of one request
TAILS_BYTES = (1 << 17, 1 << 22)  # the table of most wheels fits into the first
SCHEMES = {"purelib": "", "platlib": "", "scripts": "bin/", "data": "data/", "headers": "headers/"}
# {file: packages that may share it}, each with the reason why it does no harm.
ALLOWED: Mapping[str, frozenset[str]] = {
    # The script that built their wheels. Installed packages do not import it.
    "build_backend.py": frozenset({"flashinfer-python", "torch-c-dlpack-ext"}),
    # One line, the same in both: more packages may follow in this namespace.
    "opencensus/__init__.py": frozenset({"opencensus", "opencensus-context"}),
    "opencensus/common/__init__.py": frozenset({"opencensus", "opencensus-context"}),
}


def files_of_wheel(archive: zipfile.ZipFile) -> Iterator[str]:
    """Yield the files that a wheel installs, relative to the environment's site-packages.

    Programs are named `bin/NAME`, whether they lie in the wheel or are generated from its
    entry points.
    """
    for name in archive.namelist():
        folder, _, rest = name.partition("/")
        if folder.endswith(".data") and rest:
            scheme, _, path = rest.partition("/")
            yield SCHEMES.get(scheme, f"{scheme}/") + path
        else:
            yield name
        if folder.endswith(".dist-info") and rest == "entry_points.txt":
            points = configparser.ConfigParser(delimiters=("=",), interpolation=None)
            points.optionxform = str  # type: ignore[assignment, method-assign]  # keeps capitals
            points.read_string(archive.read(name).decode())
            for group in {"console_scripts", "gui_scripts"} & set(points.sections()):
                yield from (f"bin/{program}" for program in points[group])


def shared_files(files: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Return {file: its owners} of every file that several packages have; folders do not count."""
    owners: dict[str, set[str]] = defaultdict(set)
    for package, names in files.items():
        for name in names:
            if not name.endswith("/"):
                owners[name].add(package)
    return {
        name: sorted(packages)
        for name, packages in sorted(owners.items())
        if len(packages) > 1
        and not packages <= ALLOWED.get(name.split("/site-packages/")[-1], set())
    }


def locked_files(pylock: Path) -> tuple[dict[str, set[str]], list[str]]:
    """Return {package: files} of the wheels in a pylock.toml, and the packages without a wheel.

    Raises:
        OSError: a server does not answer, or sends whole files only.
    """
    packages = tomllib.loads(pylock.read_text(encoding="utf-8"))["packages"]
    wheels = [(each["name"], wheel) for each in packages for wheel in each.get("wheels", ())]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        listed = list(pool.map(lambda item: _listed(item[1], pylock.parent), wheels))
    found: dict[str, set[str]] = defaultdict(set)
    for (name, _), files in zip(wheels, listed, strict=True):
        found[name] |= files
    return dict(found), [each["name"] for each in packages if "wheels" not in each]


def _listed(wheel: Mapping[str, object], folder: Path) -> set[str]:
    if "path" in wheel:
        with zipfile.ZipFile(folder / str(wheel["path"])) as archive:
            return set(files_of_wheel(archive))
    address = urllib.parse.urlsplit(str(wheel["url"]))
    if address.scheme == "file":
        with zipfile.ZipFile(urllib.request.url2pathname(address.path)) as archive:
            return set(files_of_wheel(archive))
    return read_remotely(str(wheel["url"]), int(str(wheel["size"])))


def read_remotely(url: str, size: int) -> set[str]:
    """Return the files of a wheel on a server, given its size in bytes, from as few as needed.

    The table of an archive is at its end, and before it lies what describes the package.
    """
    for tail in (*TAILS_BYTES, size):
        start = max(size - tail, 0)
        # An archive of the right size, of which only the end is there.
        with tempfile.TemporaryFile() as file:
            file.seek(start)
            file.write(_downloaded(url, start, size))
            try:
                with zipfile.ZipFile(file) as archive:
                    return set(files_of_wheel(archive))
            except zipfile.BadZipFile:
                if start == 0:
                    raise
    raise AssertionError("the last try reads all")


def _downloaded(url: str, start: int, end: int, tries: int = TRIES) -> bytes:
    asked = urllib.request.Request(url, headers={"Range": f"bytes={start}-{end - 1}"})
    try:
        with urllib.request.urlopen(asked, timeout=TIMEOUT_S, context=_tls()) as answer:
            if answer.status == 206:
                return bytes(answer.read())
    except OSError:
        if tries == 1:
            raise
        time.sleep(WAIT_S)
        return _downloaded(url, start, end, tries - 1)
    raise OSError(f"{url} cannot be read in parts")


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()  # once: reading the certificates takes longer than a wheel


def main() -> int:
    """Print the shared files of the pylock.toml that is named, or how many files were compared."""
    try:
        found, unread = locked_files(Path(sys.argv[1]))
    except (OSError, zipfile.BadZipFile) as error:
        print(f"the wheels' lists of files cannot be read: {error}", file=sys.stderr)
        return 3
    shared = shared_files(found)
    for name, owners in shared.items():
        print(f"{name}: {', '.join(owners)}", file=sys.stderr)
    count = sum(map(len, found.values()))
    print(f"{count} files of {len(found)} packages, {len(shared)} of them in several packages")
    if unread:
        print(f"not compared, because they are built from source: {', '.join(unread)}")
    return 3 if shared else 0


if __name__ == "__main__":
    raise SystemExit(main())
