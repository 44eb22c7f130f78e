"""The engine reads the same tokens as training and scoring, for a sample of every system."""

from collections.abc import Sequence
from typing import Any

from kit.errors import GuardError
from kit.evaluation.engines import Engine, Request
from kit.evaluation.questions import Questions
from kit.model.prompts import PromptEncoder
from kit.plan.systems import System
from kit.streams import sample

RECORDS = 4  # of a system, besides one question without an image
SHOWN = 12  # tokens around the first difference


def require_prompts(systems: Sequence[System], engine: Engine, questions: Questions) -> None:
    """Compare the token ids that the engine reads with those that training reads.

    Raises:
        GuardError: they differ, for example by a beginning-of-sequence token or by the number of
            image tokens.
    """
    for system in systems:
        asked = questions.requests(system)
        by_id = {request.record_id: request for request in asked}
        chosen = sample(sorted(by_id), min(RECORDS, len(by_id)), "prompts", system.name)
        chosen += [request.record_id for request in asked if request.record.image is None][:1]
        again = [by_id[record_id] for record_id in dict.fromkeys(chosen)]
        require_same_prompts(again, engine, questions.processor)


def require_same_prompts(requests: Sequence[Request], engine: Engine, processor: Any) -> None:
    """Compare the token ids that the engine reads for some requests with those of training.

    Raises:
        GuardError: they differ.
    """
    encoder = PromptEncoder(processor)
    records = {request.record_id: request.record for request in requests}
    for (_, record_id), reading in engine.read(requests).items():
        record = records[record_id]
        _require_equal(record_id, encoder(record.image, record.question).ids, reading.prompt)


def _require_equal(record_id: str, trained: Sequence[int], served: Sequence[int]) -> None:
    if list(trained) == list(served):
        return
    pairs = zip(trained, served, strict=False)
    differing = (place for place, (one, two) in enumerate(pairs) if one != two)
    first = next(differing, min(len(trained), len(served)))
    start = max(0, first - SHOWN // 2)
    raise GuardError(
        f"the engine reads another prompt than training does, for {record_id} from token {first}",
        expected=f"{len(trained)} tokens, ... {list(trained[start : start + SHOWN])}",
        found=f"{len(served)} tokens, ... {list(served[start : start + SHOWN])}",
        remedy="its answers would belong to another question than the model was trained on: report "
        "the model family and the engine's version, and answer with another engine "
        "(evaluation.engine = 'transformers')",
    )
