"""How long likelihoods take when a prompt is read once, against once for each answer.

    python -m tests.bench.likelihood [RECORDS]

A randomly initialised LLaVA, narrow but with LLaVA-1.5's 576 image tokens, is given seven answers
to each prompt, as CLEAR's captions have them. Both ways take turns, in batches of the same size.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from PIL import Image
from transformers import LlavaForConditionalGeneration

from kit.benchmarks.records import Concept, Record, asked_likelihoods
from kit.evaluation.scoring import score_records
from kit.model.batches import BATCH, Batcher
from kit.model.likelihood import answer_distribution, sequence_logprob
from kit.smoke.base import make_config, make_processor
from kit.smoke.curriculum import lexicon
from kit.streams import stream

SIZE, PATCH = 336, 14
RECORDS, WRONG, WORDS, REPEATS = 16, 5, 12, 3
LEAST_GAIN = 3

Values = dict[tuple[str, str, str], float]


def main() -> int:
    """Print both times, the median of three each; 1 if reading once is not fast enough."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    torch.set_num_threads(1)
    torch.manual_seed(1)
    processor, model = make_model()
    with tempfile.TemporaryDirectory() as folder:
        records = [make_record(number, Path(folder)) for number in range(count)]
        batcher = Batcher(processor, torch.device("cpu"))
        ways = {"once for each answer": _each, "once": _once}
        taken: dict[str, list[float]] = {name: [] for name in ways}
        found: list[Values] = []
        for _ in range(REPEATS):
            for name, way in ways.items():
                taken[name].append(_seconds(way, model, batcher, records, found))
    largest = max(abs(one[key] - found[0][key]) for one in found for key in one)
    for name, seconds in taken.items():
        print(f"prompts read {name}: {median(seconds):.2f} s for {len(found[0])} answers")
    gain = median(taken["once for each answer"]) / median(taken["once"])
    print(
        f"{gain:.1f} times as fast (at least {LEAST_GAIN} wanted); values differ by {largest:.0e}"
    )
    return int(gain < LEAST_GAIN)


def make_model() -> tuple[Any, Any]:
    """Return a processor and a randomly initialised LLaVA, narrow, with 576 image tokens."""
    processor = make_processor()
    processor.patch_size = PATCH
    config = make_config(processor.tokenizer)
    config.vision_config.image_size, config.vision_config.patch_size = SIZE, PATCH
    config.text_config.max_position_embeddings = 1024
    return processor, LlavaForConditionalGeneration(config).eval()


def make_record(number: int, folder: Path) -> Record:
    """Return a record with a noisy image and seven texts of twelve words."""
    random = stream("bench/likelihood", number)
    path = folder / f"{number}.png"
    Image.effect_noise((SIZE, SIZE), 40 + number).convert("RGB").save(path)
    said = [" ".join(random.sample(lexicon(), WORDS)) for _ in range(WRONG + 2)]
    return Record(
        f"record-{number}", Concept.FACT, "Describe the scene in detail.", said[0], path,
        candidates=tuple(said[2:]), paraphrase=said[1],
    )  # fmt: skip


def _once(model: Any, batcher: Batcher, records: list[Record]) -> Values:
    found = score_records(model, batcher, records)
    return {(one.record_id, one.role, one.text): one.logprob for one in found}


def _each(model: Any, batcher: Batcher, records: list[Record]) -> Values:
    given = [
        (role, replace(record, answer=text))
        for record in records
        for role, text in sorted(asked_likelihoods(record))
    ]
    found = {}
    for start in range(0, len(given), BATCH):
        chunk = given[start : start + BATCH]
        with torch.no_grad():
            batch = batcher([record for _, record in chunk])
            sums = sequence_logprob(answer_distribution(model, batch), batch).tolist()
        for (role, record), logprob in zip(chunk, sums, strict=True):
            found[record.id, role, record.answer] = logprob
    return found


def _seconds(
    way: Callable[..., Values], model: Any, batcher: Batcher, records: list[Record],
    found: list[Values],
) -> float:  # fmt: skip
    started = time.perf_counter()
    found.append(way(model, batcher, records))
    return time.perf_counter() - started


if __name__ == "__main__":
    raise SystemExit(main())
