"""One line for each answer and column, in the form of Every Eval Ever 0.3.0.

The schema is `instance_level_eval.schema.json` of the PyPI package every_eval_ever 0.3.0 (MIT).
"""

import json
from collections.abc import Iterator

from kit.benchmarks.records import Record
from kit.digests import sha256_bytes
from kit.exchange.exported import Exported
from kit.exchange.scored_answers import ScoredAnswer, scored_answers
from kit.result.run_file import System

VERSION = "0.3.0"
BEST = {"higher": 1.0, "lower": 0.0, "": 1.0}  # score, by the better direction


def sample_lines(
    exported: Exported, system: System, evaluation: str, model: str
) -> Iterator[bytes]:
    """Yield a line of JSON for each answer to each column, with the score of its headline metric.

    An answer that the metric does not exist for has no line.
    """
    for answer in scored_answers(exported, system):
        best = BEST[answer.metric.better_in(answer.place.column)]
        line = {
            "schema_version": VERSION,
            "evaluation_id": evaluation,
            "model_id": model,
            "evaluation_name": answer.column,
            "evaluation_result_id": f"{answer.column}/{answer.metric.name}/{answer.metric.version}",
            **_asked(answer.record),
            **_said(answer.text),
            "evaluation": {"score": answer.score, "is_correct": answer.score == best},
            "metadata": _about(answer),
        }
        # ASCII alone: some readers split lines at other characters than line feeds.
        yield json.dumps(line, sort_keys=True, separators=(",", ":")).encode()


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


def _said(text: str) -> dict[str, object]:
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


def _about(answer: ScoredAnswer) -> dict[str, str]:
    """Return what the form has no field for; all values are texts."""
    place, record = answer.place, answer.record
    facts = {
        "target": place.target,
        "part": place.part,
        "column": str(place.column),
        "concept": str(record.concept),
        "person": record.person,
        "event": record.event,
        "image": record.image.as_posix() if record.image else "",
        "stop": answer.stop,
    }
    return {name: text for name, text in facts.items() if text}
