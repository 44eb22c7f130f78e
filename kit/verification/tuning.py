"""Hold the tuning in run.json against the manifest: grid, choice, applied values and records."""

from collections.abc import Iterator, Mapping

import pandas as pd
from pydantic import BaseModel, StrictFloat, StrictInt, StrictStr, ValidationError

from kit import __version__
from kit.artifacts import readable_json
from kit.digests import sha256_bytes
from kit.errors import ManifestError
from kit.experiment.choice import Tuning, contradiction, tuning_of
from kit.experiment.manifest_file import parse_manifest
from kit.experiment.settings import TuneSection
from kit.experiment.tuned import tuning_digest
from kit.result.layout import RUN
from kit.result.made_by import Kit
from kit.result.unusable import unusable
from kit.verification.contradiction import NAMED, contradicts


class _Method(BaseModel):
    name: StrictStr
    learning_rate: StrictFloat | None = None
    options: dict[str, object] = {}


class _Manifest(BaseModel):
    seeds: list[StrictInt]
    methods: list[_Method]
    tune: TuneSection


def check_tuning(run: Mapping[str, object], records: pd.DataFrame) -> Iterator[str]:
    """Check that the choice follows from the attempts, and that no record of tuning is reported.

    Args:
        run: the content of run.json.
        records: the records that a column asks.

    Yields:
        What holds; nothing where the manifest has no section `[tune]`.

    Raises:
        VerificationError: the tuning is not the one that the manifest names, its choice does not
            follow from its attempts, the methods have other values, or a seed or record of tuning
            is reported.
    """
    manifest = run["manifest"]
    assert isinstance(manifest, dict), "kit.result.run_file has read settings from it"
    stated = run.get("tuning")
    if manifest.get("tune") is None:
        if stated is not None:
            raise unusable(RUN, "it has a tuning that its manifest does not name")
        return
    try:
        asked = _Manifest.model_validate(manifest)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))[:200]
        raise unusable(RUN, f"manifest.{place}: {first['msg']}") from None
    section = asked.tune
    if section.asks == "validation":
        yield "the systems were asked about the validation part: this is a tuning, not a report"
        return
    if not section.digest:
        if stated is not None:
            raise unusable(RUN, "it has a tuning that its manifest does not name")
        yield "no method is tuned"
        return
    try:
        tuning = tuning_of(stated)
    except ValueError as error:
        raise unusable(RUN, f"its tuning: {error}") from None
    if faults := list(_faults(asked, section, tuning, stated, records)):
        raise contradicts(
            f"the tuning in {RUN} is not the one that its manifest asks for",
            "the attempts of the grid, the choice that follows from them, and no record or seed of "
            "tuning in the report",
            faults,
        )
    tuned = sum(name is not None for name in tuning.choices.values())
    yield (
        f"the choice for {tuned} methods follows from {len(tuning.attempts)} attempts; none of "
        f"their {len(tuning.validation)} records is reported"
    )


def require_own_tuning(run: Mapping[str, object], kit: Kit) -> Iterator[str]:
    """Check that a tuning was made for the experiment of the manifest, and not for another one.

    Yields:
        A line where this cannot be told: the manifest of another version of the kit may have had
        other keys.

    Raises:
        VerificationError: a result of this version has the tuning of another experiment.
    """
    stated, manifest = run.get("tuning"), run["manifest"]
    if not isinstance(stated, dict) or not isinstance(manifest, dict):
        return
    try:
        right = tuning_digest(parse_manifest(dict(manifest), RUN))
    except ManifestError:
        right = ""
    if stated.get("experiment") == right:
        return
    said = "the tuning was made for another experiment than that of the manifest"
    if kit.numbers != Kit(__version__).numbers or not right:
        yield f"{said}, or this kit, {__version__}, reads the manifest of kit {kit} in another way"
        return
    raise contradicts(
        f"{said} in {RUN}",
        "attempts with its data, split, models, methods, training and evaluation",
        [f"experiment is {str(stated.get('experiment'))[:80]}, not {right}"],
    )


def _faults(
    asked: _Manifest, section: TuneSection, tuning: Tuning, stated: object, records: pd.DataFrame
) -> Iterator[str]:
    if sha256_bytes(readable_json(stated)) != section.digest:
        yield "it has another digest than tune.digest"
    if fault := contradiction(tuning, section):
        yield fault
    if shared := sorted(set(section.seeds) & set(asked.seeds)):
        yield f"the seed {shared[0]} is one of tuning and is reported"
    both = sorted(set(tuning.validation) & set(records["id"]))
    yield from (f"{name} is a record of tuning and is reported" for name in both[:NAMED])
    entries = {entry.name: entry for entry in asked.methods}
    for name in section.methods:
        chosen, entry = tuning.chosen(name), entries.get(name)
        if entry is None:
            yield f"{name} is tuned and is no method of the manifest"
        elif chosen is not None:
            if entry.learning_rate != chosen.learning_rate:
                yield f"{name} has another learning rate than was chosen: {entry.learning_rate}"
            if chosen.option and entry.options.get(chosen.option) != chosen.value:
                yield f"{name} has another {chosen.option} than was chosen"
