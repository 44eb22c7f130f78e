"""`./run.sh tune`: measure the attempts of every method, choose, and write the file."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from kit import __version__
from kit.artifacts import project_path, readable_json, write_bytes
from kit.digests import sha256_bytes
from kit.errors import ManifestError, VerificationError
from kit.experiment.choice import RULE, WORDS, Tried, Tuning, choose, mean_distance, parse_tuning
from kit.experiment.grid import Attempt, attempts_of
from kit.experiment.manifest import Manifest
from kit.experiment.settings import TuneSection
from kit.experiment.tuned import attempts_digest, tuning_digest
from kit.metrics.rows import Measured
from kit.report.run_types import Job, as_run
from kit.report.whole import WholeLine
from kit.result.layout import ANSWERS, RECORDS, ROWS
from kit.result.run_file import System, entries
from kit.result.stored import StoredResult, read_result
from kit.verdicts.soundness import unsound
from kit.verification.pages import contents_of
from kit.verification.recompute import recompute


def section_of(manifest: Manifest) -> TuneSection:
    """Return the section `[tune]`.

    Raises:
        ManifestError: there is none.
    """
    if manifest.tune is None:
        raise ManifestError(
            f"manifest {manifest.name} has no section [tune]",
            expected="methods, seeds, validation_percent, learning_rates and file",
            found="no such section",
            remedy="add the section; manifests/README.md explains its keys",
        )
    return manifest.tune


def earlier_digest(manifest: Manifest) -> str | None:
    """Return the digest of the file if this very tuning has written it; None if there is no file.

    Raises:
        ManifestError: the file is of another tuning, or is none.
    """
    section = section_of(manifest)
    path = project_path(section.file)
    if not path.exists():
        return None
    try:
        data = path.read_bytes()
        if parse_tuning(data).experiment == tuning_digest(manifest):
            return sha256_bytes(data)
        fault = "the attempts of another experiment, or of another grid"
    except (OSError, ValueError, RecursionError) as error:
        fault = str(error)
    raise ManifestError(
        f"{section.file} exists already",
        expected="no file, or that of this tuning",
        found=fault,
        remedy="nothing was changed. Use --again to replace it, or name another tune.file",
    )


def judge_attempts(manifest: Manifest, result: Path) -> Tuning:
    """Measure each attempt's distance to Retain-only and choose.

    Args:
        manifest: the manifest, with its section `[tune]`.
        result: a finished result of its attempts.

    Raises:
        ManifestError: the result is of another experiment, or its systems were asked about records
            that are reported.
        VerificationError: the numbers of the result do not follow from its answers.
    """
    section = section_of(manifest)
    stored = read_result(result, pages=False)
    _require_attempts(manifest, stored, result)
    found = recompute(stored)
    lines = contents_of(found).facts["whole"]["lines"]
    jobs = as_run(stored.run).get("jobs", [])
    systems = entries(stored.systems)
    attempts = [
        _tried(each, systems[each.name], lines, jobs, found.measured)
        for each in attempts_of(section)
    ]
    return Tuning(
        kit=__version__,
        manifest=manifest.name,
        experiment=tuning_digest(manifest),
        rule=RULE,
        words=WORDS,
        seeds=list(section.seeds),
        answers=sha256_bytes((result / ANSWERS).read_bytes()),
        rows=sha256_bytes((result / ROWS).read_bytes()),
        attempts=attempts,
        choices=choose(attempts),
        validation=sorted(stored.tables[RECORDS]["id"]),
    )


def write_tuning(manifest: Manifest, tuning: Tuning) -> str:
    """Write the file of a tuning and return its SHA-256."""
    path = project_path(section_of(manifest).file)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = readable_json(tuning.as_json())
    write_bytes(path, data)
    return sha256_bytes(data)


def _require_attempts(manifest: Manifest, stored: StoredResult, result: Path) -> None:
    tune = stored.manifest.get("tune")
    if not isinstance(tune, dict) or tune.get("asks") != "validation":
        raise ManifestError(
            f"the systems of {result} were asked about records that are reported",
            expected="a result of ./run.sh tune: its systems are asked about the validation part",
            found="a choice made on its numbers would be tested on the records that made it",
            remedy="leave --from out to train and ask the attempts",
        )
    ran, own = attempts_digest(stored.manifest), tuning_digest(manifest)
    if ran != own:
        raise ManifestError(
            f"{result} is not of the attempts of manifest {manifest.name}",
            expected="the same grid, seeds, data, models, training and evaluation: their digest is "
            f"{own[:16]}",
            found=f"the digest {ran[:16]}",
            remedy="leave --from out to train the attempts of this manifest",
        )


def _tried(
    attempt: Attempt,
    systems: Sequence[System],
    lines: Sequence[WholeLine],
    jobs: Sequence[Job],
    measured: Measured,
) -> Tried:
    distances = {}
    for line in lines:
        if line["entry"] == attempt.name:
            gap = line["gap"]
            if gap["value"] is None:
                raise VerificationError(
                    f"the attempt {attempt.name} has no distance to Retain-only for the target "
                    f"{line['target']}",
                    expected="a distance for each target: attempts are chosen by it",
                    found=gap["reason"],
                    remedy="tune on a benchmark whose columns have values, or remove [tune]",
                )
            distances[line["target"]] = gap["value"]
    names = {system["name"] for system in systems}
    own = [job for job in jobs if job["name"] in names]
    return Tried(
        entry=attempt.entry,
        name=attempt.name,
        learning_rate=attempt.learning_rate,
        option=attempt.option,
        value=attempt.value,
        distances=distances,
        distance=mean_distance(distances),
        fault="; ".join(_faults(systems, measured)),
        steps=sum(job.get("steps") or 0 for job in own),
        forward_passes=sum(job.get("forward_passes") or 0 for job in own),
    )


def _faults(systems: Sequence[System], measured: Measured) -> Iterator[str]:
    """Yield why the answers of a system are broken, for each system whose are."""
    for system in systems:
        assert system["target"] is not None, "an attempt forgets one target"
        if why := unsound(system["name"], system["target"], measured):
            yield f"the answers of {system['name']} are broken: {why}"
