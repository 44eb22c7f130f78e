"""The tables of all systems as one, and what a manifest asks for beside its tables."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kit.artifacts import project_path
from kit.digests import sha256_file
from kit.experiment.disclosure import public_path
from kit.experiment.manifest import Manifest
from kit.metrics.families import names_of_all
from kit.metrics.outside import FACTS, describe, load_metric
from kit.plan.jobs import Plan
from kit.result.layout import GRADIENTS, JUDGED, LIKELIHOODS, READ_BY_VANILLA
from kit.result.stored import FAMILIES
from kit.result.tables import SCHEMAS
from kit.stages.artifact_tables import read_artifact_table

KEYS = ("system", "record_id", "role", "text", "reference", "reply")
OF_TABLES = {GRADIENTS: "gradients", READ_BY_VANILLA: "read", JUDGED: "judged"}


def joined(parts: Sequence[pa.Table], name: str) -> pd.DataFrame:
    """Return the systems' tables as one, sorted by what identifies a row; it may be empty."""
    whole: pd.DataFrame = pa.concat_tables([SCHEMAS[name].empty_table(), *parts]).to_pandas()
    keys = [key for key in KEYS if key in SCHEMAS[name].names]
    return whole.sort_values(keys, ignore_index=True)


def write_table(frame: pd.DataFrame, folder: Path, name: str) -> None:
    """Write a table of a result."""
    table = pa.Table.from_pandas(frame, schema=SCHEMAS[name], preserve_index=False)
    # Without pandas' metadata, a file's bytes depend on its values only.
    pq.write_table(table.replace_schema_metadata(None), folder / name)


def write_scores(plan: Plan, folder: Path) -> None:
    """Write the likelihoods of all systems, and the tables that the manifest asks for."""
    asked = [n for n, family in FAMILIES.items() if family in plan.manifest.evaluation.metrics]
    for name in (LIKELIHOODS, *asked):
        kind = OF_TABLES.get(name, "likelihoods")
        scored = [system.scores[kind] for system in plan.systems if kind in system.scores]
        parts = [read_artifact_table(each, Path(name).name, name) for each in scored]
        write_table(joined(parts, name), folder, name)


def further_scores(plan: Plan) -> dict[str, list[str]]:
    """Return the digests of what is measured beside likelihoods; nothing where nothing is."""
    kinds = {
        kind: [s.scores[kind].digest for s in plan.systems if kind in s.scores]
        for kind in OF_TABLES.values()
    }
    return {kind: digests for kind, digests in kinds.items() if digests}


def outside_metric(manifest: Manifest) -> dict[str, object]:
    """Return what run.json says of a metric from outside; nothing where there is none."""
    name = manifest.evaluation.metric_file
    if name is None:
        return {}
    path = project_path(name)
    metric = load_metric(path, names_of_all())
    return {FACTS: describe(metric, public_path(name), sha256_file(path))}
