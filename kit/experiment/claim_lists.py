"""Claims that a file writes once for several systems, as one concrete claim for each."""

from collections.abc import Mapping
from typing import Any

from kit.errors import ManifestError, unknown
from kit.experiment.systems import RETAIN_ONLY, VANILLA

SYSTEMS, LABEL = "systems", "{label}"


def expanded_claims(document: Mapping[str, Any]) -> Any:
    """Return the claims of a manifest, given as plain values, with every list of systems expanded.

    A claim `C4` with `systems = ["po", "dpo"]` becomes `C4.po` and `C4.dpo`; `{label}` in its text
    becomes the method's label. What is no list of tables is returned as it is: validation names it.

    Raises:
        ManifestError: a list names no system, an unknown one or one twice, stands beside `system`,
            or the text lacks `{label}`, without which the claims would read alike.
    """
    claims = document.get("claims", [])
    if not isinstance(claims, list | tuple):
        return claims
    return [each for claim in claims for each in _expanded(claim, document)]


def _expanded(claim: Any, document: Mapping[str, Any]) -> list[Any]:
    if not isinstance(claim, Mapping) or SYSTEMS not in claim:
        return [claim]
    where = f"manifest {document.get('name')}: claim {claim.get('id')}"
    systems, text = claim[SYSTEMS], claim.get("text")
    if "system" in claim:
        raise ManifestError(
            f"{where} has both 'system' and 'systems'",
            expected="'system' for one claim, or 'systems' for one claim of each",
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
    if not isinstance(text, str) or LABEL not in text:
        raise ManifestError(
            f"{where} is made for several systems, but its text does not name the system",
            expected=f"a text with {LABEL}, such as '{LABEL} forgets the people.'",
            found=repr(text)[:120],
            remedy=f"write {LABEL} where the method is named",
        )
    labels = _labels(document)
    for name in systems:
        if name not in labels:
            raise unknown(
                f"{where}: no system '{name}'", name, sorted(labels), remedy="correct `systems`"
            )
    shared = {key: value for key, value in claim.items() if key != SYSTEMS}
    return [
        shared
        | {"id": f"{claim.get('id')}.{name}", "text": text.replace(LABEL, labels[name])}
        | {"system": name}
        for name in systems
    ]


def _labels(document: Mapping[str, Any]) -> dict[str, str]:
    """Return {system: label} of the methods, Vanilla and Retain-only."""
    labels = {VANILLA: "Vanilla", RETAIN_ONLY: "Retain-only"}
    methods = document.get("methods", [])
    for entry in methods if isinstance(methods, list | tuple) else []:
        if isinstance(entry, Mapping) and isinstance(entry.get("name"), str):
            labels[entry["name"]] = str(entry.get("label", entry["name"]))
    return labels
