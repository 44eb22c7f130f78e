"""The sets of seeds that a manifest declares have no seed in common, and their files are near."""

from itertools import combinations
from pathlib import Path

from kit.errors import ManifestError
from kit.experiment.manifest import Manifest

REFERENCE, OWN = "calibration.reference_seeds", "seeds"


def require_disjoint_seeds(manifest: Manifest) -> None:
    """Check that pilots, reference, tuning and the manifest's own seeds are disjoint sets.

    Args:
        manifest: the manifest.

    Raises:
        ManifestError: a seed is in two sets or twice in one, or the file of a section is outside
            the project.
    """
    sets: dict[str, tuple[int, ...]] = {}
    if (calibration := manifest.calibration) is not None:
        _require_inside(manifest, "calibration", calibration.file)
        sets["calibration.pilot_seeds"] = calibration.pilot_seeds
        sets[REFERENCE] = calibration.reference_seeds
    if (tune := manifest.tune) is not None:
        _require_inside(manifest, "tune", tune.file)
        sets["tune.seeds"] = tune.seeds
    if not sets:
        return
    sets[OWN] = manifest.seeds
    for name, seeds in sets.items():
        if doubled := {seed for seed in seeds if seeds.count(seed) > 1}:
            raise ManifestError(
                f"{manifest.origin_of(name)}: {name} has {min(doubled)} twice",
                expected="each seed once",
                found=list(seeds),
                remedy="remove one of the two",
            )
    # A manifest whose seeds are all of the reference's is the reference's own.
    own = set(manifest.seeds) == set(sets.get(REFERENCE, ()))
    for one, other in combinations(sets, 2):
        shared = set(sets[one]) & set(sets[other])
        if shared and not (own and (one, other) == (REFERENCE, OWN)):
            raise ManifestError(
                f"{manifest.origin_of(one, other)}: {one} and {other} share the seed {min(shared)}",
                expected="pilot, reference, tuning and other seeds that have none in common: "
                "a seed that a limit or an option was set with does not test it",
                found=f"{one} = {list(sets[one])}, {other} = {list(sets[other])}",
                remedy="change one of the two; only a manifest whose seeds are all of "
                f"{REFERENCE} is the reference's own",
            )


def _require_inside(manifest: Manifest, section: str, file: str) -> None:
    if ".." in Path(file).parts:
        raise ManifestError(
            f"{manifest.origin_of(f'{section}.file')}: {section}.file leaves the project",
            expected=f"a path relative to the project, such as manifests/{section}/smoke.json",
            found=file,
            remedy="name a file of the project",
        )
