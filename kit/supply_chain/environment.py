"""The bill of materials of a run's environment, CycloneDX 1.6 JSON: Python and every package.

Names and versions are those of run.json, so a verifier can compare the two; hashes and licences are
the signer's statement. It holds no time, so equal environments give equal bytes.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kit.supply_chain.licences import Licence
from kit.supply_chain.locks import Package
from kit.supply_chain.sbom import Component, components, document

SUBJECT = "pebench-kit"
# The signer's statements: a verifier may not have the package to check them.
UNCHECKED_KEYS = {"externalReferences", "licenses", "properties"}


def environment_bill(
    run: Mapping[str, Any], locked: Iterable[Package] = (), licences: Iterable[Licence] = ()
) -> dict[str, object]:
    """Return the bill of the environment that a run.json describes (CycloneDX 1.6).

    A package whose version is the locked one gets the lock's hashes. System packages are left out:
    those of a machine are private, and an image has its own bill.

    Args:
        run: the content of run.json.
        locked: packages of the lock.
        licences: of the installed packages.

    Raises:
        LookupError, TypeError, AttributeError: run.json describes no environment.
    """
    return _document(_components(run, locked, licences), run)


def _components(
    run: Mapping[str, Any], locked: Iterable[Package] = (), licences: Iterable[Licence] = ()
) -> list[Component]:
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
    python: Component = {"type": "platform", "bom-ref": "python", "name": "python"}
    python["version"] = str(environment["python"])
    return [python, *components(packages, licences)]


def _document(listed: list[Component], run: Mapping[str, Any]) -> dict[str, object]:
    subject = {"type": "application", "bom-ref": SUBJECT, "name": SUBJECT}
    subject["version"] = str(run["kit_version"])
    return document(listed, f"{SUBJECT}-environment", subject)


def bill_faults(stored: object, run: Mapping[str, Any]) -> Iterator[str]:
    """Yield each difference between a stored bill and run.json, except in hashes and licences.

    Raises:
        LookupError, TypeError, AttributeError: run.json describes no environment.
    """
    listed = stored.get("components") if isinstance(stored, dict) else None
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        yield "it is not a CycloneDX document with a list of components"
        return
    bare = [{key: each[key] for key in each if key not in UNCHECKED_KEYS} for each in listed]
    right = _components(run)
    stored_versions, versions = (
        {str(each.get("name")): each.get("version") for each in side} for side in (bare, right)
    )
    for name in sorted({*stored_versions, *versions}):
        has, needs = stored_versions.get(name, "missing"), versions.get(name, "none")
        if has != needs:
            yield f"{name}: {has}, run.json has {needs}"
    if stored_versions == versions and bare != right:
        yield "its components have another order or other descriptions"
    if stored != _document(listed, run):
        yield "its header or its serial number does not match its components"
