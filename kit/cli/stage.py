"""How a verb runs one stage: on verified sources, with cache and result locked."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kit.plan.jobs import Plan


def run_stage(
    manifest: Path, verb: str, stage: Callable[["Plan"], None], changes: Sequence[str]
) -> None:
    """Verify the fetched sources and run one stage, with cache and result locked."""
    from kit.experiment.manifest_file import load_manifest
    from kit.plan.decided import keep_inputs
    from kit.plan.jobs import make_plan
    from kit.sources import datasets
    from kit.stages.attempts import hold_result
    from kit.stages.progress import progress

    plan = make_plan(load_manifest(manifest, changes=changes))
    with hold_result(plan.manifest, verb), progress((verb,)) as shown:
        keep_inputs(plan)
        shown.expect(plan)
        shown.begin(verb)
        datasets.verify_sources(plan.manifest)
        stage(plan)
