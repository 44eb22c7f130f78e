"""The image's bill of materials, CycloneDX 1.6 JSON: locked packages and the system's.

The same inputs give the same bytes: the serial number follows from the lock, the time is
SOURCE_DATE_EPOCH.
"""

import re
import subprocess
import uuid
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
    stated = {Package(row.package, row.version).key: row for row in licences}
    components = [_component(package, stated.get(package.key)) for package in packages] + system
    serial = uuid.uuid5(uuid.NAMESPACE_URL, f"pebench:{name}:{sha256_value(components)}")
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "container",
                "bom-ref": f"image:{name}",
                "name": name,
                "version": revision,
            },
        },
        "components": components,
    }


def _component(package: Package, licence: Licence | None) -> dict[str, Any]:
    identity = f"pkg:pypi/{package.key}@{package.version.replace('+', '%2B')}"
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": identity,
        "name": package.name,
        "version": package.version,
        "purl": identity,
        # A release has a file for each platform: any of these bytes may have been installed.
        "externalReferences": [
            {
                "type": "distribution",
                "url": identity,
                "hashes": [{"alg": "SHA-256", "content": digest} for digest in package.sha256],
            }
        ],
    }
    if licence is None:
        found["scope"] = "excluded"
    elif licence.is_expression:
        found["licenses"] = [{"expression": licence.stated}]
    elif licence.stated != UNKNOWN:
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
