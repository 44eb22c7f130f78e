"""The systems and adapters that a manifest implies: name, target, method, label and seed.

The plan derives its jobs from this rule, and the verifier checks run.json with it. Nothing here
reads a method's code, because that would need torch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, FailFast, Field, StrictInt, StrictStr

# The two systems of every table: trained on everything, and on everything but the forget set.
VANILLA, RETAIN_ONLY = "vanilla", "retain_only"
# Methods without training: every seed would give the same system.
UNTRAINED = frozenset({"prompt_only"})
# What an artifact holds instead of the weights of a LoRA adapter, or beside them, by the method's
# file. Methods that are not named leave an adapter.
REMOVE_NEURONS = frozenset({"manu", "mip_editor"})
TRAINING_FREE = frozenset({"manu"})  # their artifacts hold nothing else, and they make no step
MERGE_ADAPTERS = frozenset({"smfa"})  # several adapters, and how they are merged
FINETUNE, UNLEARN = "finetune", "unlearn"
# FailFast: a list of a million wrong values gives one error, not a million.
Names = Annotated[tuple[StrictStr, ...], FailFast()]


class _Part(BaseModel):
    """Part of a manifest: of a validated one, or of the manifest in a run.json."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class PlannedMethod(_Part):
    """One method of a manifest."""

    name: StrictStr
    label: StrictStr
    method: StrictStr
    targets: Names


class FinetuneSeed(_Part):
    """The seed of fine-tuning; None stands for the first of the manifest's seeds."""

    seed: StrictInt | None = None


class Design(_Part):
    """The parts of a manifest that decide which systems exist."""

    seeds: Annotated[tuple[StrictInt, ...], FailFast()] = Field(min_length=1)
    targets: Names = Field(min_length=1)
    methods: Annotated[tuple[PlannedMethod, ...], FailFast()]
    finetune: FinetuneSeed


@dataclass(frozen=True)
class PlannedAdapter:
    """An adapter to train; `target` is None for the vanilla model."""

    stage: str
    name: str
    target: str | None
    seed: int


@dataclass(frozen=True)
class PlannedSystem:
    """One model to evaluate; `adapters` are the names of the adapters that it answers with.

    `target` is None if it is measured for every target. `entry` is the name of its method in the
    manifest; None for Vanilla and Retain-only.
    """

    name: str
    target: str | None
    method: str
    label: str
    seed: int | None
    adapters: tuple[str, ...]
    entry: str | None = None


def planned_adapters(design: Design, *, one_retain_set: bool) -> Iterator[PlannedAdapter]:
    """Yield the adapters to train, in the plan's order.

    Args:
        design: the relevant parts of the manifest.
        one_retain_set: one retain-only model serves all targets of the benchmark.
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
    """Yield the systems to evaluate, in the plan's order; arguments as for `planned_adapters`."""
    yield PlannedSystem(VANILLA, None, VANILLA, "Vanilla", None, (VANILLA,))
    for target, entry, seed in _unlearned(design):
        name = _name(target, entry, seed)
        trained = () if entry.method in UNTRAINED else (name,)
        adapters = (VANILLA, *trained)
        yield PlannedSystem(name, target, entry.method, entry.label, seed, adapters, entry.name)
    for adapter in planned_adapters(design, one_retain_set=one_retain_set):
        if adapter.stage == FINETUNE and adapter.name != VANILLA:
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
