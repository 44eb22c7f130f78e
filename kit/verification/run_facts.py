"""The facts in run.json that no number follows from, but that pages and cards print.

Each has one type. What is missing is told apart: results of earlier versions lack some of them.
A key that is not listed here is refused, but in the result of a later version, which may add one.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import FailFast, Field, StrictBool, StrictStr, ValidationError

from kit import __version__
from kit.names import show
from kit.result.layout import RUN
from kit.result.made_by import FIRST_SCHEMA, Kit, kit_of
from kit.result.run_file import LAYOUT
from kit.result.unusable import unusable
from kit.verification.fact import (
    Amount,
    Bytes,
    Count,
    Digest,
    Fact,
    Moment,
    Positive,
    Text,
    unknown_keys,
)
from kit.verification.machine_facts import DeterminismFacts, EngineFacts, EnvironmentFacts

# The first version whose results have every fact. Earlier honest ones lack some.
COMPLETE = (0, 3, 0)
# Parts of run.json that other checks read: each refuses keys that it does not know.
READ_ELSEWHERE = frozenset(
    {"schema", "manifest", "manifest_digest", "systems", "versions", "tuning", "outside_metric"}
)
KIT_KEYS = frozenset({"version", "revision", "renderer"})
LAYOUT_KEYS = frozenset({"targets", "absent"})


class Lost(Fact):
    """What an interrupted job had to repeat."""

    steps: Count
    forward_passes: Count
    seconds: Amount


class JobFacts(Fact):
    """One adapter's training as run.json records it; None where it was not recorded."""

    name: Text
    stage: Literal["finetune", "unlearn"]
    digest: Digest
    seconds: Amount | None = None
    steps: Count | None = None
    stopped: Text | None = None
    forward_passes: Count | None = None
    peak_memory_bytes: Bytes | None = None
    micro_batch_size: Positive | None = None
    gradient_checkpointing: StrictBool | None = None
    needs: dict[str, StrictBool] | None = None
    determinism: DeterminismFacts | None = None
    lost: Lost | None = None
    alternates: dict[Text, Text] | None = None
    alternates_of_retain_records: list[Text] | None = None


class SourceFacts(Fact):
    """Where data or the base came from."""

    name: Text
    list_digest: Digest
    locked: StrictBool
    origin: Text | None = None
    hosts: dict[str, Count] = Field({})
    repo: Text | None = None
    revision: Annotated[StrictStr, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    licence: Text | None = None
    licence_accepted: dict[str, Text] | None = None
    checksums: Text | None = None


class StageFacts(Fact):
    """What a stage cost."""

    stage: Text
    seconds: Amount | None = None
    peak_memory_bytes: Bytes | None = None
    jobs: Count | None = None
    jobs_skipped: Count | None = None


class AttemptFacts(Fact):
    """One call of a verb, or its end."""

    event: Text
    utc: Moment | None = None
    verb: Text | None = None
    error: Text | None = None
    line: Text | None = None


class AgreementFacts(Fact):
    """What the second implementation found. Kit 0.1.0 wrote `equal`, later ones write nats."""

    sample: Positive
    equal: Count | None = None
    tokens: Count | None = None
    largest_nats: Amount | None = None
    limit_nats: Amount | None = None


class GuardFacts(Fact):
    """What the guards of `evaluate` found: nats for each probed system, and the second look."""

    canary: dict[str, Amount]
    agreement: AgreementFacts


class LeftOutFacts(Fact):
    """Odd rows of one table that were left out for one reason."""

    table: Text
    kind: Text
    count: Positive
    of: Positive
    unit: Text
    first: Text
    published: StrictBool


class AttackFacts(Fact):
    """An attack that was run; `code` is the digest of its source, with all wordings."""

    name: Text
    code: Digest


class RunFacts(Fact):
    """The facts of run.json."""

    written: Moment
    jobs: Annotated[list[JobFacts], FailFast()]
    sources: Annotated[list[SourceFacts], FailFast()]
    stages: Annotated[list[StageFacts], FailFast()]
    attempts: Annotated[list[AttemptFacts], FailFast()]
    environment: EnvironmentFacts
    guards: GuardFacts
    engine: EngineFacts = EngineFacts()
    inputs_digest: Digest | None = None
    left_out: Annotated[list[LeftOutFacts], FailFast()] = Field([])
    attacks: Annotated[list[AttackFacts], FailFast()] = Field([])

    def job(self, name: str) -> JobFacts:
        """Return the job of that name."""
        return next(job for job in self.jobs if job.name == name)


def facts_of(run: Mapping[str, object]) -> RunFacts:
    """Return the facts of a run.json.

    Raises:
        VerificationError: one of them is missing or of another type, or there is a key that this
            version of the kit does not know; it names the first.
    """
    try:
        facts = RunFacts.model_validate(run)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise unusable(RUN, f"{show(place)[:200]}: {first['msg']}") from None
    if not is_later(run) and (unknown := [*_unknown(run, facts)]):
        raise unusable(RUN, f"no result of kit {__version__} or before has a key '{unknown[0]}'")
    return facts


def _unknown(run: Mapping[str, object], facts: RunFacts) -> list[str]:
    """Return the keys of a run.json that this version of the kit does not know, by their place."""
    elsewhere = READ_ELSEWHERE | ({"kit_version"} if run.get("schema") == FIRST_SCHEMA else {"kit"})
    found = [name for name in unknown_keys(facts) if name not in elsewhere | {LAYOUT}]
    for name in ("alternates", "alternates_of_retain_records"):  # of a card alone
        found += (f"jobs.{n}.{name}" for n, job in enumerate(facts.jobs) if getattr(job, name))
    for part, known in (("kit", KIT_KEYS), (LAYOUT, LAYOUT_KEYS)):
        stated = run.get(part)
        found += (
            [f"{part}.{n}" for n in stated if n not in known] if isinstance(stated, dict) else []
        )
    return sorted(found)


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
