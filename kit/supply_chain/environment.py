"""The bill of materials of a run's environment, CycloneDX 1.6 JSON: Python and every package.

Names and versions are those of run.json, so a verifier can compare the two; hashes and licences are
the signer's statement. It holds no time, so equal environments give equal bytes.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kit.supply_chain.licences import Licence
from kit.supply_chain.locks import Package
from kit.supply_chain.sbom import Component, components, document

SUBJECT = "pebench-kit"
# The signer's statements: a verifier may not have the package to check them.
UNCHECKED_KEYS = {"externalReferences", "licenses", "properties"}


def environment_bill(
    environment: Mapping[str, Any],
    kit_version: str,
    locked: Iterable[Package] = (),
    licences: Iterable[Licence] = (),
) -> dict[str, object]:
    """Return the bill of the environment that a run.json describes (CycloneDX 1.6).

    A package whose version is the locked one gets the lock's hashes. System packages are left out:
    those of a machine are private, and an image has its own bill.

    Args:
        environment: as run.json holds it.
        kit_version: the version of the kit that made the result.
        locked: packages of the lock.
        licences: of the installed packages.

    Raises:
        LookupError, TypeError, AttributeError: it is no environment.
    """
    return _document(_components(environment, locked, licences), kit_version)


def _components(
    environment: Mapping[str, Any],
    locked: Iterable[Package] = (),
    licences: Iterable[Licence] = (),
) -> list[Component]:
    hashes = {(package.key, package.version): package.sha256 for package in locked}
    packages = [
        Package(name, version, hashes.get((name, version), ()))
        for name, version in _installed(environment).items()
    ]
    python: Component = {"type": "platform", "bom-ref": "python", "name": "python"}
    python["version"] = str(environment["python"])
    return [python, *components(packages, licences)]


def _installed(environment: Mapping[str, Any]) -> dict[str, str]:
    """Return {normalised name: version} of the packages of an environment, sorted."""
    packages = environment["packages"].items()
    return dict(sorted((Package(name, version).key, str(version)) for name, version in packages))


def _document(listed: list[Component], kit_version: str) -> dict[str, object]:
    subject = {"type": "application", "bom-ref": SUBJECT, "name": SUBJECT}
    subject["version"] = kit_version
    return document(listed, f"{SUBJECT}-environment", subject)


def package_faults(stored: object, environment: Mapping[str, Any]) -> Iterator[str]:
    """Yield where a stored bill lists other packages or versions than run.json.

    Raises:
        LookupError, TypeError, AttributeError: it is no environment.
    """
    listed = stored.get("components") if isinstance(stored, dict) else None
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        yield "it is not a CycloneDX document with a list of components"
        return
    names = [str(each.get("name")) for each in listed]
    yield from (f"{name} is listed twice" for name, n in Counter(names).items() if n > 1)
    stored_versions = {str(each.get("name")): each.get("version") for each in listed}
    versions = {"python": str(environment["python"]), **_installed(environment)}
    for name in sorted({*stored_versions, *versions}):
        has, needs = stored_versions.get(name, "missing"), versions.get(name, "none")
        if has != needs:
            yield f"{name}: {has}, run.json has {needs}"


def bill_faults(stored: object, environment: Mapping[str, Any], kit_version: str) -> Iterator[str]:
    """Yield each difference between a stored bill and the right one, except hashes and licences.

    Raises:
        LookupError, TypeError, AttributeError: it is no environment.
    """
    if faults := list(package_faults(stored, environment)):
        yield from faults
        return
    assert isinstance(stored, dict), "its packages are those of run.json"
    listed = stored["components"]
    bare = [{key: each[key] for key in each if key not in UNCHECKED_KEYS} for each in listed]
    if bare != _components(environment):
        yield "its components have another order or other descriptions"
    if stored != _document(listed, kit_version):
        yield "its header or its serial number does not match its components"
