"""Base and records of a manifest, as training and every engine will read them."""

from typing import TYPE_CHECKING

from kit.doctor.check import Check
from kit.errors import MissingStageError
from kit.experiment.manifest import Manifest
from kit.gpus import Gpu

if TYPE_CHECKING:  # a plan imports torch
    from kit.plan.jobs import Plan


def examine_training(manifest: Manifest, gpu: Gpu) -> list[Check]:
    """Say how the manifest is trained on a GPU, where sizes of its base are known."""
    from kit.plan.cards import on_card
    from kit.preflight.known import known_sizes

    known = known_sizes(manifest)
    if manifest.model.compute_dtype != "bfloat16" or known is None:
        return []
    found = on_card(manifest, known.sizes, known.record, gpu.memory)
    return [Check("training on the gpu", f"{found} (an estimate; {known.source})")]


def examine_base(manifest: Manifest) -> list[Check]:
    """Check weight files, modules and processor of a base whose bytes are verified.

    Raises:
        ModelError, ManifestError: the base cannot be used.
    """
    from kit.preflight.ready import require_base, require_values

    checks = [Check(name, found) for name, found in require_base(manifest).lines().items()]
    return [*checks, Check("weights", require_values(manifest))]


def examine_records(plan: "Plan") -> Check:
    """Check pictures and lengths of all records; before the first fetch there are none.

    Raises:
        ChecksumError, DataError, ManifestError: the data or a record cannot be used.
    """
    from kit.preflight.ready import require_records
    from kit.sources.datasets import verify_sources

    try:
        verify_sources(plan.manifest)
    except MissingStageError:
        return Check("records", "not fetched yet: `./run.sh fetch` brings them")
    return Check("records", require_records(plan).describe())


def examine_methods(plan: "Plan") -> Check:
    """Try the methods of a plan that are still to be trained, one step each.

    Raises:
        MethodError: one is broken.
    """
    from kit.preflight.methods import require_methods

    tried = require_methods(plan)
    return Check("methods", f"{len(plan.manifest.methods)}, {len(tried)} of them tried now")
