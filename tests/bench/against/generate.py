"""(a) and (b) `generate`, one question or a batch at a time, against one engine for all systems.

The systems are all of the small experiment's (`./run.sh all` first), or those of another manifest,
but for those with an instruction. They are asked the questions of their tables. (a) is what
published evaluation scripts of this field do: a process for each system loads the model, then calls
`generate` with one question at a time. (b) loads the model once, changes its weights for each
system, and calls `generate` with a batch. All have the same merged weights in the same
precision and the same threads.

Processes are counted whole, from the start of Python: imports, loading the model or starting the
engine, and answering. Merging is counted in the engine and in (b). A second row of each leaves out
everything before the first question. It is what a table of very many questions comes to.
"""

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
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

SYSTEMS = {"full": None, "tiny": 2}  # at most; None: all
QUESTIONS = {"full": 9999, "tiny": 3}  # of each system, at most
SMOKE = PROJECT / "manifests" / "smoke.toml"
TOGETHER = 32  # questions in a batch, as open-unlearning's default
SINGLE = "a process for each system loads the model, and `generate` gets one question at a time"
BATCHED = f"the model is loaded once, and `generate` gets {TOGETHER} questions at a time"
WHOLE, ANSWERING = "answers, whole processes", "answers, once loaded"
WANTED = {(SINGLE, WHOLE): 10.0, (BATCHED, ANSWERING): 1.5}
SECONDS = ("asking", "processor", "whole")  # of a way
Said = dict[tuple[str, str], str]
Clocks = tuple[float, float]


@dataclass(frozen=True)
class Way:
    """Answers, and seconds of asking for them: wall time, and processor time.

    `whole` is the processor time of whole processes, from the start of Python on.
    """

    said: Said
    asking: float
    processor: float
    whole: float

    def rate(self) -> float:
        """Return answers a second of wall time, once everything is loaded."""
        return len(self.said) / self.asking

    def processor_rates(self) -> dict[str, float]:
        """Return answers a second of processor time: of whole processes, and once loaded."""
        spent = {WHOLE: self.whole, ANSWERING: self.processor}
        return {what: len(self.said) / seconds for what, seconds in spent.items()}


def measure(
    folder: Path, repeats: int = REPEATS, scale: Scale = "full", manifest: Path = SMOKE
) -> list[Row]:
    """Return answers a second of processor time: of whole processes, and once loaded.

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
    ways = (
        partial(isolated, engine),
        one_by_one,
        partial(isolated, partial(loop, together=TOGETHER)),
    )
    turns: list[list[Way]] = [[], [], []]
    for turn in range(repeats):
        order = range(len(ways)) if turn % 2 == 0 else reversed(range(len(ways)))
        for number in order:
            turns[number].append(ways[number](plan, names, QUESTIONS[scale]))
    return [
        row
        for letter, baseline, peer in zip("ab", (SINGLE, BATCHED), turns[1:], strict=True)
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
    return [
        Row(
            f"({letter}) {what}",
            baseline,
            "answers/s",
            *(tuple(way.processor_rates()[what] for way in ways) for ways in (kit, peer)),
            equal,
            WANTED.get((baseline, what)),
        )
        for what in (WHOLE, ANSWERING)
    ]


def both(plan: Plan, names: list[str], questions: int) -> tuple[Way, Way]:
    """Ask the systems both ways, all of them in one process; return engine's and loop's."""
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
    """Ask as `evaluate` does, in a process of its own."""
    from kit.evaluation.engines.vllm import VllmEngine

    systems, requests, _ = _asked(plan, names, count)
    folders = {system.name: tuple(a.path for a in system.adapters) for system in systems}
    with tempfile.TemporaryDirectory() as scratch:
        serving = VllmEngine(plan.manifest, plan.serving.path, folders, Path(scratch))
        started = _clocks()
        said = _by_request(serving.answer(requests))
        asking, processor = _since(started)
    return Way(said, asking, processor, time.process_time())


def one_by_one(plan: Plan, names: list[str], count: int) -> Way:
    """Ask each system in a process of its own, one question at a time."""
    ways = [isolated(loop, plan, [name], count) for name in names]
    said = {key: text for way in ways for key, text in way.said.items()}
    return Way(said, *(sum(getattr(way, part) for way in ways) for part in SECONDS))


def loop(plan: Plan, names: list[str], count: int, together: int = 1) -> Way:
    """Ask as published evaluation scripts do, in a process of its own.

    Args:
        together: questions in a batch; of one alone, merging is not counted.
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
    model = _loaded(plan.serving.path, settings)
    weights = {name: weight.cpu().clone() for name, weight in model.state_dict().items()}
    said, asking, spent, merging = {}, 0.0, 0.0, 0.0
    for system in systems:
        started = _clocks()
        model.load_state_dict(weights | merge([a.path for a in system.adapters], weights, merge_in))
        if together == 1:  # published scripts load merged weights
            merging += _since(started)[1]
            started = _clocks()
        own = [request for request in requests if request.system == system.name]
        for first in range(0, len(own), together):
            chunk = own[first : first + together]
            inputs = batcher.prompts([request.record for request in chunk]).inputs
            with torch.no_grad():
                whole = model.generate(**inputs, generation_config=settings)
            for request, tokens in zip(chunk, whole, strict=True):
                new = tokens[inputs["input_ids"].shape[1] :]
                text = spoken(processor.tokenizer.decode(new, skip_special_tokens=True))
                said[request.system, request.record_id] = text
        asking, spent = (a + b for a, b in zip((asking, spent), _since(started), strict=True))
    return Way(said, asking, spent, time.process_time() - merging)


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


def _since(before: Clocks) -> Clocks:
    wall, processor = _clocks()
    return wall - before[0], processor - before[1]


def _by_request(answers: list[Answer]) -> Said:
    return {(answer.system, answer.record_id): answer.text for answer in answers}
