"""How long one scoring pass takes that serves all metrics, against one pass for each metric.

    python -m tests.bench.scoring [RECORDS]

open-unlearning runs the model on the forget set again for each of these metrics: probability, exact
memorisation, extraction strength, and membership by loss, zlib, min-k and min-k++, the last one
twice. The passes here are plain forward passes in batches of the same size. Encoded prompts are
kept between them. The model is that of `bench likelihood`. Both ways take turns, and their values
are compared.
"""

import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
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
from tests.bench.likelihood import make_model, make_record

RECORDS, REPEATS, LEAST_GAIN = 16, 3, 6
Values = dict[tuple[str, str], float]
Measure = Callable[[Tensor, Tensor, str], float]  # log-probabilities [T, V], tokens [T], text


def main() -> int:
    """Print both processor times, the median of three each; 1 if one pass is too slow."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    torch.set_num_threads(1)
    torch.manual_seed(1)
    processor, model = make_model()
    with tempfile.TemporaryDirectory() as folder:
        records = [
            replace(make_record(number, Path(folder)), candidates=(), paraphrase="")
            for number in range(count)
        ]
        batcher = Batcher(processor, torch.device("cpu"))
        batcher.encode(records)
        ways = {f"one for each metric ({len(PASSES)} passes)": _for_each, "one for all": _for_all}
        taken: dict[str, list[float]] = {name: [] for name in ways}
        found: dict[str, Values] = {}
        for _ in range(REPEATS):
            for name, way in ways.items():
                started = time.process_time()
                found[name] = way(model, batcher, records)
                taken[name].append(time.process_time() - started)
    first, second = found.values()
    assert first.keys() == second.keys()
    largest = max(abs(first[key] - second[key]) for key in first)
    for name, seconds in taken.items():
        print(f"{name}: {median(seconds):.2f} s for {len(first)} values")
    each, once = (median(seconds) for seconds in taken.values())
    print(f"{each / once:.1f} times as fast (at least {LEAST_GAIN} wanted); values differ by "
          f"{largest:.0e}")  # fmt: skip
    return int(each / once < LEAST_GAIN)


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

if __name__ == "__main__":
    raise SystemExit(main())
