"""Why a job is to be done: what differs from the nearest finished job of the same name."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kit.artifacts import Artifact
from kit.plan.decided import Inputs, artifacts_of, finished, read_inputs
from kit.plan.inputs import inputs_of
from kit.plan.jobs import Plan

NEW = "new: no job of this name is in the cache"
UNKNOWN = "an earlier job of this name is in the cache, but what decided it was not kept"
MOST = 6  # differences of one kind that are listed
# Top keys of a job's inputs, by the word for what they are; other keys are settings.
KINDS = {
    "code": ("code", "probes code", "attack"),
    "data": ("data", "base", "benchmark", "split", "probes", "judge files"),
    "packages": ("packages", "engine"),
    "rests on a job that changed": (
        "adapters", "answers", "oracle", "pictures", "reader", "references", "relearned", "serving",
        "under", "vanilla",
    ),
}  # fmt: skip
KIND_OF = {key: kind for kind, keys in KINDS.items() for key in keys}


def reasons(plan: Plan) -> dict[str, list[Artifact]]:
    """Return {reason: what is to be done for it}, in the order of the plan."""
    kept, there = read_inputs(), finished()
    found: dict[str, list[Artifact]] = {}
    for artifact in artifacts_of(plan):
        if not artifact.done:
            begins = there.get(f"{artifact.stage}-{artifact.name}", [])
            found.setdefault(_reason(artifact, begins, kept), []).append(artifact)
    return found


def _reason(artifact: Artifact, begins: Sequence[str], kept: Mapping[str, Inputs]) -> str:
    if not begins:
        return NEW
    inputs = inputs_of(artifact.digest)
    known = [inputs_before for digest, inputs_before in kept.items() if digest[:16] in begins]
    if not known:
        return UNKNOWN
    each = [differences(before, inputs) for before in known]
    return in_words(min(each, key=lambda changes: sum(map(len, changes.values()))))


def differences(before: Inputs, now: Inputs) -> dict[str, list[str]]:
    """Return what differs between the inputs of two jobs, by kind."""
    found: dict[str, list[str]] = {}
    old, new = dict(_flat(before)), dict(_flat(now))
    for place in dict.fromkeys([*old, *new]):
        if old.get(place) == new.get(place):
            continue
        kind = KIND_OF.get(place[0], "settings")
        found.setdefault(kind, []).append(_difference(kind, place, old, new))
    return {kind: list(dict.fromkeys(changes)) for kind, changes in found.items()}


def in_words(changes: Mapping[str, list[str]]) -> str:
    """Return differences as one line."""
    parts = []
    for kind in ("settings", *KINDS):
        if each := changes.get(kind):
            more = [f"and {len(each) - MOST} more"] if len(each) > MOST else []
            parts.append(f"{kind}: {', '.join([*each[:MOST], *more])}")
    return "; ".join(parts)


Flat = Mapping[tuple[str, ...], Any]


def _difference(kind: str, place: tuple[str, ...], old: Flat, new: Flat) -> str:
    if kind == "code":
        return place[-1]
    if kind not in ("settings", "packages"):
        return ".".join(place[:2])
    name = ".".join(place[1:] if len(place) > 1 else place)
    return f"{name} {_shown(old, place)} -> {_shown(new, place)}"


def _shown(values: Flat, place: tuple[str, ...]) -> str:
    return str(values[place])[:40] if place in values else "nothing"


def _flat(value: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the values of nested tables with their places; lists and tuples are alike."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, (*place, str(key)))
    else:
        yield place, list(value) if isinstance(value, tuple) else value
