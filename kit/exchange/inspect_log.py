"""A result as logs of Inspect (UK AI Security Institute): one file for each system.

Its form is version 2 of the log of the PyPI package inspect_ai (MIT), written as JSON: what
`inspect view` shows and `inspect_ai.log.read_eval_log` reads. A column of the tables is a scorer
there. Everything follows from the signed files; names of files follow from their digests.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from kit.digests import canonical_json, sha256_value
from kit.exchange.exported import Exported
from kit.exchange.facts import engine_of
from kit.exchange.scored_answers import ScoredAnswer, scored_answers
from kit.result.run_file import System, entry_of
from kit.result.tables import ROW_TYPES

VERSION = 2
SCORER = "{target}/{part}/{column}/{metric}/{version}"
STOPS = {"eos": "stop", "length": "max_tokens"}
ID = 22  # characters of an identity, as Inspect's own have


def inspect_logs(exported: Exported) -> Iterator[tuple[str, bytes]]:
    """Yield (path, bytes) of the log of each system: its metrics, and a sample for each answer.

    Metrics are all rows of the system that have a value. An answer has a score for each column that
    it belongs to, by the headline metric of that column.
    """
    table = exported.stored.rows.to_pandas().astype(ROW_TYPES)
    rows = dict(list(table.groupby("system")))
    digest = sha256_value(dict(exported.digests))
    written = _moment(exported.run["written"])
    task = str(exported.run["manifest"]["benchmark"]["loader"])
    for system in exported.stored.systems:
        log_id = sha256_value([digest, system["name"]])[:ID]
        log = _log(exported, system, rows[system["name"]], log_id, digest[:ID])
        # Inspect finds a log by its name: time, task and identity.
        name = f"{written.replace(':', '-')}_{task.replace('_', '-')}_{log_id}.json"
        yield f"logs/{name}", canonical_json(log) + b"\n"


def _log(
    exported: Exported, system: System, rows: pd.DataFrame, log_id: str, run_id: str
) -> dict[str, object]:
    samples = _samples(exported, system)
    written = _moment(exported.run["written"])
    measured = rows[rows["value"].notna()].to_dict("records")
    return {
        "version": VERSION,
        "status": "success",
        "eval": {
            "eval_id": log_id,
            "run_id": run_id,
            "created": written,
            "task": str(exported.run["manifest"]["benchmark"]["loader"]),
            "task_id": log_id,
            "task_display_name": exported.title,
            "dataset": {
                "name": str(exported.run["manifest"]["benchmark"]["loader"]),
                "samples": len(samples),
                "sample_ids": [sample["id"] for sample in samples],
                "shuffled": False,
            },
            "model": _model(exported, system),
            "model_args": _arguments(exported, system),
            "model_generate_config": _generation(exported.run),
            "config": {"epochs": 1},
            "packages": {"pebench-kit": exported.stored.kit.version},
            "metadata": {
                "result": exported.run_name,
                "manifest_digest": exported.run["manifest_digest"],
                "files_digest": sha256_value(dict(exported.digests)),
                "signed_by": f"sha256 {exported.key}",
                "rows_without_a_value": len(rows) - len(measured),
            },
        },
        "results": {
            "total_samples": len(samples),
            "completed_samples": len(samples),
            "scores": [_score(exported, row) for row in measured],
        },
        "stats": {"started_at": written, "completed_at": written},
        "samples": samples,
    }


def _score(exported: Exported, row: Mapping[Any, Any]) -> dict[str, object]:
    """Return one row as a scorer: its value and the ends of its interval are Inspect's metrics."""
    found = {"value": row["value"]}
    if pd.notna(row["low"]) and pd.notna(row["high"]):
        found |= {"interval_low": row["low"], "interval_high": row["high"]}
    said = exported.definitions.get(row["metric"])
    return {
        "name": SCORER.format(**row),
        "scorer": str(row["metric"]),
        "scored_samples": int(row["n"]),
        "metrics": {name: {"name": name, "value": value} for name, value in found.items()},
        "metadata": {
            "better": row["better"] or "neither",
            "headline": bool(row["headline"]),
            "clusters": int(row["clusters"]),
            "interval": "95 %, by people or events",
            **({"description": said["sentence"]} if said else {}),
        },
    }


def _samples(exported: Exported, system: System) -> list[dict[str, Any]]:
    """Return a sample for each answer, with its scores in all columns that it belongs to."""
    answers: dict[str, list[ScoredAnswer]] = {}
    for answer in scored_answers(exported, system):
        answers.setdefault(answer.record.id, []).append(answer)
    model = _model(exported, system)
    return [_sample(scored, model) for _, scored in sorted(answers.items())]


def _sample(scored: Sequence[ScoredAnswer], model: str) -> dict[str, Any]:
    first = scored[0]
    record = first.record
    said = {"role": "assistant", "content": first.text, "source": "generate", "model": model}
    about = {
        "concept": str(record.concept), "person": record.person, "event": record.event,
        "image": record.image.as_posix() if record.image else "",
    }  # fmt: skip
    return {
        "id": record.id,
        "epoch": 1,
        "input": record.question,
        **({"choices": list(record.candidates)} if record.candidates else {}),
        "target": record.answer,
        "messages": [{"role": "user", "content": record.question, "source": "input"}, said],
        "output": {
            "model": model,
            "choices": [{"message": said, "stop_reason": STOPS.get(first.stop, "unknown")}],
        },
        "scores": {
            f"{each.column}/{each.metric.name}/{each.metric.version}": {
                "value": each.score, "answer": each.text,
            }
            for each in scored
        },
        "metadata": {name: text for name, text in about.items() if text},
    }  # fmt: skip


def _model(exported: Exported, system: System) -> str:
    return f"pebench-kit/{exported.run_name}_{system['name']}"


def _arguments(exported: Exported, system: System) -> dict[str, object]:
    """Return what the system is: base, method, target and seed."""
    base = exported.run["manifest"]["model"]
    named = base["source"]["name"]
    source: dict[str, Any] = next(
        (each for each in exported.run["sources"] if each["name"] == named), {}
    )
    engine, version = engine_of(exported.run)
    said = {
        "label": system["label"],
        "entry": entry_of(system),
        "method": system["method"],
        "forgets": system["target"] or "nothing",
        "seed": system["seed"],
        "base_model": source.get("repo") or source.get("origin"),
        "base_model_revision": source.get("revision"),
        "quantization": base.get("quantization"),
        "engine": f"{engine} {version}",
    }
    return {name: value for name, value in said.items() if value is not None}


def _generation(run: Mapping[str, Any]) -> dict[str, object]:
    """Return how answers are generated: greedily, which every engine of the kit does."""
    most = run["manifest"].get("evaluation", {}).get("max_new_tokens")
    return {"temperature": 0.0, **({"max_tokens": most} if most else {})}


def _moment(written: object) -> str:
    """Return a date in UTC, to the second, with its offset."""
    moment = datetime.fromisoformat(str(written))
    return moment.astimezone(UTC).isoformat(timespec="seconds")
