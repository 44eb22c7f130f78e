"""The parts of report.json beside its tables: their types, and those read off rows and run.json."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NotRequired, TypedDict

import pandas as pd

from kit.experiment.systems import VANILLA
from kit.metrics.definition import Definition
from kit.metrics.rows import RecordSet
from kit.metrics.system_metric import SystemMetric
from kit.report.attacks import Attacks
from kit.report.costs import MethodCosts
from kit.report.further import FurtherTable
from kit.report.health import Health
from kit.report.run_types import Attempt, Job, LeftOut, Manifest, Run, Stage
from kit.report.samples import Sample
from kit.report.tuning import TuningFacts
from kit.report.whole import Whole
from kit.result.run_file import System


class ColumnFacts(TypedDict):
    """A printed column: its headline metric, records, measured answers `n`, and clusters.

    `few` marks too few clusters for a good interval. A column without a value has n 0 and a reason.
    """

    target: str
    part: str
    column: str
    metric: str
    records: int
    n: int
    clusters: int
    few: bool
    reason: str


class DefinitionFacts(TypedDict):
    """A metric as the report explains it."""

    id: str
    sentence: str
    unit: str
    better: str


class SourceFacts(TypedDict):
    """Where a source came from; None where run.json does not state it."""

    name: str | None
    origin: str | None
    revision: str | None
    licence: str | None
    locked: bool | None
    list_digest: str | None


class Facts(TypedDict):
    """Everything in a report beside its tables, as JSON values.

    Reports of schema 1 lack what is not required. `left_out` is there if run.json has it, `further`
    if its manifest asks for further metrics, `attacks` if systems were attacked, `tuning` if it has
    a section `[tune]`.
    """

    kit_version: str
    title: str
    manifest: Manifest
    manifest_digest: str
    glance: list[str]
    claims: Sequence[Mapping[str, object]]
    columns: list[ColumnFacts]
    definitions: list[DefinitionFacts]
    rule: str
    health: Health
    samples: list[Sample]
    stages: list[Stage]
    methods: list[MethodCosts]
    guards: Mapping[str, object]
    attempts: Sequence[Attempt]
    environment: Mapping[str, object]
    systems: Sequence[System]
    jobs: Sequence[Job]
    sources: list[SourceFacts]
    comparability: list[str]
    eligibility: NotRequired[list[dict[str, object]]]
    whole: NotRequired[Whole]
    attacks: NotRequired[Attacks]
    left_out: NotRequired[list[LeftOut]]
    further: NotRequired[list[FurtherTable]]
    tuning: NotRequired[TuningFacts]


def column_facts(rows: pd.DataFrame, sets: Sequence[RecordSet], few: int) -> list[ColumnFacts]:
    """Return the facts of each printed column, as Vanilla was measured in it.

    `few` is the number of clusters below which an interval is marked.
    """
    sizes = {(each.target, each.part, str(each.column)): len(each.ids) for each in sets}
    vanilla = rows[rows["headline"] & (rows["method"] == VANILLA)]
    names = ["target", "part", "column", "metric", "version", "n", "clusters", "reason"]
    return [
        ColumnFacts(
            target=target,
            part=part,
            column=column,
            metric=f"{metric}/{version}",
            records=sizes.get((target, part, column), 0),
            n=n,
            clusters=clusters,
            few=0 < clusters < few,
            reason=reason,
        )
        for target, part, column, metric, version, n, clusters, reason in vanilla[names].itertuples(
            index=False, name=None
        )
    ]


def definition_facts(
    rows: pd.DataFrame, definitions: Iterable[Definition | SystemMetric]
) -> list[DefinitionFacts]:
    """Return the definitions that occur in the rows, in the given order."""
    used = set(rows["metric"])
    return [
        {"id": each.id, "sentence": each.sentence, "unit": each.unit, "better": each.better}
        for each in definitions
        if each.name in used
    ]


def source_facts(run: Run) -> list[SourceFacts]:
    """Return where the data and the base model came from."""
    return [
        {
            "name": source.get("name"),
            "origin": source.get("origin"),
            "revision": source.get("revision"),
            "licence": source.get("licence"),
            "locked": source.get("locked"),
            "list_digest": source.get("list_digest"),
        }
        for source in run.get("sources", [])
    ]
