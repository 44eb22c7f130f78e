"""A result in the form of Every Eval Ever 0.3.0: one model, one file of aggregates.

Its schema is `eval.schema.json` of the PyPI package every_eval_ever 0.3.0 (MIT). Each system of the
result is one model. Its name begins with `pebench-kit`, because no organisation publishes it.
Everything follows from the signed files; the names of files follow from their digests.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pandas as pd

from kit.digests import canonical_json, sha256_bytes, sha256_value
from kit.exchange.every_eval_ever_samples import sample_lines
from kit.exchange.exported import Exported
from kit.exchange.facts import engine_of
from kit.result.run_file import System, entry_of
from kit.result.tables import ROW_TYPES

VERSION = "0.3.0"
LIBRARY, DEVELOPER = "pebench-kit", "pebench-kit"
LONGEST_NAME = 120  # characters of a folder's name
UNKNOWN = "unknown"
CORRECT = "is_correct says whether the score is the best that the metric can have"
RESULT_ID = "{target}/{part}/{column}/{metric}/{version}"


def every_eval_ever(exported: Exported) -> Iterator[tuple[str, bytes]]:
    """Yield (path, bytes) of two files for each system: its aggregates, and one line an answer.

    Aggregates are all rows of the system that have a value. Lines are of the headline metrics.
    """
    run = exported.run
    table = exported.stored.rows.to_pandas().astype(ROW_TYPES)
    rows = dict(list(table.groupby("system")))
    digest = sha256_value(dict(exported.digests))
    benchmark = _folder_name(str(run["manifest"]["benchmark"]["loader"]))
    for system in exported.stored.systems:
        model = f"{DEVELOPER}/{_folder_name(exported.run_name + '_' + system['name'])}"
        name = UUID(bytes=bytes.fromhex(sha256_value([digest, system["name"]]))[:16], version=4)
        place = f"data/{benchmark}/{model}/{name}"
        evaluation = f"{benchmark}/{model}/{_seconds(run['written'])}"
        lines = list(sample_lines(exported, system, evaluation, model))
        samples = b"".join(line + b"\n" for line in lines)
        found = _aggregate(exported, system, rows[system["name"]])
        found |= {"evaluation_id": evaluation, "model_info": _model(exported, system, model)}
        if lines:
            found["detailed_evaluation_results"] = {
                "format": "jsonl",
                "file_path": f"{place}_samples.jsonl",
                "hash_algorithm": "sha256",
                "checksum": sha256_bytes(samples),
                "total_rows": len(lines),
                "additional_details": {"is_correct": CORRECT},
            }
            yield f"{place}_samples.jsonl", samples
        yield f"{place}.json", canonical_json(found) + b"\n"


def _aggregate(exported: Exported, system: System, rows: pd.DataFrame) -> dict[str, object]:
    run, measured = exported.run, rows[rows["value"].notna()]
    return {
        "schema_version": VERSION,
        "evaluation_timestamp": run["written"],
        "retrieved_timestamp": _seconds(run["written"]),
        "source_metadata": {
            "source_name": exported.title,
            "source_type": "evaluation_run",
            "source_organization_name": f"not stated; signed by the key sha256 {exported.key}",
            "evaluator_relationship": "first_party",  # who trained the systems evaluated them
            "additional_details": {
                "manifest_digest": run["manifest_digest"],
                "files_digest": sha256_value(dict(exported.digests)),
                "rows_without_a_value": str(len(rows) - len(measured)),
            },
        },
        "eval_library": {"name": LIBRARY, "version": exported.stored.kit.version},
        "evaluation_results": [_result(exported, row) for row in measured.to_dict("records")],
    }


def _result(exported: Exported, row: Mapping[Any, Any]) -> dict[str, object]:
    """Return one row: a metric of a column, with its interval."""
    place = f"{row['target']}/{row['part']}/{row['column']}"
    uncertainty: dict[str, object] = {"num_samples": row["n"]}
    if pd.notna(row["low"]) and pd.notna(row["high"]):
        uncertainty["confidence_interval"] = {
            "lower": row["low"], "upper": row["high"], "confidence_level": 0.95,
            "method": f"kit.metrics.intervals, version {exported.stored.versions.interval}",
        }  # fmt: skip
        uncertainty["num_bootstrap_samples"] = exported.stored.draws
    return {
        "evaluation_result_id": RESULT_ID.format(**row),
        "evaluation_name": place,
        "source_data": _data(exported),
        "metric_config": _metric(exported, row),
        "score_details": {
            "score": row["value"],
            "details": {"clusters": str(row["clusters"])},
            "uncertainty": uncertainty,
        },
        "generation_config": _generation(exported.run),
    }


def _metric(exported: Exported, row: Mapping[Any, Any]) -> dict[str, object]:
    """Return what is measured. A metric of answers is a share; one of a system has no bounds."""
    of_answers = row["metric"] in exported.measured.scores.definitions
    said = exported.definitions.get(row["metric"])
    return {
        "metric_id": f"{LIBRARY}.{row['metric']}.{row['version']}",
        "metric_name": row["metric"],
        "metric_unit": "proportion" if of_answers or said is None else said["unit"],
        "lower_is_better": row["better"] == "lower",
        "score_type": "continuous",
        "min_score": 0 if of_answers else "-Infinity",
        "max_score": 1 if of_answers else "Infinity",
        **({"evaluation_description": said["sentence"]} if said else {}),
        "additional_details": {
            "better": row["better"] or "neither",
            "headline": "yes" if row["headline"] else "no",
        },
    }


def _data(exported: Exported) -> dict[str, object]:
    manifest = exported.run["manifest"]
    base = manifest["model"]["source"]["name"]
    sources = [source for source in exported.run["sources"] if source["name"] != base]
    kept = ("name", "origin", "repo", "revision", "licence", "list_digest")
    details = {
        f"source_{number}_{key}": str(source[key])
        for number, source in enumerate(sources, 1)
        for key in kept
        if source.get(key)
    }
    about: dict[str, object] = {
        "dataset_name": str(manifest["benchmark"]["loader"]),
        "additional_details": details,
    }
    repos = [source["repo"] for source in sources if source.get("repo")]
    if len(repos) == len(sources) == 1:
        return about | {"source_type": "hf_dataset", "hf_repo": repos[0]}
    return about | {"source_type": "other"}


def _model(exported: Exported, system: System, model: str) -> dict[str, object]:
    run = exported.run
    base = run["manifest"]["model"]
    named = base["source"]["name"]
    source: dict[str, Any] = next((s for s in run["sources"] if s["name"] == named), {})
    jobs: dict[str, Any] = {job["name"]: job for job in run.get("jobs", ())}
    details = {
        "deployment_type": "self_deployed",
        "model_availability": UNKNOWN,
        "system": system["name"],
        "method": system["method"],
        "entry": entry_of(system),
        "forgets": system["target"] or "nothing",
        "seed": system["seed"],
        "base_model": source.get("repo") or source.get("origin"),
        "base_model_revision": source.get("revision"),
        "base_model_list_digest": source.get("list_digest"),
        "quantization": base.get("quantization"),
        "adapter_digest": jobs.get(system["name"], {}).get("digest"),
    }
    name, version = engine_of(run)
    return {
        "name": system["label"],
        "id": model,
        "inference_engine": {"name": name, "version": version},
        "additional_details": {k: str(v) for k, v in details.items() if v is not None},
    }


def _generation(run: Mapping[str, Any]) -> dict[str, object]:
    """Return how answers are generated: greedily, which every engine of the kit does."""
    most = run["manifest"].get("evaluation", {}).get("max_new_tokens")
    return {"generation_args": {"temperature": 0.0, **({"max_tokens": most} if most else {})}}


def _folder_name(text: str) -> str:
    """Return a name that every file system takes: letters, digits, `-` and `_`, and not too long.

    A stranger's name of a system becomes a path here.
    """
    name = quote(text, safe="").replace(".", "%2E").replace("~", "%7E")
    if len(name) <= LONGEST_NAME:
        return name
    return f"{re.sub('%.?$', '', name[:80])}-{sha256_bytes(text.encode())[:16]}"


def _seconds(moment: object) -> str:
    """Return an ISO date as seconds since 1970, which the form calls a timestamp."""
    return str(int(datetime.fromisoformat(str(moment)).timestamp()))
