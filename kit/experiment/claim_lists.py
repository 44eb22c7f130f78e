"""Claims that a file writes once for several systems, as one concrete claim for each."""

from collections.abc import Mapping
from typing import Any

from kit.errors import ManifestError
from kit.experiment.origins import Origins
from kit.experiment.systems import RETAIN_ONLY, VANILLA

SYSTEMS, LABEL = "systems", "{label}"


def expanded_claims(document: Mapping[str, Any], origins: Origins | None = None) -> Any:
    """Return the claims of a manifest, given as plain values, with every list of systems expanded.

    A claim `C4` with `systems = ["po", "dpo"]` becomes `C4.po` and `C4.dpo`; `{label}` in its text
    becomes the method's label. Validation names what is no list of tables, and `kit.plan.names` a
    system that does not exist: until then, another key of the manifest may be the faulty one.

    Args:
        document: the values; claims that are expanded already stay as they are.
        origins: from which file each claim comes, for errors.

    Raises:
        ManifestError: a list names no system or one twice, stands beside `system`, or the text
            lacks `{label}`, without which the claims would read alike.
    """
    claims = document.get("claims", [])
    if not isinstance(claims, list | tuple):
        return claims
    return [
        each
        for number, claim in enumerate(claims)
        for each in _expanded(claim, document, _origin(origins, number))
    ]


def _origin(origins: Origins | None, number: int) -> str | None:
    return origins.of("claims", str(number)) if origins else None


def _expanded(claim: Any, document: Mapping[str, Any], origin: str | None = None) -> list[Any]:
    if not isinstance(claim, Mapping) or SYSTEMS not in claim:
        return [claim]
    whose = origin or f"manifest {document.get('name')}"
    where = f"{whose}: claim {claim.get('id')}"
    systems, text = claim[SYSTEMS], claim.get("text")
    if "system" in claim:
        raise ManifestError(
            f"{where} has both 'system' and 'systems'",
            expected="'system' for one claim, or 'systems' for one claim of each",
            found=f"system = {claim['system']!r:.60} and systems = {systems!r:.60}",
            remedy="remove one of the two",
        )
    named = isinstance(systems, list) and all(isinstance(name, str) for name in systems)
    if not named or not systems or len(set(systems)) != len(systems):
        raise ManifestError(
            f"{where}: 'systems' is not valid",
            expected="a list of names of systems, each once",
            found=repr(systems)[:120],
            remedy='write it as in systems = ["po", "dpo"]',
        )
    if isinstance(text, str) and LABEL not in text:
        raise ManifestError(
            f"{where} is made for several systems, but its text does not name the system",
            expected=f"a text with {LABEL}, such as '{LABEL} forgets the people.'",
            found=repr(text)[:120],
            remedy=f"write {LABEL} where the method is named",
        )
    labels = _labels(document)
    return [_of_one(claim, name, labels.get(name, name)) for name in systems]


def _of_one(claim: Mapping[str, Any], name: str, label: str) -> dict[str, Any]:
    one = {key: value for key, value in claim.items() if key != SYSTEMS} | {"system": name}
    if isinstance(claim.get("text"), str):
        one["text"] = claim["text"].replace(LABEL, label)
    if "id" in claim:
        one["id"] = f"{claim['id']}.{name}"
    return one


def written_at(document: Mapping[str, Any], number: int) -> int:
    """Return which claim of the file, from 0, the expanded claim `number` was written as."""
    claims = document.get("claims", [])
    sources = [place for place, claim in enumerate(claims) for _ in _expanded(claim, document)]
    return sources[number]


def _labels(document: Mapping[str, Any]) -> dict[str, str]:
    """Return {system: label} of the methods, Vanilla and Retain-only."""
    labels = {VANILLA: "Vanilla", RETAIN_ONLY: "Retain-only"}
    methods = document.get("methods", [])
    for entry in methods if isinstance(methods, list | tuple) else []:
        if isinstance(entry, Mapping) and isinstance(entry.get("name"), str):
            labels[entry["name"]] = str(entry.get("label", entry["name"]))
    return labels
