"""The image's bill of materials, CycloneDX 1.6 JSON: locked packages and the system's.

The same inputs give the same bytes: the serial number follows from the components, the time is
SOURCE_DATE_EPOCH.
"""

import re
import subprocess
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from kit.digests import sha256_value
from kit.supply_chain.licences import UNKNOWN, Licence
from kit.supply_chain.locks import Package


def bill_of_materials(
    packages: list[Package],
    licences: list[Licence],
    system: list[dict[str, Any]],
    *,
    name: str,
    revision: str,
    epoch: int,
) -> dict[str, Any]:
    """Return the CycloneDX document of an image."""
    found = [*components(packages, licences, excluded=True), *system]
    subject = {"type": "container", "bom-ref": f"image:{name}", "name": name, "version": revision}
    made = document(found, name, subject)
    moment = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    made["metadata"]["timestamp"] = moment
    return made


def document(
    components: list[dict[str, Any]], name: str, subject: dict[str, str]
) -> dict[str, Any]:
    """Return the CycloneDX document of components that belong to `subject`, without a time."""
    serial = uuid.uuid5(uuid.NAMESPACE_URL, f"pebench:{name}:{sha256_value(components)}")
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": subject},
        "components": components,
    }


def components(
    packages: Iterable[Package], licences: Iterable[Licence], *, excluded: bool = False
) -> list[dict[str, Any]]:
    """Return a component for each package; `excluded` says so of those that are not installed."""
    stated = {Package(row.package, row.version).key: row for row in licences}
    found = []
    for package in packages:
        licence = stated.get(package.key)
        component = _component(package, licence)
        if licence is None and excluded:
            component["scope"] = "excluded"
        found.append(component)
    return found


def _component(package: Package, licence: Licence | None) -> dict[str, Any]:
    identity = f"pkg:pypi/{package.key}@{package.version.replace('+', '%2B')}"
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": identity,
        "name": package.name,
        "version": package.version,
        "purl": identity,
    }
    if package.sha256:
        # A release has a file for each platform: any of these bytes may have been installed.
        hashes = [{"alg": "SHA-256", "content": digest} for digest in package.sha256]
        found["externalReferences"] = [{"type": "distribution", "url": identity, "hashes": hashes}]
    if licence is not None and licence.is_expression:
        found["licenses"] = [{"expression": licence.stated}]
    elif licence is not None and licence.stated != UNKNOWN:
        found["licenses"] = [{"license": {"name": licence.stated}}]
    if licence is not None and licence.restricted:
        found["properties"] = [{"name": "pebench:redistributable", "value": "no"}]
    return found


def system_packages() -> list[dict[str, Any]]:
    """Return the Debian or Ubuntu packages of this system as components; none elsewhere."""
    asked = ["dpkg-query", "-W", "-f", "${Package}\t${Version}\t${Architecture}\n"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    vendor = _vendor()
    found = []
    for name, version, architecture in (line.split("\t") for line in sorted(said.splitlines())):
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
        said = re.search(r'^ID="?(\w+)', stream.read(), re.MULTILINE)
    return said[1] if said else "debian"
