"""Lock files: their packages, the hashes of these, and whether they match requirements.in."""

import re
from dataclasses import dataclass
from pathlib import Path

from kit.artifacts import restored
from kit.errors import EnvironmentFault

PLATFORMS = ("cpu", "gpu")
SLIM = ("verify", "keyless")
ENTRY = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[\w,.-]+\])?==(\S+)")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
MARK = re.compile(r"^\w.*#\s*([a-z]+)\s*$")
SECTION = re.compile(r"#\s*---\s*(\w+)")


@dataclass(frozen=True)
class Package:
    """One pinned release, and the SHA-256 of each of its files that may be installed."""

    name: str
    version: str
    sha256: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The name as PEP 503 normalises it."""
        return re.sub(r"[-_.]+", "-", self.name).lower()


def read_lock(path: Path) -> list[Package]:
    """Return the packages of a lock, in its order.

    Raises:
        EnvironmentFault: the lock cannot be read, or a package in it has no hash.
    """
    found: list[Package] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentFault(
            f"the lock {path} cannot be read",
            expected="a file of the project, in UTF-8",
            found=error,
            remedy=restored(path),
        ) from None
    for line in lines:
        if entry := ENTRY.match(line):
            found.append(Package(entry[1], entry[2]))
        if found and (digest := HASH.search(line)):
            last = found.pop()
            found.append(Package(last.name, last.version, (*last.sha256, digest[1])))
    bare = [package.name for package in found if not package.sha256]
    if bare or not found:
        raise EnvironmentFault(
            f"{path} locks {f'{bare[0]} without a hash' if bare else 'no package'}",
            expected="name==version and its hashes for every package",
            found=f"{len(found)} packages, {len(bare)} of them without a hash",
            remedy=f"docker/lock.sh {'gpu' if '.gpu.' in path.name else 'cpu'}",
        )
    return found


def read_requirements(path: Path, platform: str) -> list[Package]:
    """Return the packages that requirements.in requires in the lock of a platform.

    Unmarked lines are for cpu and gpu; those in the section `verify` are also for the slim locks.
    """
    found, section = [], ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if heading := SECTION.match(line):
            section = heading[1]
        mark = MARK.search(line)
        slim = SLIM if section == "verify" else ()
        platforms = {mark[1]} if mark else {*PLATFORMS, *slim}
        if (entry := ENTRY.match(line)) and platform in platforms:
            found.append(Package(entry[1], entry[2]))
    return found


def find_mismatches(required: list[Package], locked: list[Package]) -> list[str]:
    """Return one line for each requirement that is not locked at its version."""
    versions: dict[str, list[str]] = {}  # several, where a platform needs another one
    for package in locked:
        versions.setdefault(package.key, []).append(package.version)
    return [
        f"{package.name}: {package.version} is required, "
        f"{' and '.join(versions.get(package.key, ['nothing']))} is locked"
        for package in required
        if package.version not in versions.get(package.key, ())
    ]
