"""The facts in run.json that no number follows from, but that pages and cards print.

Each has one type. What is missing is told apart: results of earlier versions lack some of them.
Another key than those listed here may be there, because a later version may add one.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
)

from kit import __version__
from kit.names import show
from kit.result.layout import RUN
from kit.result.made_by import Kit, kit_of
from kit.result.tables import unusable

# The first version whose results have every fact. Earlier honest ones lack some.
COMPLETE = (0, 3, 0)
MAX_TEXT = 2_000  # characters of one fact
Text = Annotated[StrictStr, Field(max_length=MAX_TEXT)]


def _moment(text: str) -> str:
    datetime.fromisoformat(text)
    return text


Moment = Annotated[
    StrictStr, Field(pattern=r"^\d{4}-\d\d-\d\dT[0-9:.+Z-]{5,30}$"), AfterValidator(_moment)
]
Digest = Annotated[StrictStr, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[StrictInt, Field(ge=0, lt=2**63)]
Positive = Annotated[StrictInt, Field(gt=0, lt=2**63)]
# An integer is a number as well, and true is not.
Amount = Annotated[StrictInt | StrictFloat, Field(ge=0)]
Scalar = StrictStr | StrictBool | StrictInt | StrictFloat | None


class _Fact(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)


class Lost(_Fact):
    """What an interrupted job had to repeat."""

    steps: Count
    forward_passes: Count
    seconds: Amount


class JobFacts(_Fact):
    """One adapter's training as run.json records it; None where it was not recorded."""

    name: Text
    stage: Literal["finetune", "unlearn"]
    digest: Digest
    seconds: Amount | None = None
    steps: Count | None = None
    stopped: Text | None = None
    forward_passes: Count | None = None
    peak_memory_bytes: Count | None = None
    micro_batch_size: Positive | None = None
    gradient_checkpointing: StrictBool | None = None
    needs: dict[str, StrictBool] | None = None
    determinism: dict[str, Scalar] | None = None
    lost: Lost | None = None
    alternates: dict[Text, Text] | None = None
    alternates_of_retain_records: list[Text] | None = None


class SourceFacts(_Fact):
    """Where data or the base came from."""

    name: Text
    list_digest: Digest
    locked: StrictBool
    origin: Text | None = None
    hosts: dict[str, Count] = {}
    repo: Text | None = None
    revision: Annotated[StrictStr, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    licence: Text | None = None
    licence_accepted: dict[str, Text] | None = None
    checksums: Text | None = None


class StageFacts(_Fact):
    """What a stage cost."""

    stage: Text
    seconds: Amount | None = None
    peak_memory_bytes: Count | None = None
    jobs: Count | None = None
    jobs_skipped: Count | None = None


class AttemptFacts(_Fact):
    """One call of a verb, or its end."""

    event: Text
    utc: Moment | None = None
    verb: Text | None = None
    error: Text | None = None
    line: Text | None = None


class AgreementFacts(_Fact):
    """What the second implementation found. Kit 0.1.0 wrote `equal`, later ones write nats."""

    sample: Positive
    equal: Count | None = None
    tokens: Count | None = None
    largest_nats: Amount | None = None
    limit_nats: Amount | None = None


class GuardFacts(_Fact):
    """What the guards of `evaluate` found: nats for each probed system, and the second look."""

    canary: dict[str, Amount]
    agreement: AgreementFacts


class EnvironmentFacts(_Fact):
    """Packages and machine."""

    packages: dict[str, Text]
    python: Text | None = None
    platform: Text | None = None
    cpu: Text | None = None
    torch_threads: Positive | None = None
    lock_digest: Digest | None = None
    gpus: list[dict[str, Scalar]] = []


class LeftOutFacts(_Fact):
    """Odd rows of one table that were left out for one reason."""

    table: Text
    kind: Text
    count: Positive
    of: Positive
    unit: Text
    first: Text
    published: StrictBool


class AttackFacts(_Fact):
    """An attack that was run; `code` is the digest of its source, with all wordings."""

    name: Text
    code: Digest


class RunFacts(_Fact):
    """The facts of run.json."""

    written: Moment
    jobs: Annotated[list[JobFacts], FailFast()]
    sources: Annotated[list[SourceFacts], FailFast()]
    stages: Annotated[list[StageFacts], FailFast()]
    attempts: Annotated[list[AttemptFacts], FailFast()]
    environment: EnvironmentFacts
    guards: GuardFacts
    engine: dict[str, Scalar] = {}
    inputs_digest: Digest | None = None
    left_out: Annotated[list[LeftOutFacts], FailFast()] = []
    attacks: Annotated[list[AttackFacts], FailFast()] = []

    def job(self, name: str) -> JobFacts:
        """Return the job of that name."""
        return next(job for job in self.jobs if job.name == name)


def facts_of(run: Mapping[str, object]) -> RunFacts:
    """Return the facts of a run.json.

    Raises:
        VerificationError: one of them is missing or of another type; it names the first.
    """
    try:
        return RunFacts.model_validate(run)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise unusable(RUN, f"{show(place)[:200]}: {first['msg']}") from None


def is_later(run: Mapping[str, object]) -> bool:
    """Say whether a run.json was written by a later version of the kit than this one."""
    return kit_of(run).numbers > Kit(__version__).numbers


def is_early(kit: Kit) -> bool:
    """Say whether a result was made by a kit before 0.3.0, which checked and stated less."""
    return kit.numbers < COMPLETE


def may_lack_facts(kit: Kit, manifest: Mapping[str, object]) -> bool:
    """Say whether a result may lack facts: an early one of which the manifest is only a sketch.

    Such are the small results that earlier versions of the kit were tested with. Every manifest
    that was ever run has a section `evaluation`.
    """
    return is_early(kit) and "evaluation" not in manifest
