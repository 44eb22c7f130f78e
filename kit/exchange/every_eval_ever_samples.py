"""One line for each answer and column, in the form of Every Eval Ever 0.3.0.

The schema is `instance_level_eval.schema.json` of the PyPI package every_eval_ever 0.3.0 (MIT).
"""

import json
from collections.abc import Iterator

import numpy as np

from kit.benchmarks.records import Record
from kit.digests import sha256_bytes
from kit.exchange.exported import Exported
from kit.metrics.definition import Definition
from kit.metrics.record_sets import RecordSet
from kit.result.run_file import System

VERSION = "0.3.0"
BEST = {"higher": 1.0, "lower": 0.0, "": 1.0}  # score, by the better direction


def sample_lines(
    exported: Exported, system: System, evaluation: str, model: str
) -> Iterator[bytes]:
    """Yield a line of JSON for each answer to each column, with the score of its headline metric.

    An answer that the metric does not exist for has no line.
    """
    measured = exported.measured
    answers = exported.answers_of(system["name"])
    for place in measured.groups:
        if system["target"] not in (None, place.target):
            continue
        metric = measured.scores.definitions[place.headline]
        if metric.retired or not place.ids:
            continue
        scores = measured.scores.of(system["name"], metric.name, place.ids)
        for name, score in zip(place.ids, scores, strict=True):
            if not np.isnan(score):
                record = measured.scores.records[name]
                line = {
                    "schema_version": VERSION,
                    "evaluation_id": evaluation,
                    "model_id": model,
                    **_place(place, metric),
                    **_asked(record),
                    **_said(*answers[name]),
                    "evaluation": {
                        "score": float(score),
                        "is_correct": bool(score == BEST[metric.better_in(place.column)]),
                    },
                    "metadata": _about(place, record, answers[name][1]),
                }
                # ASCII alone: some readers split lines at other characters than line feeds.
                yield json.dumps(line, sort_keys=True, separators=(",", ":")).encode()


def _place(place: RecordSet, metric: Definition) -> dict[str, object]:
    name = f"{place.target}/{place.part}/{place.column}"
    return {
        "evaluation_name": name,
        "evaluation_result_id": f"{name}/{metric.name}/{metric.version}",
    }


def _asked(record: Record) -> dict[str, object]:
    return {
        "sample_id": record.id,
        "sample_hash": sha256_bytes((record.question + record.answer).encode()),
        "interaction_type": "single_turn",
        "input": {
            "raw": record.question,
            "reference": [record.answer],
            **({"choices": list(record.candidates)} if record.candidates else {}),
        },
    }


def _said(text: str, stop: str) -> dict[str, object]:
    return {
        "output": {"raw": [text]},
        "answer_attribution": [
            {
                "turn_idx": 0,
                "source": "output.raw",
                "extracted_value": text,
                "extraction_method": "none",  # the metric reads the whole answer
                "is_terminal": True,
            }
        ],
    }


def _about(place: RecordSet, record: Record, stop: str) -> dict[str, str]:
    """Return what the form has no field for; all values are texts."""
    facts = {
        "target": place.target,
        "part": place.part,
        "column": str(place.column),
        "concept": str(record.concept),
        "person": record.person,
        "event": record.event,
        "image": record.image.as_posix() if record.image else "",
        "stop": stop,
    }
    return {name: text for name, text in facts.items() if text}
