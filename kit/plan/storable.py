"""A result that `verify` would refuse is refused before any work: its limits are those of a plan.

The checks are those of the verifier (`kit.result`), so both agree.
"""

from kit import benchmarks
from kit.errors import ManifestError, VerificationError
from kit.experiment.manifest import Manifest
from kit.experiment.named_files import source_places
from kit.experiment.systems import Design, planned_systems
from kit.result.limits import MAX_FACT, require_sane_systems
from kit.result.run_file import System, interval_settings

COPIED = (
    "shorten it, or write it again by hand: copied text may bring blanks that are not a space. "
    "Of many systems: leave out seeds or methods"
)


def require_storable(manifest: Manifest) -> None:
    """Check what a manifest puts into run.json: names, labels, title, systems, intervals.

    Raises:
        ManifestError: a verifier would refuse a result that holds it.
    """
    run = {"manifest": manifest.resolved()}
    protocol = benchmarks.planned_protocol(manifest)
    design = Design.model_validate(manifest)
    systems = [
        System(
            name=each.name,
            target=each.target,
            method=each.method,
            label=each.label,
            seed=each.seed,
        )
        for each in planned_systems(design, one_retain_set=protocol.one_retain_set)
    ]
    try:
        require_sane_systems(run, systems)
    except VerificationError as error:
        said = str(error.found)
        key = next((k for k in ("name", "title") if said.startswith(f"manifest.{k} ")), "methods")
        raise _refused(manifest.origin_of(key), error, COPIED) from None
    try:
        interval_settings(run)
    except VerificationError as error:
        raise _refused(manifest.origin_of("report"), error, "correct it in [report]") from None
    _require_short_facts(manifest)


def _require_short_facts(manifest: Manifest) -> None:
    """Check the texts that run.json says of each source."""
    for place, source in source_places(manifest):
        for key in ("name", "licence", "repo", "folder", "checksums"):
            if len(text := getattr(source, key) or "") > MAX_FACT:
                raise ManifestError(
                    f"{manifest.origin_of(f'{place}.{key}')}: {key} of source "
                    f"'{source.name[:MAX_FACT]}' is longer than a result may say",
                    expected=f"at most {MAX_FACT} characters",
                    found=f"{len(text)}: {text[:60]!r}...",
                    remedy="name a licence by its short name, such as CC-BY-4.0"
                    if key == "licence"
                    else "shorten it",
                )


def _refused(origin: str, error: VerificationError, remedy: str) -> ManifestError:
    return ManifestError(
        f"{origin}: no result of this manifest could be verified",
        expected="names, labels and a title of one line, as many systems and draws as a result may "
        "have",
        found=error.found,
        remedy=remedy,
    )
