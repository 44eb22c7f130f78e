"""The bill of materials of a run's environment, CycloneDX 1.6 JSON: Python and every package.

Names and versions are those of run.json, so that a verifier can hold the bill against it; hashes
and licences are the signer's word. Equal environments give equal bytes, so there is no time.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kit.supply_chain.licences import Licence
from kit.supply_chain.locks import Package
from kit.supply_chain.sbom import components, document

SUBJECT = "pebench-kit"
# What a verifier cannot know of a package that it may not have.
STATED = {"externalReferences", "licenses", "properties"}


def environment_bill(
    run: Mapping[str, Any], locked: Iterable[Package] = (), licences: Iterable[Licence] = ()
) -> dict[str, Any]:
    """Return the bill of the environment that a run.json describes (CycloneDX 1.6).

    A package that is installed at the version of the lock has the lock's hashes. System packages
    are left out: those of a machine are its owner's affair, and an image has a bill of its own.

    Raises:
        LookupError, TypeError, AttributeError: run.json describes no environment.
    """
    environment = run["environment"]
    hashes = {(package.key, package.version): package.sha256 for package in locked}
    installed = {
        Package(name, version).key: str(version)
        for name, version in environment["packages"].items()
    }
    packages = [
        Package(name, version, hashes.get((name, version), ()))
        for name, version in sorted(installed.items())
    ]
    python = {"type": "platform", "bom-ref": "python", "name": "python"}
    python["version"] = str(environment["python"])
    return _document([python, *components(packages, licences)], run)


def _document(listed: list[dict[str, Any]], run: Mapping[str, Any]) -> dict[str, Any]:
    subject = {"type": "application", "bom-ref": SUBJECT, "name": SUBJECT}
    subject["version"] = str(run["kit_version"])
    return document(listed, f"{SUBJECT}-environment", subject)


def bill_faults(stored: object, run: Mapping[str, Any]) -> Iterator[str]:
    """Yield where a stored bill does not say what run.json says; hashes and licences are free.

    Raises:
        LookupError, TypeError, AttributeError: run.json describes no environment.
    """
    listed = stored.get("components") if isinstance(stored, dict) else None
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        yield "it is no CycloneDX document with a list of components"
        return
    bare = [{key: each[key] for key in each if key not in STATED} for each in listed]
    right = environment_bill(run)["components"]
    said, follows = ({str(e.get("name")): e.get("version") for e in side} for side in (bare, right))
    for name in sorted({*said, *follows}):
        if said.get(name) != follows.get(name):
            yield f"{name}: {said.get(name, 'missing')}, run.json has {follows.get(name, 'none')}"
    if said == follows and bare != right:
        yield "its components are in another order, or described in another way"
    if stored != _document(listed, run):
        yield "its head or its serial number is not that of these components"
