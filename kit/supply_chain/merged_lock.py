"""Make one lock of those of several Pythons and platforms: `docker/lock.sh` calls it.

    python3 -m kit.supply_chain.merged_lock [--hashes LIST] 3.11,x86_64-manylinux_2_28.lock ...

Each file is what `uv pip compile --generate-hashes` writes for the Python and platform in its name.
A package that only some platforms need gets a marker. Uses the standard library alone.
"""

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from kit.errors import EnvironmentFault, KitError

# The end of uv's name of a platform -> its marker (PEP 508).
SYSTEMS = {
    "manylinux": "sys_platform == 'linux'",
    "apple-darwin": "sys_platform == 'darwin'",
    "pc-windows-msvc": "sys_platform == 'win32'",
}
MACHINES = {
    ("aarch64", "apple-darwin"): "arm64",
    ("x86_64", "pc-windows-msvc"): "AMD64",
}
PIN = re.compile(r"^([\w.-]+)==([^ \\]+)(?: ;[^\\]*)? \\$")
DIGEST = re.compile(r"^ +--hash=sha256:[0-9a-f]{64}( \\)?$")
Pins = dict[tuple[str, str], list[str]]  # {(name, version): the lines below it}


def read_pins(text: str) -> Pins:
    """Return the packages of a lock with the lines of their hashes and comments."""
    found: Pins = {}
    for line in text.splitlines():
        if entry := PIN.match(line):
            found[(entry[1], entry[2])] = []
        elif found:
            found[next(reversed(found))].append(line)
    return found


def merge(locks: Mapping[tuple[str, str], Pins]) -> str:
    """Return the lock of all of them.

    Args:
        locks: {(Python, uv's name of the platform): packages}.

    Raises:
        EnvironmentFault: a package is needed by one Python and not by another, or has other hashes.
    """
    platforms = list(dict.fromkeys(platform for _, platform in locks))
    pins = sorted({pin for lock in locks.values() for pin in lock})
    lines: list[str] = []
    for name, version in pins:
        having = {at: lock[name, version] for at, lock in locks.items() if (name, version) in lock}
        needed = [each for each in platforms if any(each == platform for _, platform in having)]
        bodies = {tuple(line for line in body if DIGEST.match(line)) for body in having.values()}
        if len(having) != len([at for at in locks if at[1] in needed]) or len(bodies) != 1:
            raise EnvironmentFault(
                f"{name}=={version} differs between the Pythons of a lock",
                expected="the same version, with the same hashes, for every Python",
                found=", ".join(map(" ".join, having)),
                remedy="require a version in requirements.in that serves all of them",
            )
        marker = "" if needed == platforms else f" ; {' or '.join(map(marker_of, needed))}"
        lines += [f"{name}=={version}{marker} \\", *next(iter(having.values()))]
    return "\n".join(lines) + "\n"


def marker_of(platform: str) -> str:
    """Return the marker of a platform that uv names, such as `x86_64-manylinux_2_28`."""
    machine, _, rest = platform.partition("-")
    system = rest.partition("_")[0]
    machine = MACHINES.get((machine, system), machine)
    return f"({SYSTEMS[system]} and platform_machine == '{machine}')"


def with_hashes(pins: Pins, listed: Iterable[str]) -> Pins:
    """Return packages with all hashes of a `sha256sum` list of wheels.

    A package index that serves one wheel of a release names one hash. The list has the others.

    Raises:
        EnvironmentFault: the list has no wheel of a package's locked version.
    """
    known: dict[tuple[str, str], list[str]] = {}
    for line in listed:
        digest, _, wheel = line.strip().partition("  ")
        name, version = wheel.split("-")[:2]
        known.setdefault((name, version), []).append(digest)
    found = dict(pins)
    for name, version in pins:
        if name not in {package for package, _ in known}:
            continue
        if (name, version) not in known:
            raise EnvironmentFault(
                f"the list of wheels has no {name} {version}",
                expected="a line for each wheel of the locked version",
                found=", ".join(other for package, other in sorted(known) if package == name),
                remedy="list each of its wheels in docker/torch_cpu.sha256: SHA-256  FILE",
            )
        body = [line for line in pins[name, version] if not DIGEST.match(line)]
        hashes = [f"    --hash=sha256:{digest} \\" for digest in sorted(known[name, version])]
        found[name, version] = [*hashes[:-1], hashes[-1].removesuffix(" \\"), *body]
    return found


def main(arguments: list[str]) -> int:
    """Print the merged lock."""
    listed: list[str] = []
    if arguments[0] == "--hashes":
        listed = Path(arguments[1]).read_text(encoding="utf-8").splitlines()
        arguments = arguments[2:]
    locks = {}
    for file in map(Path, arguments):
        python, _, platform = file.name.removesuffix(".lock").partition(",")
        pins = read_pins(file.read_text(encoding="utf-8"))
        locks[python, platform] = with_hashes(pins, listed)
    print(merge(locks), end="")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except KitError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
