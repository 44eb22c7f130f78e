"""Read the file of a tuning, and give each tuned method what was chosen for it."""

from collections.abc import Mapping
from typing import Any

from kit.artifacts import project_path
from kit.digests import sha256_bytes, sha256_value
from kit.errors import ManifestError
from kit.experiment.calibrated import experiment_digest
from kit.experiment.choice import MAX_BYTES, Tuning, contradiction, parse_tuning
from kit.experiment.grid import attempts_manifest
from kit.experiment.manifest import Manifest
from kit.experiment.settings import TuneSection


def tuning_digest(manifest: Manifest) -> str:
    """Return the digest of what decides the attempts of a manifest, and so its choice."""
    return attempts_digest(attempts_manifest(manifest).resolved())


def attempts_digest(resolved: Mapping[str, Any]) -> str:
    """Return the digest of what decides the answers of attempts: not names, nor the file's place.

    Args:
        resolved: the manifest of the attempts, as in the run.json of their result.
    """
    tune = {key: value for key, value in resolved["tune"].items() if key != "file"}
    methods = [{k: v for k, v in each.items() if k != "label"} for each in resolved["methods"]]
    answers = experiment_digest({**resolved, "tune": tune, "methods": methods})
    return sha256_value([answers, resolved["seeds"]])


def read_choice(section: TuneSection, origin: str, where: str = "") -> Tuning:
    """Return the tuning that a manifest names by file and digest.

    Args:
        origin: the manifest, for the remedy.
        where: the file that the section is from, if it is another one.

    Raises:
        ManifestError: the file is missing, has another digest, or contradicts itself.
    """
    path = project_path(section.file)
    remedy = (
        f'./run.sh tune {origin} writes the file and prints its digest; with `digest = ""` in '
        "[tune], all methods are untuned"
    )
    try:
        if path.stat().st_size > MAX_BYTES or not path.is_file():
            raise ValueError("not a file of a plausible size")
        data = path.read_bytes()
        if (digest := sha256_bytes(data)) != section.digest:
            raise ValueError(f"its SHA-256 is {digest}")
        tuning = parse_tuning(data)
        if fault := contradiction(tuning, section):
            raise ValueError(fault)
    except (OSError, ValueError, RecursionError) as error:
        raise ManifestError(
            f"{where or origin}: {section.file} is not the file that tune.digest names",
            expected=f"the attempts and the choice, SHA-256 {section.digest}",
            found=error.strerror if isinstance(error, OSError) else error,
            remedy=remedy,
        ) from None
    return tuning


def with_choice(manifest: Manifest, origin: str) -> Manifest:
    """Give each tuned method what was chosen for it; without `tune.digest`, change nothing.

    Args:
        manifest: a validated manifest.
        origin: its file, for remedies.

    Raises:
        ManifestError: the file is not the one that the digest names, or it is of another
            experiment.
    """
    section = manifest.tune
    if section is None or not section.digest:
        return manifest
    where = manifest.origin_of("tune.file", "tune.digest")
    tuning = read_choice(section, origin, where)
    if tuning.experiment != (own := tuning_digest(manifest)):
        raise ManifestError(
            f"{where}: {section.file} was made for another experiment",
            expected="data, split, models, methods, training and evaluation of this manifest: "
            f"their digest is {own[:16]}",
            found=f"the digest {tuning.experiment[:16]}",
            remedy=f"tune again: `./run.sh tune {origin} --again`; or write `digest = ''` in "
            "[tune], and all methods are untuned",
        )
    changed = {entry.name: tuning.chosen(entry.name) for entry in manifest.methods}
    methods = tuple(
        found.applied(entry) if (found := changed[entry.name]) else entry
        for entry in manifest.methods
    )
    return manifest.model_copy(update={"methods": methods})


def run_entry(manifest: Manifest) -> dict[str, object]:
    """Return what run.json says of tuning: the content of the file; nothing where none is named."""
    section = manifest.tune
    if section is None or not section.digest:
        return {}
    return {"tuning": read_choice(section, manifest.name).as_json()}
