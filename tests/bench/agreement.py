"""How far two implementations of one model are apart, and how far another system's answers are.

    ./run.sh bench agreement [--dtype float32|bfloat16] [--systems N]

The systems are the small experiment's trained ones (`./run.sh all` first). Each is answered with
merged weights over the dequantised base, as an engine serves it, and the second implementation (the
4-bit base with stacked adapters) reads the answers. Then it reads, for each system, the answers of
every other system of the same target. The limit of kit/evaluation/guards/agreement.py has to lie
between the two.
"""

import argparse
import sys
from typing import Any

import torch
from transformers import AutoModelForImageTextToText, GenerationConfig

from kit.artifacts import PROJECT
from kit.benchmarks.records import Record
from kit.evaluation.guards.agreement import (
    NEAR_TIE_NATS,
    Given,
    distances,
)
from kit.evaluation.guards.sampling import sample_records
from kit.evaluation.questions import Questions, asked_records
from kit.experiment.manifest_file import load_manifest
from kit.experiment.settings import MIN_ANSWERS
from kit.methods.merger_file import merge_in
from kit.model.base import device, load_base
from kit.model.batches import Batcher
from kit.model.combine import merge
from kit.model.decoding import end_tokens, greedy, use_only
from kit.model.lora import load_adapter
from kit.plan.jobs import Plan, make_plan
from kit.plan.systems import System
from kit.sources.datasets import base_folder

Said = dict[str, list[Given]]


def main() -> int:
    """Print the distances; 12 where the adapters are not there."""
    parser = argparse.ArgumentParser(prog="./run.sh bench agreement", description=__doc__)
    parser.add_argument("--dtype", choices=tuple(NEAR_TIE_NATS), action="append")
    parser.add_argument("--systems", type=int, default=None, help="default: all")
    asked = parser.parse_args()
    plan = make_plan(load_manifest(PROJECT / "manifests" / "smoke.toml"))
    systems = [system for system in plan.systems if not system.instruction][: asked.systems]
    adapters = [adapter for system in systems for adapter in system.adapters]
    if not (plan.serving.done and all(adapter.done for adapter in adapters)):
        print("error: the adapters are not there\n  remedy: ./run.sh all first", file=sys.stderr)
        return 12
    torch.set_num_threads(plan.manifest.compute.threads)
    for dtype in asked.dtype or NEAR_TIE_NATS:
        print(f"{dtype}: {measure(plan, systems, dtype)}", flush=True)
    return 0


def measure(plan: Plan, systems: list[System], dtype: str) -> str:
    """Return one line about the distances in a type."""
    questions = Questions.of(plan)
    batcher = Batcher(questions.processor, device())
    chosen = {system.name: _sampled(system, questions) for system in systems}
    ends = end_tokens(plan.serving.path, questions.processor)
    limit = plan.manifest.evaluation.max_new_tokens
    settings = greedy(ends, questions.processor.tokenizer.pad_token_id, limit)
    said: dict[str, Said] = {}
    for system in systems:
        served = _served(plan, system, dtype)
        use_only(served, settings)
        alike = [s for s in systems if s is system or (s.target and s.target == system.target)]
        said[system.name] = {
            other.name: _answers(served, batcher, chosen[other.name], settings) for other in alike
        }
    section = plan.manifest.model.model_copy(update={"compute_dtype": dtype})
    base: Any = load_base(base_folder(plan.manifest), section)
    own, foreign, tokens = [], [], 0
    for system in systems:
        model = base
        for number, artifact in enumerate(system.adapters):
            model = load_adapter(model, f"adapter{number}", artifact.path, merge_in)
        given = said[system.name][system.name]
        tokens += sum(len(each.ids) for each in given)
        own.append(max(found.nats for found in distances(model, batcher, given)))
        for other in systems:
            theirs = said[other.name].get(system.name)
            if other is system or theirs is None or theirs == given:
                continue
            foreign.append(max(found.nats for found in distances(model, batcher, theirs)))
        base = model.unload()
    missed = sum(nats <= NEAR_TIE_NATS[dtype] for nats in foreign)
    return (
        f"own answers at most {max(own):.4f} nats from the likeliest token ({len(own)} systems, "
        f"{tokens} tokens); answers of another system that differ, {len(foreign)} pairs: at least "
        f"{min(foreign):.2f} nats; limit {NEAR_TIE_NATS[dtype]:g}, missed {missed}"
    )


def _sampled(system: System, questions: Questions) -> list[Record]:
    wanted = sample_records(system, questions.benchmark, MIN_ANSWERS)
    return [r for r in asked_records(system, questions.benchmark) if r.id in wanted]


def _served(plan: Plan, system: System, dtype: str) -> Any:
    """Return the dequantised base with a system's adapters merged, as an engine serves it."""
    model: Any = AutoModelForImageTextToText.from_pretrained(
        plan.serving.path, dtype=getattr(torch, dtype)
    )
    weights = {name: weight.cpu() for name, weight in model.state_dict().items()}
    model.load_state_dict(weights | merge([a.path for a in system.adapters], weights, merge_in))
    return model.eval()


def _answers(
    model: Any, batcher: Batcher, records: list[Record], settings: GenerationConfig
) -> list[Given]:
    inputs = batcher.prompts(records).inputs
    whole = model.generate(**inputs, generation_config=settings)
    rows = whole[:, inputs["input_ids"].shape[1] :].tolist()
    ends = settings.eos_token_id
    return [Given(r, _until(row, ends)) for r, row in zip(records, rows, strict=True)]


def _until(ids: list[int], ends: list[int]) -> tuple[int, ...]:
    end = next((place for place, token in enumerate(ids) if token in ends), len(ids) - 1)
    return tuple(ids[: end + 1])


if __name__ == "__main__":
    raise SystemExit(main())
