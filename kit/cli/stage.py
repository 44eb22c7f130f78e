"""How a verb runs one stage: on verified sources, with cache and result locked."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kit.cli.options import LOCAL, Executor

if TYPE_CHECKING:
    from kit.plan.jobs import Plan
    from kit.stages.work import Work


def run_stage(
    manifest: Path, verb: str, stage: Callable[["Plan"], None], changes: Sequence[str]
) -> None:
    """Verify the fetched sources and run one stage, with cache and result locked."""
    with _held(manifest, verb, changes) as plan:
        stage(plan)


def run_work(
    manifest: Path,
    verb: str,
    stage: Callable[["Plan", "Work"], None],
    executor: Executor,
    changes: Sequence[str],
) -> None:
    """Do the same for a stage whose work an executor does."""
    with _held(manifest, verb, changes, executor) as plan, executor.work(plan.manifest) as work:
        stage(plan, work)


@contextmanager
def _held(
    manifest: Path, verb: str, changes: Sequence[str], executor: Executor = LOCAL
) -> Iterator["Plan"]:
    from kit.experiment.manifest_file import load_manifest
    from kit.plan.decided import keep_inputs
    from kit.plan.jobs import make_plan
    from kit.sources import datasets
    from kit.stages.attempts import hold_result
    from kit.stages.progress import progress

    plan = make_plan(load_manifest(manifest, changes=changes))
    executor.require_possible(plan.manifest)
    with hold_result(plan.manifest, verb), progress((verb,)) as shown:
        keep_inputs(plan)
        shown.expect(plan, local=executor == LOCAL)
        shown.begin(verb)
        datasets.verify_sources(plan.manifest)
        yield plan
