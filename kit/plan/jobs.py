"""The plan: every job that a manifest implies, named by the digest of all that decides its result.

Nothing here loads a model or reads an image. A job whose artifact exists is done; whatever changes
(a manifest value, a checksum list, the code of the job's stage, a package) gives it a new digest.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from kit import benchmarks, methods
from kit.artifacts import Artifact
from kit.experiment.manifest import Manifest, MethodSection, TrainingSection
from kit.experiment.systems import FINETUNE, UNTRAINED, Design, planned_adapters, planned_systems
from kit.plan.digests import answers_digest, likelihoods_digest, training_digest
from kit.plan.names import require_names


@dataclass(frozen=True)
class Job:
    """One adapter to train: vanilla, retain-only, or unlearned."""

    stage: str
    name: str
    target: str | None
    seed: int
    settings: TrainingSection
    artifact: Artifact
    entry: MethodSection | None = None
    method: methods.Method | None = None
    vanilla: Artifact | None = None
    governed: bool = False


@dataclass(frozen=True)
class System:
    """One row of the table: an adapter (and perhaps an instruction) that answers questions.

    `likelihoods` is None where the benchmark's protocol measures none.
    """

    name: str
    target: str | None
    method: str
    label: str
    seed: int | None
    adapters: tuple[Artifact, ...]
    answers: Artifact
    likelihoods: Artifact | None
    instruction: str = ""

    @property
    def evaluated(self) -> bool:
        """Whether its answers are there, and its likelihoods where the benchmark has any."""
        return self.answers.done and (self.likelihoods is None or self.likelihoods.done)


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
        ManifestError: a loader, target, method or option does not exist, or a list is missing.
    """
    built = require_names(manifest)
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
    protocol = benchmarks.protocol(manifest.benchmark.loader)
    design = Design.model_validate(manifest)
    planned = planned_adapters(design, one_retain_set=protocol.one_retain_set)
    jobs = []
    for name, target, seed in ((p.name, p.target, p.seed) for p in planned if p.stage == FINETUNE):
        inputs = {
            "settings": manifest.finetune.model_dump(exclude={"seed"}),
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
    target: str,
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
    protocol = benchmarks.protocol(manifest.benchmark.loader)

    def system(
        name: str, target: str | None, method: str, label: str, seed: int | None,
        adapters: tuple[Artifact, ...], instruction: str = "",
    ) -> System:  # fmt: skip
        asked = {
            "adapters": [artifact.digest for artifact in adapters],
            "target": target,
            "targets": manifest.targets if target is None else [target],
            "instruction": instruction,
        }
        served = {"serving": serving.digest, "evaluation": manifest.evaluation.deciding()}
        answers = Artifact("evaluate", name, answers_digest(manifest, {**asked, **served}))
        likelihoods = None
        if (
            protocol.likelihood
        ):  # by transformers on the 4-bit base: how answers are served changes nothing
            digest = likelihoods_digest(manifest, asked)
            likelihoods = Artifact("evaluate", f"likelihoods-{name}", digest)
        return System(
            name, target, method, label, seed, adapters, answers, likelihoods, instruction
        )

    made = {job.name: job.artifact for job in (*finetune, *unlearn)}
    design = Design.model_validate(manifest)
    return tuple(
        system(
            planned.name, planned.target, planned.method, planned.label, planned.seed,
            tuple(made[name] for name in planned.adapters),
            str(getattr(built.get(planned.entry or ""), "instruction", ""))
            if planned.method in UNTRAINED else "",
        )
        for planned in planned_systems(design, one_retain_set=protocol.one_retain_set)
    )  # fmt: skip


def kept_jobs(plan: Plan) -> Iterator[Job]:
    """Yield the jobs whose adapters the result holds."""
    manifest = plan.manifest
    claimed = {
        (claim.other_target or claim.target if name == claim.other else claim.target, name)
        for claim in manifest.claims
        for name in (claim.system, claim.other)
    }
    for job in plan.jobs():
        first = job.entry is None or (
            job.seed == manifest.seeds[0] and (job.target, job.entry.name) in claimed
        )
        if first or manifest.report.adapters == "all":
            yield job
