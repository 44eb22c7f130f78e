"""(c) One likelihood pass for each metric, against one scoring pass that serves all of them.

open-unlearning runs the model on the forget set again for each of these metrics: probability, exact
memorisation, extraction strength, and membership by loss, zlib, min-k and min-k++, the last one
twice. The passes here are plain forward passes in batches of the same size. Encoded prompts are
kept between them. The model is that of `bench likelihood`.
"""

import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kit.benchmarks.records import Record
from kit.evaluation.scoring import score_records
from kit.metrics import membership, memorisation
from kit.metrics.definition import GivenTokens, StoredAnswer
from kit.model.batches import BATCH, Batcher
from kit.model.likelihood import answer_distribution
from tests.bench.against.turns import REPEATS, Row, Scale, in_turns, rates
from tests.bench.likelihood import make_model, make_record
from tests.bench.training import CPU

RECORDS = {"full": 4, "tiny": 1}
LEAST_GAIN, APART = 6, 1e-3
Values = dict[tuple[str, str], float]
Measure = Callable[[Tensor, Tensor, str], float]  # log-probabilities [T, V], tokens [T], text


def measure(folder: Path, repeats: int = REPEATS, scale: Scale = "full") -> list[Row]:
    """Return values a second, of seven metrics of each record."""
    processor, model = make_model()
    records = [
        replace(make_record(number, folder), candidates=(), paraphrase="")
        for number in range(RECORDS[scale])
    ]
    batcher = Batcher(processor, CPU)
    batcher.encode(records)
    ways = [partial(way, model, batcher, records) for way in (_for_all, _for_each)]
    seconds, (once, each) = in_turns(ways, repeats, warm=False)
    assert once.keys() == each.keys(), "both ways give the same metrics of the same records"
    largest = max(abs(once[key] - each[key]) for key in once)
    assert largest <= APART, f"values differ by {largest}"
    return [
        Row(
            "(c) seven likelihood metrics",
            f"one pass over the records for each metric, {len(PASSES)} in all",
            "values/s",
            *(rates(len(once), spent) for spent in seconds),
            f"values at most {largest:.0e} apart",
            LEAST_GAIN,
        )
    ]


def _for_all(model: Any, batcher: Batcher, records: list[Record]) -> Values:
    found: Values = {}
    by_id = {record.id: record for record in records}
    for one in score_records(model, batcher, records, each_token=True):
        assert one.each is not None  # asked for by `each_token`
        columns = [np.array(values, dtype=np.float64) for values in one.each]
        given = GivenTokens("answer", one.text, len(zlib.compress(one.text.encode())), *columns)
        answer, record = StoredAnswer("", "eos", (), (given,)), by_id[one.record_id]
        for name in ("probability", "exact_memorisation", "extraction_strength"):
            found[name, record.id] = getattr(memorisation, name)(answer, record)
        for name, score in membership.SCORES.items():
            found[name, record.id] = score(given)
    return found


def _for_each(model: Any, batcher: Batcher, records: list[Record]) -> Values:
    found: Values = {}
    for name, measure in PASSES:
        for start in range(0, len(records), BATCH):
            chunk = records[start : start + BATCH]
            with torch.no_grad():
                batch = batcher(chunk)
                distribution = answer_distribution(model, batch)
            for place, record in enumerate(chunk):
                length = int(batch.answer_mask[place].sum())
                own = distribution[place, -length:], batch.answer_ids[place, -length:]
                found[name, record.id] = measure(*own, record.answer)
    return found


def _own(logprobs: Tensor, ids: Tensor) -> Tensor:
    return logprobs.gather(-1, ids.unsqueeze(-1)).squeeze(-1)


def _hits(logprobs: Tensor, ids: Tensor) -> list[bool]:
    return (logprobs.argmax(-1) == ids)[:-1].tolist()


def _strength(logprobs: Tensor, ids: Tensor, _: str) -> float:
    hits = _hits(logprobs, ids)
    start = next((k for k in range(len(hits) + 1) if all(hits[k:])), len(hits))
    return 1 - start / len(hits)


def _lowest(values: Tensor) -> float:
    return float(values.sort().values[: max(1, int(len(values) * 0.4))].mean())


def _standardised(logprobs: Tensor, ids: Tensor, _: str) -> float:
    weights = logprobs.exp()
    mean = (weights * logprobs).sum(-1)
    variance = (weights * logprobs.square()).sum(-1) - mean.square()
    return -_lowest((_own(logprobs, ids) - mean) / variance.clamp(min=1e-6).sqrt())


def _loss(logprobs: Tensor, ids: Tensor, _: str) -> float:
    return -float(_own(logprobs, ids).mean())


PASSES: tuple[tuple[str, Measure], ...] = (
    ("probability", lambda p, ids, _: float(_own(p, ids).mean().exp())),
    ("exact_memorisation", lambda p, ids, _: float(np.mean(_hits(p, ids)))),
    ("extraction_strength", _strength),
    ("loss", _loss),
    ("zlib", lambda p, ids, text: _loss(p, ids, text) / len(zlib.compress(text.encode()))),
    ("min_k", lambda p, ids, _: -_lowest(_own(p, ids))),
    ("min_k_plus_plus", _standardised),
    ("min_k_plus_plus", _standardised),
)
