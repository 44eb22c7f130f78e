"""The plan: every job that a manifest implies, named by the digest of all that decides its result.

Nothing here loads a model or reads an image. A job whose artifact exists is done; whatever changes
(a manifest value, a checksum list, the code of the job's stage, a package) gives it a new digest.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from kit import benchmarks, methods
from kit.artifacts import Artifact
from kit.job_digests import answers_digest, training_digest
from kit.manifest import Manifest, MethodSection, TrainingSection
from kit.records import Target


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
    serving = Artifact("evaluate", "serving-base", training_digest(manifest, "serving", None, {}))
    systems = _systems(manifest, built, finetune, unlearn, serving)
    return Plan(manifest, finetune, unlearn, systems, serving)


def _finetune_jobs(manifest: Manifest) -> tuple[Job, ...]:
    seed = manifest.seeds[0]
    named: list[tuple[str, Target | None]] = [("vanilla", None)]
    named += [(f"retain_only-{target}", target) for target in manifest.targets]
    jobs = []
    for name, target in named:
        inputs = {
            "settings": manifest.finetune.model_dump(),
            "target": target,
            "seed": seed,
            "name": name,
        }
        digest = training_digest(manifest, "finetune", "retain_finetune", inputs)
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
    name = f"{target}-{entry.name}-s{seed}"
    inputs = {
        "settings": settings.model_dump(),
        "target": target,
        "seed": seed,
        "method": entry.method,
        "options": dict(entry.options),
        "stop": stop,
        "vanilla": vanilla.digest,
        "name": name,  # the initial weights are drawn from the job's name
    }
    artifact = Artifact("unlearn", name, training_digest(manifest, "unlearn", entry.method, inputs))
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
        }
        answers = Artifact("evaluate", name, answers_digest(manifest, inputs))
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
