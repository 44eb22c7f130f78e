"""Read a manifest from its TOML file; whatever is wrong is named with its place and a remedy."""

import os
import re
import tomllib
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kit.artifacts import PROJECT
from kit.errors import ManifestError
from kit.experiment.calibrated import with_equivalence
from kit.experiment.changes import apply_changes, toml_fault
from kit.experiment.claim_lists import expanded_claims
from kit.experiment.explained import not_valid, refusal, value_at
from kit.experiment.grid import require_fair
from kit.experiment.inherited import ADD, lengthened, merged
from kit.experiment.judge import require_judge
from kit.experiment.manifest import Manifest, SourceSection
from kit.experiment.named_files import read_manifest_text, require_near, source_places
from kit.experiment.origins import Origins
from kit.experiment.own_settings import require_batches, require_own_settings
from kit.experiment.seed_sets import require_disjoint_seeds
from kit.experiment.tuned import with_choice
from kit.experiment.values import misread
from kit.names import name_fault
from kit.texts import EXPECTED, NotText

EXTENDS = "extends"


def load_manifest(
    path: Path, *, changes: Sequence[str] = (), calibrated: bool = True, tuned: bool = True
) -> Manifest:
    """Read and validate a manifest; a relative path may start here or at the project's root.

    One that begins with `extends = "other.toml"` says only what differs from the other, and may add
    to lists of the other under `[add]`.

    Args:
        path: the TOML file.
        changes: `key=value` each, as if the file said so.
        calibrated: give claims the `equivalence` that the file of `[calibration]` has for them.
        tuned: give methods the values that the file of `[tune]` has for them.

    Raises:
        ManifestError: the file is missing, is not TOML, has a key or value that is not valid, or
            names files outside the project and its own folder; or the file of its calibration or
            of its tuning does not fit.
    """
    # A path that is too long exists nowhere; `Path.exists` would raise.
    path = path if os.path.exists(path) or path.is_absolute() else PROJECT / path
    document, origins = _with_base(_read(path), path)
    # Keys are changed in a copy: the errors name what the files say.
    document = deepcopy(document)
    origins = replace(origins, changes=apply_changes(document, changes))
    manifest = parse_manifest(document, origins)
    require_near(manifest, path)
    manifest = with_choice(manifest, str(path)) if tuned else manifest
    changed = bool(changes) and ("claims",) not in origins.changes
    return with_equivalence(manifest, str(path), changed=changed) if calibrated else manifest


def _with_base(document: dict[str, Any], path: Path) -> tuple[dict[str, Any], Origins]:
    """Return a manifest with what it inherits, and where its keys were written."""
    if EXTENDS not in document:
        return document, Origins(str(path))
    own = dict(document)
    named, added = own.pop(EXTENDS), own.pop(ADD, {})
    plain = isinstance(named, str) and not name_fault(named)
    base = _read(path.parent / named) if plain else {}
    if not base or EXTENDS in base:
        raise ManifestError(
            f"{path}: `{EXTENDS}` is not valid",
            expected="the name of a manifest beside this one that extends no other",
            found=repr(named),
            remedy="write the whole manifest, or extend another",
        )
    whole = lengthened(merged(base, own), added, str(path))
    return whole, Origins(str(path), own, added, str(path.parent / named), base)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_manifest_text(path))
    except FileNotFoundError:
        near = path.parent if path.parent not in (PROJECT, Path()) else PROJECT / "manifests"
        known = sorted(found.name for found in near.glob("*.toml"))
        raise ManifestError(
            f"manifest {path} does not exist",
            expected=", ".join(known) or "a file *.toml",
            found="no such file",
            remedy="name a file of manifests/",
        ) from None
    except NotText as error:
        raise ManifestError(
            f"{path} is not a TOML file", expected=EXPECTED, found=error.found, remedy=error.remedy
        ) from None
    except (ValueError, RecursionError) as error:
        raise ManifestError(
            f"{path} is not a TOML file",
            expected="TOML: keys, values and tables",
            found=toml_fault(error),
            remedy="compare with manifests/smoke.toml",
        ) from None
    except OSError as error:
        raise ManifestError(
            f"manifest {path} cannot be read",
            expected="a readable TOML file",
            found=error.strerror,
            remedy="name a file of manifests/",
        ) from None


