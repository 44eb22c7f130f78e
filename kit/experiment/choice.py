"""The file that tuning writes: every attempt, the rule, and what was chosen for each method."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
)

from kit.artifacts import readable_json
from kit.experiment.grid import Attempt, attempts_of
from kit.experiment.settings import TuneSection
from kit.sums import add_up

SCHEMA = "pebench-kit/tuning/1"
MAX_BYTES = 4_000_000  # 200 attempts and 10,000 records have 1 MB
DECIMALS = 6
RULE = 1
WORDS = (
    "Of each method, the attempt closest to Retain-only is chosen. Its distance is the mean, over "
    "all columns of a target, of the absolute difference to Retain-only's value (0-1), on the "
    "validation part; of several targets, the mean. An attempt with broken answers, for any target "
    "or seed, is not chosen (kit.verdicts.soundness). Of equal distances (6 decimals), the smaller "
    "learning rate is chosen, then the value that the manifest names first. A method whose "
    "attempts are all broken stays untuned."
)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class Tried(_Part):
    """One attempt with what was measured.

    `distances` has the distance to Retain-only for each target, `distance` their mean. `fault` says
    why the attempt cannot be chosen, or is "". `steps` and `forward_passes` count all its adapters.
    """

    entry: StrictStr
    name: StrictStr
    learning_rate: StrictFloat | None
    option: StrictStr
    value: StrictBool | StrictInt | StrictFloat | StrictStr | None
    distances: dict[StrictStr, StrictFloat]
    distance: StrictFloat
    fault: StrictStr
    steps: StrictInt
    forward_passes: StrictInt

    @property
    def attempt(self) -> Attempt:
        """Return the point of the grid."""
        return Attempt(self.entry, self.name, self.learning_rate, self.option, self.value)


class Tuning(_Part):
    """The content of the file.

    `choices` maps each tuned method to the name of an attempt, or to None. `validation` are the ids
    of the records that were asked. `experiment` is the digest of what decides the attempts,
    `answers` and `rows` those of the result that the distances follow from.
    """

    schema_: StrictStr = Field(SCHEMA, alias="schema")
    kit: StrictStr
    manifest: StrictStr
    experiment: StrictStr
    rule: StrictInt
    words: StrictStr
    seeds: list[StrictInt]
    answers: StrictStr
    rows: StrictStr
    attempts: list[Tried]
    choices: dict[StrictStr, StrictStr | None]
    validation: list[StrictStr]

    def as_json(self) -> dict[str, Any]:
        """Return the content as JSON values."""
        return self.model_dump(mode="json", by_alias=True)

    def chosen(self, entry: str) -> Attempt | None:
        """Return what was chosen for a method."""
        name = self.choices.get(entry)
        return next((each.attempt for each in self.attempts if each.name == name), None)


def mean_distance(distances: Mapping[str, float]) -> float:
    """Return the mean over the targets."""
    return round(add_up(distances.values()) / len(distances), DECIMALS)


def choose(attempts: Sequence[Tried]) -> dict[str, str | None]:
    """Apply the rule (`WORDS`): return the name of the chosen attempt for each method."""
    best: dict[str, Tried | None] = {}
    for each in attempts:
        other = best.setdefault(each.entry, None)
        if not each.fault and (other is None or _place(each) < _place(other)):
            best[each.entry] = each
    return {entry: found.name if found else None for entry, found in best.items()}


def _place(tried: Tried) -> tuple[float, float]:
    return (round(tried.distance, DECIMALS), tried.learning_rate or 0.0)


def contradiction(tuning: Tuning, section: TuneSection) -> str:
    """Return what of a tuning does not follow from the section or the rule, or ""."""
    if tuning.schema_ != SCHEMA or tuning.rule != RULE:
        return f"it is of schema {tuning.schema_[:40]} and rule {tuning.rule}"
    if [each.attempt for each in tuning.attempts] != list(attempts_of(section)):
        return "its attempts are not those of the grid"
    if list(tuning.seeds) != list(section.seeds):
        return "its seeds are not tune.seeds"
    for each in tuning.attempts:
        if not each.distances or each.distance != mean_distance(each.distances):
            return f"the distance of {each.name} is not the mean of its targets"
        if section.targets and not set(each.distances) <= set(section.targets):
            return f"{each.name} was measured on a target that tune.targets does not name"
    measured: dict[str, set[str]] = {}
    for each in tuning.attempts:
        if measured.setdefault(each.entry, set(each.distances)) != set(each.distances):
            return f"{each.name} was measured on other targets than another attempt of {each.entry}"
        if each.steps < 0 or each.forward_passes < each.steps:
            return f"{each.name} has {each.forward_passes} forward passes in {each.steps} steps"
    if tuning.choices != choose(tuning.attempts):
        return "its choices do not follow from its attempts"
    return ""


def parse_tuning(data: bytes) -> Tuning:
    """Return the content of the file.

    Raises:
        ValueError: it is no such file, or was changed by hand.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES} bytes")
    content = json.loads(data)
    if readable_json(content) != data:
        raise ValueError("it is not written as ./run.sh tune writes it")
    return tuning_of(content)


def tuning_of(content: object) -> Tuning:
    """Return the content under its type.

    Raises:
        ValueError: it has another form; the message names the first place.
    """
    try:
        return Tuning.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))[:200]}: {first['msg']}") from None
