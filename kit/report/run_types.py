"""The parts of run.json, card.json and claims.json that reports, cards and the crate read.

The types say what the kit writes. They are not checked here: a file that breaks them ends in a
LookupError, TypeError, ValueError or AttributeError, which `verify` reports as an unusable file.
"""

from collections.abc import Mapping
from typing import NotRequired, TypedDict, cast

from kit.result.run_file import System


class SourceSection(TypedDict):
    """A source of the manifest, as far as the crate needs it."""

    name: str
    repo: str | None
    repo_type: str


class ModelSection(TypedDict):
    """The base model of the manifest."""

    source: SourceSection
    lora_modules: str | None
    quantization: str


class MethodSection(TypedDict):
    """A method of the manifest; None where it takes the value of the section `unlearn`."""

    name: str
    label: str
    method: str
    targets: list[str]
    steps: int | None
    learning_rate: float | None
    stop: str | None
    options: Mapping[str, object]
    batch_size: NotRequired[int]
    micro_batch_size: NotRequired[int]
    update: NotRequired[str]
    rank: NotRequired[int]
    alpha: NotRequired[float]


class BenchmarkSection(TypedDict):
    """The benchmark of the manifest."""

    loader: str


class SplitSection(TypedDict):
    """The split of the manifest."""

    forget_percent: int
    seed: int


class ReportSection(TypedDict):
    """How intervals are drawn."""

    bootstrap_draws: int
    seed: int


class AttackEntry(TypedDict):
    """An attack of the manifest."""

    name: str
    label: str
    attack: str
    levels: list[float]


class AttackSection(TypedDict):
    """The attacks of the manifest."""

    entries: list[AttackEntry]


class Manifest(TypedDict):
    """The resolved manifest, as far as reports read it."""

    name: str
    title: NotRequired[str]
    benchmark: BenchmarkSection
    model: ModelSection
    sources: list[SourceSection]
    methods: list[MethodSection]
    split: SplitSection
    report: ReportSection
    finetune: Mapping[str, object]
    unlearn: Mapping[str, object]
    attack: NotRequired[AttackSection]
    judge: NotRequired[ModelSection]
    tune: NotRequired[Mapping[str, object]]


class Source(TypedDict):
    """Where the data or the base model came from."""

    name: str
    origin: str
    repo: str | None
    revision: str | None
    licence: str
    locked: bool
    list_digest: str


class Lost(TypedDict):
    """What steps cost that an interrupted job had to repeat."""

    steps: int
    forward_passes: int
    seconds: float


class Job(TypedDict):
    """One job with its costs; a cost that was not recorded is None or missing."""

    name: str
    stage: str
    digest: str
    seconds: NotRequired[float | None]
    steps: NotRequired[int | None]
    forward_passes: NotRequired[int | None]
    peak_memory_bytes: NotRequired[int | None]
    stopped: NotRequired[str | None]
    lost: NotRequired[Lost | None]


class Stage(TypedDict):
    """One stage with its costs."""

    stage: str
    seconds: NotRequired[float | None]
    peak_memory_bytes: NotRequired[int | None]
    jobs: NotRequired[int | None]
    jobs_skipped: NotRequired[int | None]


class Attempt(TypedDict):
    """One call of a verb; `utc` is when it began."""

    utc: NotRequired[str]


class LeftOut(TypedDict):
    """Rows of one table that were left out for one reason (`kit.benchmarks.left_out`)."""

    table: str
    kind: str
    count: int
    of: int
    unit: str
    first: str
    published: bool


class Run(TypedDict):
    """run.json; `kit.result.made_by` reads which kit wrote it."""

    manifest: Manifest
    manifest_digest: str
    written: str
    systems: list[System]
    sources: list[Source]
    jobs: NotRequired[list[Job]]
    stages: NotRequired[list[Stage]]
    attempts: NotRequired[list[Attempt]]
    guards: NotRequired[Mapping[str, object]]
    environment: NotRequired[Mapping[str, object]]
    left_out: NotRequired[list[LeftOut]]
    tuning: NotRequired[Mapping[str, object]]


class Card(TypedDict):
    """card.json of an adapter; `target` is None for the vanilla model."""

    name: str
    stage: str
    target: str | None
    seed: int
    steps: int
    stopped: str | None
    needs: Mapping[str, bool]
    digest: str


class Claim(TypedDict):
    """One entry of claims.json; `value`, `low` and `high` are in the metric's own unit."""

    id: str
    verdict: str
    reason: str
    text: str
    location: str
    cost: str
    kind: str
    target: str
    part: str
    column: str
    metric: str
    system: str
    other: str | None
    other_target: str | None
    unit: str
    direction: str
    threshold: float
    margin: float
    value: float | None
    low: float | None
    high: float | None
    n: int
    clusters: int
    units: int
    seeds: int
    detectable: float | None
    forgetting: NotRequired[bool]
    other_part: NotRequired[str | None]
    other_metric: NotRequired[str | None]
    share: NotRequired[float | None]
    published: NotRequired[float | None]
    sign: NotRequired[str]
    size: NotRequired[float | None]
    attack: NotRequired[str]
    level: NotRequired[float]


def as_run(content: Mapping[str, object]) -> Run:
    """Return the content of run.json under its type; nothing is checked."""
    return cast(Run, content)


def as_card(content: Mapping[str, object]) -> Card:
    """Return the content of card.json under its type; nothing is checked."""
    return cast(Card, content)