def parse_manifest(document: dict[str, Any], origin: Origins | str) -> Manifest:
    """Validate a manifest given as plain values; `origin` names it, or its files, in errors."""
    origins = Origins(origin) if isinstance(origin, str) else origin
    try:
        claims = {"claims": expanded_claims(document, origins)} if "claims" in document else {}
        manifest = Manifest.model_validate({**document, **claims}).from_files(origins)
    except ValidationError as error:
        # A misspelt key is also a missing one; the first of the two says what to do.
        errors = sorted(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        raise refusal(errors[0], document, origins) from None
    for place, expected in misread(document, manifest.model_dump()):
        raise not_valid(place, expected, value_at(document, place), origins)
    _check_names(manifest)
    require_disjoint_seeds(manifest)
    require_fair(manifest)
    keys = ("judge.prompt", "judge.replies") if manifest.judge else ("evaluation.metrics",)
    require_judge(manifest.judge, manifest.evaluation.metrics, manifest.origin_of(*keys))
    return manifest


def _check_source(source: SourceSection, origin: str) -> None:
    given = [name for name in ("embedded", "folder", "repo") if getattr(source, name)]
    if len(given) > 1 or not (given or source.mirrors):
        raise ManifestError(
            f"{origin}: source '{source.name}' needs exactly one origin",
            expected="one of embedded, folder and repo, or mirrors alone",
            found=", ".join(given) or "none",
            remedy="keep one of them; manifests/README.md describes the keys of [[sources]]",
        )


def _check_names(manifest: Manifest) -> None:
    origin_of = manifest.origin_of
    for place, source in source_places(manifest):
        _check_source(source, origin_of(place))
    try:
        re.compile(manifest.model.lora_modules or "")
    except re.error as error:
        raise ManifestError(
            f"{origin_of('model.lora_modules')}: model.lora_modules is not a regular expression",
            expected="a regular expression of Python",
            found=f"{manifest.model.lora_modules!r}: {error}",
            remedy="compare with manifests/smoke.toml",
        ) from None
    if (manifest.evaluation.serving, manifest.model.compute_dtype) == ("merged", "bfloat16"):
        where = origin_of("evaluation.serving", "model.compute_dtype")
        raise ManifestError(
            f"{where}: evaluation.serving = 'merged' needs model.compute_dtype = 'float32'",
            expected="a type in which weights hold small updates",
            found="bfloat16, which rounds updates below 0.4 % of a weight away",
            remedy="set evaluation.serving = 'adapters'",
        )
    _check_doubled(manifest)
    for number, entry in enumerate(manifest.methods):
        if missing := set(entry.targets) - set(manifest.targets):
            where = origin_of(f"methods.{number}")
            raise ManifestError(
                f"{where}: method '{entry.name}' has target '{min(missing)}'",
                expected=f"one of {', '.join(manifest.targets)}",
                found=f"'{min(missing)}'",
                remedy="add it to `targets` or remove it from the method; of a manifest that "
                "yours extends: write [[methods]] of your own",
            )
    require_batches(manifest)
    require_own_settings(manifest)


def _check_doubled(manifest: Manifest) -> None:
    numbered: dict[str, Sequence[object]] = {
        "methods.name": [entry.name for entry in manifest.methods],
        "seeds": manifest.seeds,
        "targets": manifest.targets,
        "probes.name": [probe.name for probe in manifest.probes],
    }
    named: dict[str, list[tuple[str, object]]] = {
        kind: [(f"{kind.partition('.')[0]}.{number}", value) for number, value in enumerate(values)]
        for kind, values in numbered.items()
    }
    named["evaluation.metrics"] = [("evaluation.metrics", n) for n in manifest.evaluation.metrics]
    named["sources.name"] = [(place, each.name) for place, each in source_places(manifest)]
    for kind, pairs in named.items():
        places: dict[object, list[str]] = {}
        for place, value in pairs:
            places.setdefault(value, []).append(place)
        doubled = {str(value): found for value, found in places.items() if len(found) > 1}
        if doubled:
            first = min(doubled)
            where = manifest.origin_of(*doubled[first])
            raise ManifestError(
                f"{where}: {kind} has {', '.join(sorted(doubled))} twice",
                expected="each once",
                found=", ".join(str(value) for _, value in pairs),
                remedy="write each once",
            )
