"""Which systems and adapters a manifest implies, by name, target, method, label and seed.

The plan makes its jobs by this rule and the verifier holds run.json against it, so nothing here
reads a method's code: that would need torch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, FailFast, Field, StrictInt, StrictStr

# The systems that every table has: trained on everything, and on all but the forget set.
VANILLA, RETAIN_ONLY = "vanilla", "retain_only"
# Nothing is trained for them, so that their seeds would all be the same system.
UNTRAINED = frozenset({"prompt_only"})
FINETUNE, UNLEARN = "finetune", "unlearn"
# A list of a million wrong values is one error and not a million.
Names = Annotated[tuple[StrictStr, ...], FailFast()]


class _Part(BaseModel):
    """Part of a manifest: of one that was validated, or of the one that a run.json holds."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class PlannedMethod(_Part):
    """One method of a manifest."""

    name: StrictStr
    label: StrictStr
    method: StrictStr
    targets: Names


class FinetuneSeed(_Part):
    """The seed of fine-tuning; None is the first of the manifest's seeds."""

    seed: StrictInt | None = None


class Design(_Part):
    """What decides which systems there are."""

    seeds: Annotated[tuple[StrictInt, ...], FailFast()] = Field(min_length=1)
    targets: Names = Field(min_length=1)
    methods: Annotated[tuple[PlannedMethod, ...], FailFast()]
    finetune: FinetuneSeed


@dataclass(frozen=True)
class PlannedAdapter:
    """An adapter that is trained; `target` is None for the vanilla model."""

    stage: str
    name: str
    target: str | None
    seed: int


@dataclass(frozen=True)
class PlannedSystem:
    """A row of the tables; `adapters` are the names of those that it answers with.

    `target` is None where it is measured for every target, `entry` the name of its method in the
    manifest, where it has one.
    """

    name: str
    target: str | None
    method: str
    label: str
    seed: int | None
    adapters: tuple[str, ...]
    entry: str | None = None


def planned_adapters(design: Design, *, one_retain_set: bool) -> Iterator[PlannedAdapter]:
    """Yield the adapters that are trained, in the plan's order.

    Args:
        design: the manifest's.
        one_retain_set: the benchmark's protocol has one retain-only model for all targets.
    """
    first = design.seeds[0] if design.finetune.seed is None else design.finetune.seed
    yield PlannedAdapter(FINETUNE, VANILLA, None, first)
    if one_retain_set:
        yield PlannedAdapter(FINETUNE, RETAIN_ONLY, design.targets[0], first)
    else:
        for target in design.targets:
            yield PlannedAdapter(FINETUNE, f"{RETAIN_ONLY}-{target}", target, first)
    for target, entry, seed in _unlearned(design):
        if entry.method not in UNTRAINED:
            yield PlannedAdapter(UNLEARN, _name(target, entry, seed), target, seed)


def planned_systems(design: Design, *, one_retain_set: bool) -> Iterator[PlannedSystem]:
    """Yield the systems that are evaluated, in the plan's order; arguments as for the adapters."""
    yield PlannedSystem(VANILLA, None, VANILLA, "Vanilla", None, (VANILLA,))
    for target, entry, seed in _unlearned(design):
        name = _name(target, entry, seed)
        trained = () if entry.method in UNTRAINED else (name,)
        adapters = (VANILLA, *trained)
        yield PlannedSystem(name, target, entry.method, entry.label, seed, adapters, entry.name)
    for adapter in planned_adapters(design, one_retain_set=one_retain_set):
        if adapter.stage == UNLEARN:
            return
        if adapter.name != VANILLA:
            target_of = None if one_retain_set else adapter.target
            yield PlannedSystem(
                adapter.name, target_of, RETAIN_ONLY, "Retain-only", None, (adapter.name,)
            )


def _unlearned(design: Design) -> Iterator[tuple[str, PlannedMethod, int]]:
    for target in design.targets:
        for entry in design.methods:
            if target in entry.targets:
                seeds = design.seeds[:1] if entry.method in UNTRAINED else design.seeds
                for seed in seeds:
                    yield target, entry, seed


def _name(target: str, entry: PlannedMethod, seed: int) -> str:
    return f"{target}-{entry.name}-s{seed}"
