"""The keys of a manifest: which there are at a place, and what they mean at their default."""

from typing import Any, get_args

from kit.experiment.claim_lists import SYSTEMS
from kit.experiment.claims import ClaimSection
from kit.experiment.manifest import (
    AttackEntry,
    Manifest,
    MethodSection,
    ProbeSection,
    SourceSection,
)

LISTS = {
    "methods": MethodSection, "sources": SourceSection, "claims": ClaimSection,
    "entries": AttackEntry, "probes": ProbeSection,
}  # fmt: skip


def keys_at(place: list[str]) -> list[str]:
    """Return the keys of a section; items of lists are addressed by their numbers."""
    model: Any = Manifest
    for part in place:
        if part.isdigit():
            continue
        model = section_of(part, model.model_fields[part].annotation)
    # A file may write one claim for several systems.
    return [*model.model_fields, *([SYSTEMS] if model is ClaimSection else [])]


def section_of(part: str, annotation: Any) -> Any:
    """Return the section behind a key: of a list, the section of its items; of `X | None`, X."""
    inner = [each for each in get_args(annotation) if each is not type(None)]
    return LISTS.get(part, inner[0] if inner and type(None) in get_args(annotation) else annotation)


def is_default(place: str, value: object) -> bool:
    """Return whether a manifest without this key means the same.

    Keys that a later version of the kit has added do nothing at their default.

    Args:
        place: dotted path of the key; items of a list are addressed by name or number.
        value: of the key, as in JSON.
    """
    *sections, key = place.split(".")
    model: Any = Manifest
    for part in sections:
        fields = getattr(model, "model_fields", {})
        if part in fields:
            model = section_of(part, fields[part].annotation)
    field = getattr(model, "model_fields", {}).get(key)
    if field is None or field.is_required():
        return False
    return bool(field.default == value)
