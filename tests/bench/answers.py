"""Answers a second: the kit's engine for all systems, against a loop over single questions.

    ./run.sh bench answers [--systems N] [--questions N]

The systems are the small experiment's trained ones (`./run.sh all` first), asked the questions of
their tables. The loop is what published evaluation scripts do: for each system the model is loaded
anew, then `generate` is called with one question at a time. Both have the same merged weights in
the same precision and the same threads; loading and the engine's start are counted, and shown.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.artifacts import PROJECT
from kit.evaluation.engines import Answer, Request, spoken
from kit.evaluation.questions import Questions
from kit.experiment.manifest_file import load_manifest
from kit.methods.merger_file import merge_in
from kit.plan.jobs import Plan, make_plan
from kit.plan.systems import System
from kit.stages.workers import isolated
from kit.streams import sample

SYSTEMS, QUESTIONS = 10, 100
ENGINE = "one engine, all questions at once"
LOOP = "a model for each system, one question at a time"
Said = dict[tuple[str, str], str]


@dataclass(frozen=True)
class Way:
    """Seconds for loading models, or starting the engine; seconds for asking; and the answers."""

    loading: float
    asking: float
    said: Said

    def rate(self, *, loaded: bool = False) -> float:
        """Return answers a second: all in all, or once everything is loaded."""
        return len(self.said) / (self.asking if loaded else self.loading + self.asking)


def main() -> int:
    """Print both rates; 12 where the adapters are not there."""
    parser = argparse.ArgumentParser(prog="./run.sh bench answers", description=__doc__)
    parser.add_argument("--systems", type=int, default=SYSTEMS)
    parser.add_argument("--questions", type=int, default=QUESTIONS, help="of each system")
    asked = parser.parse_args()
    plan = make_plan(load_manifest(PROJECT / "manifests" / "smoke.toml"))
    names = [system.name for system in plan.systems if not system.instruction]
    names = names[: asked.systems]
    adapters = [a for system in plan.systems if system.name in names for a in system.adapters]
    if not (plan.serving.done and all(adapter.done for adapter in adapters)):
        print("error: the adapters are not there\n  remedy: ./run.sh all first", file=sys.stderr)
        return 12
    ours, theirs = both(plan, names, asked.questions)
    for name, way in ((ENGINE, ours), (LOOP, theirs)):
        print(
            f"{name}: {way.rate():.1f} answers a second, {way.rate(loaded=True):.1f} once loaded "
            f"({len(way.said)} answers; {way.loading:.1f} s loading, {way.asking:.1f} s asking)"
        )
    equal = sum(ours.said[key] == theirs.said[key] for key in theirs.said)
    print(
        f"{ours.rate() / theirs.rate():.1f} times as fast, "
        f"{ours.rate(loaded=True) / theirs.rate(loaded=True):.1f} once loaded; "
        f"{equal} of {len(theirs.said)} answers are equal"
    )
    return 0


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
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        serving = VllmEngine(plan.manifest, plan.serving.path, folders, Path(scratch))
        ready = time.perf_counter()
        said = _by_request(serving.answer(requests))
    return Way(ready - started, time.perf_counter() - ready, said)


def loop(plan: Plan, names: list[str], count: int) -> Way:
    """Ask as published evaluation scripts do."""
    import torch
    from transformers import AutoModelForImageTextToText

    from kit.model.base import device
    from kit.model.batches import Batcher
    from kit.model.combine import merge
    from kit.model.decoding import end_tokens, greedy, use_only

    torch.set_num_threads(plan.manifest.compute.threads)
    systems, requests, processor = _asked(plan, names, count)
    ends = end_tokens(plan.serving.path, processor)
    limit = plan.manifest.evaluation.max_new_tokens
    settings = greedy(ends, processor.tokenizer.pad_token_id, limit)
    # A published loop keeps no encoded prompt: each is used once here, so a cache saves nothing.
    batcher = Batcher(processor, device(), cache_bytes=0)
    said, loading, asking = {}, 0.0, 0.0
    for system in systems:
        started = time.perf_counter()
        model = AutoModelForImageTextToText.from_pretrained(plan.serving.path, dtype="auto").eval()
        model.to(device())
        use_only(model, settings)
        loading += time.perf_counter() - started
        # Whoever publishes a script has merged weights: merging is counted in neither way.
        weights = {name: weight.cpu() for name, weight in model.state_dict().items()}
        model.load_state_dict(weights | merge([a.path for a in system.adapters], weights, merge_in))
        started = time.perf_counter()
        for request in (r for r in requests if r.system == system.name):
            inputs = batcher.prompts([request.record]).inputs
            with torch.no_grad():
                whole = model.generate(**inputs, generation_config=settings)
            new = whole[0, inputs["input_ids"].shape[1] :]
            text = spoken(processor.tokenizer.decode(new, skip_special_tokens=True))
            said[request.system, request.record_id] = text
        asking += time.perf_counter() - started
    return Way(loading, asking, said)


def _by_request(answers: list[Answer]) -> Said:
    return {(answer.system, answer.record_id): answer.text for answer in answers}


if __name__ == "__main__":
    raise SystemExit(main())
