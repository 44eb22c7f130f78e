"""The predicate of a result's statement: what was run and which claims hold, field by field.

It repeats parts of run.json and claims.json and adds nothing, so a verifier can recompute it and it
cannot contradict them. kit/schemas/ contains its JSON schema and its description.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError

from kit.errors import VerificationError
from kit.result.layout import CLAIMS, RUN
from kit.result.made_by import kit_of
from kit.result.strict_json import parse_json

PREDICATE_TYPE = "urn:pebench-kit:results:v2"
Sha256 = Field(pattern="^[0-9a-f]{64}$", description="64 hexadecimal digits.")
Given = TypeVar("Given", bound=BaseModel)
Outcome = Literal["REPRODUCED", "NOT_REPRODUCED", "INCONCLUSIVE", "SKIPPED"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Digest(_Part):
    """A digest set of in-toto with the one algorithm that the kit uses."""

    sha256: str = Sha256


class Manifest(_Part):
    """The experiment."""

    name: str = Field(description="The manifest's name.")
    digest: Digest = Field(
        description="Of the resolved manifest as JSON with sorted keys and no spaces."
    )


class Source(_Part):
    """Data or weights that were used."""

    name: str = Field(description="The source's name in the manifest.")
    digest: Digest = Field(description="Of the source's checksum list, which pins every byte.")
    locked: bool = Field(
        description="Whether the list was committed; if not, the run listed what it found."
    )


class Claim(_Part):
    """One claim of the manifest and what became of it; values are shares or their differences."""

    id: str = Field(description="The claim's id in the manifest.")
    verdict: Outcome = Field(description="Only REPRODUCED is a pass.")
    threshold: float = Field(description="The value beyond which the claim holds, margin included.")
    margin: float = Field(description="The margin that the manifest declared in advance.")
    value: float | None = Field(
        description="The measured value or difference; null where there is none."
    )
    low: float | None = Field(description="Lower end of the 90 % interval; null without one.")
    high: float | None = Field(description="Upper end of the 90 % interval; null without one.")
    n: int = Field(ge=0, description="Number of records behind the value.")


class Predicate(_Part):
    """The predicate of type urn:pebench-kit:results:v2."""

    manifest: Manifest = Field(description="What was run.")
    kit_version: str = Field(description="The version of the kit that made the result.")
    environment: dict[str, str | int | float | bool | None] = Field(
        description="The entries of run.json's environment that are one value: Python, processor, "
        "threads, image and the digest of the package lock. The list of packages stays in run.json."
    )
    sources: list[Source] = Field(description="All data and weights.")
    systems: list[str] = Field(description="The names of the evaluated systems.")
    claims: list[Claim] = Field(
        description="All claims of the manifest with their verdicts, in its order."
    )


class _Given(BaseModel):
    """The parts of a file that the predicate repeats; other parts are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False)


class _Named(_Given):
    name: str


class _Listed(_Named):
    list_digest: str
    locked: bool


class _Run(_Given):
    manifest: _Named
    manifest_digest: str
    environment: dict[str, object]
    sources: Annotated[list[_Listed], FailFast()]
    systems: Annotated[list[_Named], FailFast()]


class _Claim(Claim):
    model_config = ConfigDict(extra="ignore")


class _ClaimsFile(_Given):
    claims: Annotated[list[_Claim], FailFast()]


def predicate(run: Mapping[str, object], claims: bytes | None) -> dict[str, object]:
    """Return the predicate that follows from run.json and claims.json.

    The digest of a source is that of its checksum list, which pins all its bytes.

    Raises:
        ValueError: a part is missing or of another type; the message names it.
    """
    given = _read(_Run, run, RUN)
    judged = [] if claims is None else _read(_ClaimsFile, _parsed(claims), CLAIMS).claims
    try:
        return Predicate(
            manifest=Manifest(
                name=given.manifest.name, digest=Digest(sha256=given.manifest_digest)
            ),
            kit_version=_version(run),
            environment={
                name: value
                for name, value in given.environment.items()
                if value is None or isinstance(value, str | int | float | bool)
            },
            sources=[
                Source(name=s.name, digest=Digest(sha256=s.list_digest), locked=s.locked)
                for s in given.sources
            ],
            systems=[system.name for system in given.systems],
            claims=[Claim(**claim.model_dump()) for claim in judged],
        ).model_dump()
    except ValidationError as error:
        raise _named(RUN, error) from None


def _version(run: Mapping[str, object]) -> str:
    try:
        return kit_of(run).version
    except VerificationError as error:
        raise ValueError(f"{error.what}: {error.found}") from None


def _parsed(claims: bytes) -> object:
    try:
        return parse_json(claims)
    except ValueError as error:
        raise ValueError(f"{CLAIMS}: {error}") from None


def _read(kind: type[Given], value: object, name: str) -> Given:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise _named(name, error) from None


def _named(name: str, error: ValidationError) -> ValueError:
    first = error.errors(include_input=False)[0]
    return ValueError(f"{name}: {'.'.join(map(str, first['loc']))}: {first['msg']}")


def schema() -> dict[str, object]:
    """Return the JSON schema of the predicate, as kit/schemas/ holds it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": PREDICATE_TYPE,
        **Predicate.model_json_schema(),
    }
