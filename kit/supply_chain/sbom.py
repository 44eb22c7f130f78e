"""The bill of materials of an image, CycloneDX 1.6 JSON: locked packages and system packages.

Equal inputs give equal bytes: the serial number is derived from the components, and the time is
SOURCE_DATE_EPOCH.
"""

import re
import subprocess
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from kit.digests import sha256_value
from kit.supply_chain.licences import UNKNOWN, Licence
from kit.supply_chain.locks import Package

Component = dict[str, object]


def bill_of_materials(
    packages: list[Package],
    licences: list[Licence],
    system: list[Component],
    *,
    name: str,
    revision: str,
    epoch: int,
) -> dict[str, object]:
    """Return the CycloneDX document of an image."""
    found = [*components(packages, licences, excluded=True), *system]
    subject = {"type": "container", "bom-ref": f"image:{name}", "name": name, "version": revision}
    moment = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return document(found, name, subject, timestamp=moment)


def document(
    components: Sequence[Mapping[str, object]],
    name: str,
    subject: Mapping[str, str],
    *,
    timestamp: str | None = None,
) -> dict[str, object]:
    """Return the CycloneDX document of the components of `subject`.

    Args:
        components: what the subject consists of.
        name: of the document; it and the components decide the serial number.
        subject: the CycloneDX component that the document describes.
        timestamp: ISO 8601; left out if None.
    """
    serial = uuid.uuid5(uuid.NAMESPACE_URL, f"pebench:{name}:{sha256_value(components)}")
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": subject} | ({"timestamp": timestamp} if timestamp else {}),
        "components": components,
    }


def components(
    packages: Iterable[Package], licences: Iterable[Licence], *, excluded: bool = False
) -> list[Component]:
    """Return a component for each package.

    Args:
        packages: locked or installed ones.
        licences: of the installed packages.
        excluded: mark packages without a licence, which are not installed, as excluded.
    """
    stated = {Package(row.package, row.version).key: row for row in licences}
    found = []
    for package in packages:
        licence = stated.get(package.key)
        component = _component(package, licence)
        if licence is None and excluded:
            component["scope"] = "excluded"
        found.append(component)
    return found


def _component(package: Package, licence: Licence | None) -> Component:
    identity = f"pkg:pypi/{package.key}@{package.version.replace('+', '%2B')}"
    found: Component = {
        "type": "library",
        "bom-ref": identity,
        "name": package.name,
        "version": package.version,
        "purl": identity,
    }
    if package.sha256:
        # A release has a file for each platform, and any of them may have been installed.
        hashes = [{"alg": "SHA-256", "content": digest} for digest in package.sha256]
        found["externalReferences"] = [{"type": "distribution", "url": identity, "hashes": hashes}]
    if licence is not None and licence.is_expression:
        found["licenses"] = [{"expression": licence.stated}]
    elif licence is not None and licence.stated != UNKNOWN:
        found["licenses"] = [{"license": {"name": licence.stated}}]
    if licence is not None and licence.restricted:
        found["properties"] = [{"name": "pebench:redistributable", "value": "no"}]
    return found


def system_packages() -> list[Component]:
    """Return the Debian or Ubuntu packages of this system as components; none elsewhere."""
    command = ["dpkg-query", "-W", "-f", "${Package}\t${Version}\t${Architecture}\n"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    vendor = _vendor()
    found: list[Component] = []
    for name, version, architecture in (line.split("\t") for line in sorted(output.splitlines())):
        escaped = version.replace("+", "%2B").replace(":", "%3A").replace("~", "%7E")
        identity = f"pkg:deb/{vendor}/{name}@{escaped}?arch={architecture}"
        found.append(
            {
                "type": "library",
                "bom-ref": identity,
                "name": name,
                "version": version,
                "purl": identity,
            }
        )
    return found


def _vendor() -> str:
    with open("/etc/os-release", encoding="utf-8") as stream:
        found = re.search(r'^ID="?(\w+)', stream.read(), re.MULTILINE)
    return found[1] if found else "debian"
