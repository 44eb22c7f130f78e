"""(a) and (b) `generate`, one question or a batch at a time, against one engine for all systems.

The systems are the small experiment's trained ones (`./run.sh all` first), or those of another
manifest, asked the questions of their tables. (a) is what published evaluation scripts of this
field do: for each system the model is loaded, then `generate` is called with one question at a
time. (b) loads the model once, changes its weights for each system, and calls `generate` with a
batch. All have the same merged weights in the same precision and the same threads. Loading, or the
engine's start, is counted and shown. So is merging, in the engine and in (b).
"""

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from kit.artifacts import PROJECT
from kit.errors import MissingStageError
from kit.evaluation.engines import Answer, Request, spoken
from kit.evaluation.questions import Questions
from kit.experiment.manifest_file import load_manifest
from kit.methods.merger_file import merge_in
from kit.names import show
from kit.plan.jobs import Plan, make_plan
from kit.plan.systems import System
from kit.stages.workers import isolated
from kit.streams import sample
from tests.bench.against.turns import REPEATS, Row, Scale

SYSTEMS, QUESTIONS = {"full": 10, "tiny": 2}, {"full": 9999, "tiny": 3}  # of each system, at most
SMOKE = PROJECT / "manifests" / "smoke.toml"
TOGETHER = 32  # questions in a batch, as open-unlearning's default
SINGLE = "the model is loaded for each system, and `generate` gets one question at a time"
BATCHED = f"the model is loaded once, and `generate` gets {TOGETHER} questions at a time"
WANTED = {SINGLE: 10.0, BATCHED: 1.5}
Said = dict[tuple[str, str], str]
Clocks = tuple[float, float]


@dataclass(frozen=True)
class Way:
    """Seconds for loading models, or starting the engine; seconds for asking; and the answers.

    Of a process of its own: wall time, and `processor` time of both together.
    """

    loading: float
    asking: float
    said: Said
    processor: tuple[float, float] = (0.0, 0.0)

    def rate(self, *, loaded: bool = False) -> float:
        """Return answers a second of wall time: all in all, or once everything is loaded."""
        return len(self.said) / (self.asking if loaded else self.loading + self.asking)

    def processor_rate(self, *, loaded: bool = False) -> float:
        """Return answers a second of processor time: all in all, or once loaded."""
        loading, asking = self.processor
        return len(self.said) / (asking if loaded else loading + asking)


def measure(
    folder: Path, repeats: int = REPEATS, scale: Scale = "full", manifest: Path = SMOKE
) -> list[Row]:
    """Return answers a second of processor time, with loading and without.

    Args:
        manifest: whose trained adapters answer, at full scale.

    Raises:
        MissingStageError: its adapters do not exist yet.
    """
    plan = make_plan(load_manifest(manifest)) if scale == "full" else random_systems(folder)
    systems = [system for system in plan.systems if not system.instruction][: SYSTEMS[scale]]
    adapters = [adapter for system in systems for adapter in system.adapters]
    if not (plan.serving.done and all(adapter.done for adapter in adapters)):
        raise MissingStageError(
            f"the adapters of {show(str(manifest))} do not exist yet",
            remedy=f"run `./run.sh all {show(str(manifest))}` first",
        )
    names = [system.name for system in systems]
    ways = (engine, loop, partial(loop, together=TOGETHER))
    turns: list[list[Way]] = [[], [], []]
    for turn in range(repeats):
        order = range(len(ways)) if turn % 2 == 0 else reversed(range(len(ways)))
        for number in order:
            turns[number].append(isolated(ways[number], plan, names, QUESTIONS[scale]))
    return [
        row
        for letter, baseline, peer in zip("ab", WANTED, turns[1:], strict=True)
        for row in _rows(letter, baseline, turns[0], peer)
    ]


def random_systems(folder: Path) -> Plan:
    """Return the plan of a tiny random base with adapters of two steps, which are trained here.

    Base and adapters are in a cache inside the folder. Answers mean nothing, but are as equal as
    those of trained models.
    """
    from kit.stages import run as stages
    from kit.stages.work import LOCAL
    from tests.bench.gpu import manifest_of, write_base  # which asks both ways as well

    os.environ["PEBENCH_CACHE"] = str(folder / "cache")
    write_base(folder, "llava", "tiny")
    manifest = manifest_of(folder, "llava", "tiny")
    model = manifest.model.model_copy(update={"compute_dtype": "float32"})
    asked = manifest.evaluation.model_copy(update={"serving": "merged"})
    plan = make_plan(manifest.model_copy(update={"model": model, "evaluation": asked}))
    stages.fetch(plan)
    stages.finetune(plan)
    stages.unlearn(plan)
    LOCAL.make_serving_base(plan)
    return plan


