"""`./run.sh calibrate`: train the pilots, judge the claims on them, and write the file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kit import __version__
from kit.artifacts import PROJECT, project_path, readable_json, write_bytes
from kit.calibration import rule
from kit.calibration.pilots import Piloted, pilot_claims, require_claimable
from kit.digests import sha256_file
from kit.errors import ManifestError, VerificationError
from kit.experiment.calibrated import SCHEMA, claim_digest, experiment_digest
from kit.experiment.manifest import CalibrationSection, Manifest
from kit.result.layout import ANSWERS, ROWS, RUN
from kit.result.made_by import kit_of
from kit.result.run_file import manifest_of, read_run_in
from kit.result.stored import StoredResult, read_result
from kit.verdicts.seeds import seeds_of
from kit.verification.recompute import recompute

REFERENCES = "manifests/reference"


def calibration_of(manifest: Manifest) -> CalibrationSection:
    """Return the section `[calibration]` of a manifest that can be calibrated.

    Raises:
        ManifestError: it has none, makes no claims, or is the reference's own manifest.
    """
    section = manifest.calibration
    if section is None:
        raise ManifestError(
            f"manifest {manifest.name} has no section [calibration]",
            expected="pilot_seeds, reference_seeds and file",
            found="no such section",
            remedy="add the section; manifests/README.md explains its keys",
        )
    if not manifest.claims:
        raise ManifestError(
            f"manifest {manifest.name} makes no claims, so there is nothing to calibrate",
            expected="at least one claim",
            found="none",
            remedy="write [[claims]] first",
        )
    if set(manifest.seeds) == set(section.reference_seeds):
        raise ManifestError(
            f"manifest {manifest.name} is the reference's own: its seeds are the reference's",
            expected="a manifest whose seeds are neither pilots nor the reference's",
            found=list(manifest.seeds),
            remedy="calibrate the manifest that this one extends",
        )
    return section


def pilot_manifest(manifest: Manifest) -> Manifest:
    """Return the same experiment with the pilot seeds, on the same vanilla model."""
    section = calibration_of(manifest)
    seed = manifest.seeds[0] if manifest.finetune.seed is None else manifest.finetune.seed
    return manifest.model_copy(
        update={
            "name": f"{manifest.name}-pilots",
            "seeds": section.pilot_seeds,
            "finetune": manifest.finetune.model_copy(update={"seed": seed}),
            "report": manifest.report.model_copy(update={"adapters": "claimed"}),
            "calibration": None,
        }
    )


def require_nothing_overwritten(manifest: Manifest, *, again: bool) -> None:
    """Check that no earlier calibration would be replaced without being asked to.

    Raises:
        ManifestError: the file exists, or a signed reference rests on it, and not `again`.
        VerificationError: the run.json of a reference cannot be used, and not `again`.
    """
    section = calibration_of(manifest)
    if again:
        return
    for run in sorted((PROJECT / REFERENCES).glob(f"*/{RUN}")):
        stored = manifest_of(read_run_in(run.parent)).get("calibration")
        if isinstance(stored, dict) and stored.get("file") == section.file:
            raise ManifestError(
                f"the reference {run.parent.relative_to(PROJECT)} is signed already, with the "
                f"equivalences of {section.file}",
                expected="a calibration before the reference is made",
                found=f"{run.parent.name}, which has the seeds {list(section.reference_seeds)}",
                remedy="nothing was changed. Calibrate a new reference with new seeds and another "
                "file; or, if you mean it, use --again and sign a new reference",
            )
    if project_path(section.file).exists():
        raise ManifestError(
            f"{section.file} exists already",
            expected="no earlier calibration",
            found="the file of an earlier one",
            remedy="nothing was changed. Use --again to replace it",
        )


def judge_pilots(manifest: Manifest, result: Path) -> list[Piloted]:
    """Judge the claims of a manifest on a result of its pilots.

    Args:
        manifest: the manifest, with its claims.
        result: a finished result of the same experiment that has all pilot seeds.

    Raises:
        ManifestError: the result is of another experiment or lacks a pilot.
        VerificationError: the numbers of the result do not follow from its answers.
    """
    section = calibration_of(manifest)
    stored = read_result(result, pages=False)
    _require_pilots(manifest, section, stored, result)
    found = recompute(stored)
    if missing := set(section.pilot_seeds) - set(seeds := seeds_of(found.measured)):
        raise VerificationError(
            f"{result} has no systems of the seeds {sorted(missing)}",
            expected=f"systems of the pilot seeds {list(section.pilot_seeds)}",
            found=f"systems of the seeds {sorted(seeds)}",
            remedy="leave --from out to train them, or name a result that has them all",
        )
    return pilot_claims(
        manifest.claims, found.measured, section.pilot_seeds,
        reference_seeds=len(section.reference_seeds), seed=manifest.report.seed,
    )  # fmt: skip


def write_calibration(manifest: Manifest, piloted: Sequence[Piloted], result: Path) -> Path:
    """Write the file of a calibration and return its path.

    Raises:
        ManifestError: the pilots do not support a claim; nothing is written.
    """
    require_claimable(piloted)
    section = calibration_of(manifest)
    path = project_path(section.file)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, readable_json(_content(manifest, section, piloted, result)))
    return path


def _require_pilots(
    manifest: Manifest, section: CalibrationSection, stored: StoredResult, result: Path
) -> None:
    resolved = stored.run["manifest"]
    assert isinstance(resolved, dict), "kit.result.run_file has read settings from it"
    seeds = resolved.get("seeds", [])
    if lacking := [seed for seed in section.pilot_seeds if seed not in seeds]:
        raise ManifestError(
            f"{result} is no result of the pilots: it lacks the seeds {lacking}",
            expected=f"the pilot seeds {list(section.pilot_seeds)}",
            found=seeds,
            remedy="leave --from out to train them, or name a result that has them all",
        )
    ran, own = experiment_digest(resolved), experiment_digest(manifest.resolved())
    if ran != own:
        raise ManifestError(
            f"{result} is of another experiment than manifest {manifest.name}",
            expected="the same data, models, methods, training and evaluation: their digest is "
            f"{own[:16]}",
            found=f"the digest {ran[:16]}",
            remedy="leave --from out to train the pilots of this manifest",
        )


def _content(
    manifest: Manifest, section: CalibrationSection, piloted: Sequence[Piloted], result: Path
) -> dict[str, Any]:
    run = read_run_in(result)
    return {
        "schema": SCHEMA,
        "rule": rule.RULE,
        "words": rule.WORDS,
        "kit": __version__,
        "manifest": manifest.name,
        "experiment": experiment_digest(manifest.resolved()),
        "pilot_seeds": list(section.pilot_seeds),
        "reference_seeds": list(section.reference_seeds),
        "pilots": {
            "kit": kit_of(run).version,
            "answers": sha256_file(result / ANSWERS),
            "rows": sha256_file(result / ROWS),
            "environment": run.get("environment"),
        },
        "claims": list(_entries(piloted)),
    }


def _entries(piloted: Sequence[Piloted]) -> Iterator[dict[str, Any]]:
    for each in piloted:
        assert each.spread is not None, "require_claimable has refused claims without values"
        stated = "equivalence" in each.claim.model_fields_set
        yield {
            "id": each.claim.id,
            "claim": claim_digest(each.claim),
            "values": {str(seed): value for seed, value in each.values.items()},
            "mean": each.spread.mean,
            "sd": each.spread.sd,
            "upper_sd": each.spread.upper_sd,
            "equivalence": each.claim.equivalence if stated else each.spread.equivalence,
            "stated": stated,
        }
