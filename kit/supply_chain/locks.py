"""Lock files: which packages they name, with which bytes, and whether they fit requirements.in."""

import re
from dataclasses import dataclass
from pathlib import Path

from kit.errors import EnvironmentFault

PLATFORMS = ("cpu", "gpu")
SLIM = ("verify", "keyless")
ENTRY = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[\w,.-]+\])?==(\S+)")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
MARK = re.compile(r"^\w.*#\s*([a-z]+)\s*$")
SECTION = re.compile(r"#\s*---\s*(\w+)")


@dataclass(frozen=True)
class Package:
    """One pinned release and the SHA-256 of every file of it that may be installed."""

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
            f"the lock {path} cannot be read", found=error, remedy="restore it from the repository"
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
            remedy=f"docker/lock.sh {'gpu' if '.gpu.' in path.name else 'cpu'}",
        )
    return found


def required(path: Path, platform: str) -> list[Package]:
    """Return what requirements.in asks for in one lock.

    Unmarked lines are for cpu and gpu, those of the section `verify` for the slim locks as well.
    """
    found, section = [], ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if heading := SECTION.match(line):
            section = heading[1]
        mark = MARK.search(line)
        slim = SLIM if section == "verify" else ()
        meant = {mark[1]} if mark else {*PLATFORMS, *slim}
        if (entry := ENTRY.match(line)) and platform in meant:
            found.append(Package(entry[1], entry[2]))
    return found


def differences(asked: list[Package], locked: list[Package]) -> list[str]:
    """Return one line for each requirement that the lock does not hold at its version."""
    versions = {package.key: package.version for package in locked}
    return [
        f"{package.name}: {package.version} is required, {versions.get(package.key, 'nothing')} "
        "is locked"
        for package in asked
        if versions.get(package.key) != package.version
    ]
