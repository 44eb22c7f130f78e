"""The plan of an experiment whose data was never fetched: what there would be to do."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from kit.artifacts import PROJECT, project_path
from kit.errors import ManifestError
from kit.experiment.manifest import Manifest, SourceSection
from kit.model.families import CONFIG, family_in
from kit.plan.attacks import PreviewedPlan, attack_jobs
from kit.plan.jobs import Plan, make_plan
from kit.sources.checksum_lists import list_of
from kit.sources.datasets import base_folder


def preview(manifest: Manifest) -> tuple[Plan, list[str]]:
    """Return the plan, and the checksum lists that are missing.

    Where one is missing, an empty list takes its place. Digests then name no artifact that exists,
    so everything is to be done.

    Raises:
        ManifestError: as `make_plan`, but for missing lists of what is fetched.
        ModelError: the base's config.json is there and names a family that is not supported.
    """
    if (base_folder(manifest) / CONFIG).is_file():
        family_in(base_folder(manifest))
    missing = [source.checksums for source in manifest.all_sources() if not _has_list(source)]
    if not missing:
        return make_plan(manifest), []
    with TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.sha256"
        empty.touch()

        def listed(source: SourceSection) -> SourceSection:
            if _has_list(source):
                return source
            return source.model_copy(update={"checksums": str(empty)})

        model = manifest.model.model_copy(update={"source": listed(manifest.model.source)})
        sources = tuple(listed(source) for source in manifest.sources)
        changed = {"sources": sources, "model": model}
        if manifest.judge is not None:
            source = listed(manifest.judge.source)
            changed["judge"] = manifest.judge.model_copy(update={"source": source})
        plan = make_plan(manifest.model_copy(update=changed))
        attacks = attack_jobs(plan)
    shown = PreviewedPlan(**vars(replace(plan, manifest=manifest)), attacks=attacks)
    return shown, missing


def _has_list(source: SourceSection) -> bool:
    """Return whether a list exists; an embedded dataset is drawn by this version and must have it.

    Raises:
        ManifestError: the list of an embedded dataset, or of a folder of the kit, is missing.
    """
    try:
        list_of(source)
    except ManifestError:
        own = source.folder and project_path(source.folder).is_relative_to(PROJECT / "kit")
        if source.embedded or own:
            raise
        return False
    return True
