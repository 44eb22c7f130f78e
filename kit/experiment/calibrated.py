"""Read the file of a calibration, and give each claim of a manifest its `equivalence`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit.artifacts import project_path
from kit.digests import sha256_value
from kit.errors import ManifestError, MissingStageError
from kit.experiment.claims import ClaimSection
from kit.experiment.inherited import naming_their_manifest
from kit.experiment.manifest import Manifest
from kit.experiment.settings import CalibrationSection

SCHEMA = "pebench-kit/calibration/1"
MAX_BYTES = 4_000_000  # a file of 200 claims has 0.2 MB
# What of a manifest changes no answer of a seed: names, claims, checks, processes.
OUTSIDE = ("name", "title", "seeds", "claims", "calibration", "report", "compute")
WORDS = ("text", "location", "cost", "equivalence")  # of a claim, which change none of its values


def experiment_digest(resolved: Mapping[str, Any]) -> str:
    """Return the digest of what decides the answers of a seed.

    Args:
        resolved: `Manifest.resolved()`, or the manifest in a run.json.
    """
    kept = {key: value for key, value in resolved.items() if key not in OUTSIDE}
    finetune, evaluation = dict(kept.get("finetune", {})), dict(kept.get("evaluation", {}))
    if finetune.get("seed") is None:
        finetune["seed"] = resolved["seeds"][0]
    asked = {key: value for key, value in evaluation.items() if not key.startswith("agreement_")}
    return sha256_value({**kept, "finetune": finetune, "evaluation": asked})


def claim_digest(claim: ClaimSection) -> str:
    """Return the digest of what a claim says, its words and its `equivalence` aside."""
    said = claim.model_dump(mode="json")
    return sha256_value({key: value for key, value in said.items() if key not in WORDS})


def with_equivalence(manifest: Manifest, origin: str, *, changed: bool = False) -> Manifest:
    """Give each claim that states no `equivalence` that of the calibration's file.

    A manifest without a section `[calibration]`, whose file does not exist yet, or whose claims all
    state their own, stays as it is.

    Args:
        manifest: a validated manifest.
        origin: its file, for remedies.
        changed: whether `--set` has changed the manifest, but not its claims.

    Raises:
        ManifestError: the file is damaged, was made for another experiment or for other seeds, or
            lacks a claim; of inherited claims, it says from which manifest.
    """
    section = manifest.calibration
    if section is None or not project_path(section.file).exists() or not _uncalibrated(manifest):
        return manifest
    remedy = (
        "an experiment of your own: write `claims = []`, or name a calibration.file of its own; to "
        f"calibrate this one again: `./run.sh calibrate {origin} --again`"
    )
    with naming_their_manifest(manifest, changed=changed):
        known = _known_claims(manifest, section, remedy)
    claims = []
    for claim in manifest.claims:
        if "equivalence" not in claim.model_fields_set:
            entry = known.get(claim.id)
            if entry is None or entry["claim"] != claim_digest(claim):
                why = "has no" if entry is None else "was made before a change of"
                state = "state its `equivalence`: how far another run may be off"
                with naming_their_manifest(manifest, claim.id, changed=changed):
                    raise ManifestError(
                        f"{manifest.origin_of('calibration')}: {section.file} {why} claim "
                        f"{claim.id}",
                        expected="an entry for each claim that states no equivalence",
                        found="no entry" if entry is None else "an entry of the earlier claim",
                        remedy=state if manifest.adds_claim(claim.id) else remedy,
                    )
            claim = claim.model_copy(update={"equivalence": entry["equivalence"]})
        claims.append(claim)
    return manifest.model_copy(update={"claims": tuple(claims)})


def _known_claims(
    manifest: Manifest, section: CalibrationSection, remedy: str
) -> Mapping[str, Mapping[str, Any]]:
    """Return {id of a claim: its entry} of a calibration that was made for this experiment."""
    where = manifest.origin_of("calibration")
    said = read_calibration(project_path(section.file), remedy)
    if said["experiment"] != (own := experiment_digest(manifest.resolved())):
        raise ManifestError(
            f"{where}: {section.file} was made for another experiment",
            expected="data, models, methods, training and evaluation of this manifest: their "
            f"digest is {own[:16]}",
            found=f"the digest {said['experiment'][:16]}",
            remedy=remedy,
        )
    if said["pilot_seeds"] != list(section.pilot_seeds):
        raise ManifestError(
            f"{where}: {section.file} was made with other pilot seeds",
            expected=list(section.pilot_seeds),
            found=said["pilot_seeds"],
            remedy=remedy,
        )
    return {entry["id"]: entry for entry in said["claims"]}


def require_calibrated(manifest: Manifest) -> None:
    """Check that claims which rely on the calibration's file had one when they were read.

    Raises:
        MissingStageError: there was none.
    """
    section = manifest.calibration
    if section is not None and _uncalibrated(manifest):
        raise MissingStageError(
            f"the claims of manifest {manifest.name} are not calibrated: {section.file} does not "
            "exist",
            expected="an equivalence for each claim, set before the result is made",
            found="no such file",
            remedy="run `./run.sh calibrate` for the manifest, or state equivalence in each claim",
        )


def _uncalibrated(manifest: Manifest) -> bool:
    return any("equivalence" not in claim.model_fields_set for claim in manifest.claims)


def read_calibration(path: Path, remedy: str) -> dict[str, Any]:
    """Return the content of a calibration's file.

    Raises:
        ManifestError: it is not such a file; `remedy` says what to do.
    """
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            raise ValueError("not a file of a plausible size")
        said = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(said, dict) or said.get("schema") != SCHEMA:
            raise ValueError(f"not of the schema {SCHEMA}")
        entries = said["claims"]
        sound = all(
            isinstance(entry["id"], str)
            and isinstance(entry["claim"], str)
            and isinstance(entry["equivalence"], float)
            and 0 < entry["equivalence"] < 1
            for entry in entries
        )
        ids = [entry["id"] for entry in entries]
        if len(set(ids)) < len(ids):
            raise ValueError(f"claim {next(name for name in ids if ids.count(name) > 1)} twice")
        if not sound or not isinstance(said["experiment"], str) or "pilot_seeds" not in said:
            raise ValueError("a part of it has another form")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ManifestError(
            f"{path} is not the file of a calibration",
            expected="the JSON that `./run.sh calibrate` wrote",
            found=error,
            remedy=remedy,
        ) from None
    return said