def _rows(letter: str, baseline: str, kit: Sequence[Way], peer: Sequence[Way]) -> list[Row]:
    said = kit[0].said
    for way in (*kit, *peer):
        differing = [key for key in said if way.said.get(key) != said[key]]
        assert way.said.keys() == said.keys(), "all ways answer the same questions"
        assert not differing, f"answers differ: {differing[:3]} and {len(differing)} in all"
    equal = f"all {len(said)} answers are equal"
    kinds = {"answers, with loading": False, "answers, once loaded": True}
    return [
        Row(
            f"({letter}) {what}",
            baseline,
            "answers/s",
            *(tuple(way.processor_rate(loaded=loaded) for way in ways) for ways in (kit, peer)),
            equal,
            None if loaded else WANTED[baseline],
        )
        for what, loaded in kinds.items()
    ]


def both(plan: Plan, names: list[str], questions: int) -> tuple[Way, Way]:
    """Ask the systems both ways, each in a process of its own; return engine's and loop's."""
    return isolated(engine, plan, names, questions), isolated(loop, plan, names, questions)


def _asked(plan: Plan, names: list[str], count: int) -> tuple[list[System], list[Request], Any]:
    systems = [system for system in plan.systems if system.name in names]
    questions = Questions.of(plan)
    requests = []
    for system in systems:
        each = {request.record_id: request for request in questions.requests(system)}
        ids = sample(sorted(each), min(count, len(each)), "bench/answers", system.name)
        requests += [each[record_id] for record_id in ids]
    return systems, requests, questions.processor


def engine(plan: Plan, names: list[str], count: int) -> Way:
    """Ask as `evaluate` does."""
    from kit.evaluation.engines.vllm import VllmEngine

    systems, requests, _ = _asked(plan, names, count)
    folders = {system.name: tuple(a.path for a in system.adapters) for system in systems}
    clocks = [_clocks()]
    with tempfile.TemporaryDirectory() as scratch:
        serving = VllmEngine(plan.manifest, plan.serving.path, folders, Path(scratch))
        clocks.append(_clocks())
        said = _by_request(serving.answer(requests))
    clocks.append(_clocks())
    (loading, busy), (asking, working) = (_since(*pair) for pair in pairwise(clocks))
    return Way(loading, asking, said, (busy, working))


def loop(plan: Plan, names: list[str], count: int, together: int = 1) -> Way:
    """Ask as published evaluation scripts do.

    Args:
        together: questions in a batch; of one alone, the model is loaded for each system.
    """
    import torch

    from kit.model.base import device
    from kit.model.batches import Batcher
    from kit.model.combine import merge
    from kit.model.decoding import end_tokens, greedy

    torch.set_num_threads(plan.manifest.compute.threads)
    systems, requests, processor = _asked(plan, names, count)
    ends = end_tokens(plan.serving.path, processor)
    limit = plan.manifest.evaluation.max_new_tokens
    settings = greedy(ends, processor.tokenizer.pad_token_id, limit)
    # A published loop keeps no encoded prompt: each is used once here, so a cache saves nothing.
    batcher = Batcher(processor, device(), cache_bytes=0)
    model, weights, said = None, {}, {}
    spent = {"loading": [0.0, 0.0], "asking": [0.0, 0.0]}

    def count_since(what: str, clocks: Clocks) -> None:
        spent[what] = [a + b for a, b in zip(spent[what], _since(clocks, _clocks()), strict=True)]

    for system in systems:
        if model is None or together == 1:
            started = _clocks()
            model = _loaded(plan.serving.path, settings)
            count_since("loading", started)
            weights = {name: weight.cpu().clone() for name, weight in model.state_dict().items()}
        # Published scripts load merged weights, so merging is not counted in (a). A process that
        # changes systems has to merge, as the engine does.
        started = _clocks()
        model.load_state_dict(weights | merge([a.path for a in system.adapters], weights, merge_in))
        own = [request for request in requests if request.system == system.name]
        if together == 1:
            started = _clocks()
        for first in range(0, len(own), together):
            chunk = own[first : first + together]
            inputs = batcher.prompts([request.record for request in chunk]).inputs
            with torch.no_grad():
                whole = model.generate(**inputs, generation_config=settings)
            for request, tokens in zip(chunk, whole, strict=True):
                new = tokens[inputs["input_ids"].shape[1] :]
                text = spoken(processor.tokenizer.decode(new, skip_special_tokens=True))
                said[request.system, request.record_id] = text
        count_since("asking", started)
    (loading, busy), (asking, working) = spent["loading"], spent["asking"]
    return Way(loading, asking, said, (busy, working))


def _loaded(folder: Path, settings: Any) -> Any:
    from transformers import AutoModelForImageTextToText

    from kit.model.base import device
    from kit.model.decoding import use_only

    model = AutoModelForImageTextToText.from_pretrained(folder, dtype="auto").eval()
    model.to(device())
    use_only(model, settings)
    return model


def _clocks() -> Clocks:
    """Return wall time, and processor time of this process with all of its threads."""
    return time.perf_counter(), time.process_time()


def _since(before: Clocks, now: Clocks) -> Clocks:
    return now[0] - before[0], now[1] - before[1]


def _by_request(answers: list[Answer]) -> Said:
    return {(answer.system, answer.record_id): answer.text for answer in answers}
