"""The Retain-only models that a system's distributions are held against."""

from collections.abc import Iterable, Mapping

from kit.artifacts import Artifact
from kit.experiment.manifest import Manifest
from kit.experiment.settings import DISTANCE
from kit.experiment.systems import RETAIN_ONLY, PlannedSystem

# {Retain-only system: (its target, None for all; its adapters)}
References = Mapping[str, tuple[str | None, tuple[Artifact, ...]]]


def references_of(
    planned: PlannedSystem,
    every: Iterable[PlannedSystem],
    made: Mapping[str, Artifact],
    manifest: Manifest,
) -> References | None:
    """Return the Retain-only models of a system's targets; none for Retain-only itself.

    None where the manifest does not ask for distances.

    Args:
        planned: the system.
        every: all systems of the plan.
        made: the artifacts of the plan's adapters, by name.
        manifest: the experiment.
    """
    if DISTANCE not in manifest.evaluation.metrics:
        return None
    if planned.method == RETAIN_ONLY:
        return {}
    return {
        each.name: (each.target, tuple(made[name] for name in each.adapters))
        for each in every
        if each.method == RETAIN_ONLY
        and (None in (planned.target, each.target) or planned.target == each.target)
    }


def scoring_inputs(
    asked: Mapping[str, object], token_table: bool, references: References | None
) -> dict[str, object]:
    """Return what decides the scores of a system: what it is asked, and what is kept of that."""
    inputs = {**asked, **({"token_table": True} if token_table else {})}
    if references is not None:
        named = {n: [each.digest for each in made] for n, (_, made) in references.items()}
        inputs["references"] = named
    return inputs
