"""The plan: every job that a manifest implies, named by the digest of all that decides its result.

Nothing here loads a model or reads an image. A job whose artifact exists is done. A change of
anything that decides its result (a manifest value, a checksum list, code, a package) gives it
another digest.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from kit import benchmarks
from kit.artifacts import Artifact
from kit.benchmarks.protocol import Protocol
from kit.experiment.manifest import Manifest, MethodSection, TrainingSection
from kit.experiment.own_settings import deciding, settings_of
from kit.experiment.systems import (
    FINETUNE,
    UNLEARN,
    Design,
    planned_adapters,
)
from kit.methods import Method, registry
from kit.plan.digests import (
    require_lists,
    serving_digest,
    training_digest,
)
from kit.plan.names import require_names
from kit.plan.systems import System, evaluated_systems


@dataclass(frozen=True)
class Job:
    """One adapter to train: vanilla, retain-only, or unlearned."""

    stage: str
    """"finetune" or "unlearn"."""
    name: str
    target: str | None
    """What is forgotten or left out; None for the vanilla model."""
    seed: int
    """Seed of the initial weights and of every draw of records."""
    settings: TrainingSection
    artifact: Artifact
    """Where the adapter lies, named by its digest."""
    method: Method
    entry: MethodSection | None = None
    """The manifest's entry of an unlearning method."""
    vanilla: Artifact | None = None
    """The adapter that unlearning starts from."""
    oracle: Artifact | None = None
    """The retain-only adapter of the target, where the method needs it."""
    governed: bool = False
    """Whether the stop rule ends the run where the forget loss is that of a uniform guess."""

    @property
    def steps(self) -> int:
        """How many steps are made, if no rule stops them: none of a method without training."""
        return 0 if self.method.needs.training_free else self.settings.steps

    @property
    def below(self) -> tuple[Artifact, ...]:
        """Return the adapters that it is stacked on, in order."""
        return () if self.vanilla is None else (self.vanilla,)

    @property
    def stream(self) -> str:
        """Return the name that the initial weights are drawn by."""
        return self.name


@dataclass(frozen=True)
class Plan:
    """All jobs in the order of stages, and the systems that are evaluated."""

    manifest: Manifest
    finetune: tuple[Job, ...]
    unlearn: tuple[Job, ...]
    systems: tuple[System, ...]
    serving: Artifact

    def jobs(self) -> Iterator[Job]:
        """Yield all training jobs."""
        yield from self.finetune
        yield from self.unlearn


def make_plan(manifest: Manifest) -> Plan:
    """Resolve every name of the manifest and return its jobs.

    Raises:
        ManifestError: a loader, target, method or option does not exist, or a list is missing.
    """
    built = require_names(manifest)
    require_lists(manifest)
    protocol = benchmarks.planned_protocol(manifest)
    finetune = _finetune_jobs(manifest, protocol)
    unlearn = tuple(
        _unlearn_job(manifest, entry, built[entry.name], target, seed, finetune)
        for target in manifest.targets
        for entry in manifest.methods
        if target in entry.targets and built[entry.name].needs.training
        for seed in manifest.seeds
    )
    serving = Artifact("evaluate", "serving-base", serving_digest(manifest))
    made = {job.name: job.artifact for job in (*finetune, *unlearn)}
    systems = evaluated_systems(manifest, protocol, built, made, serving)
    return Plan(manifest, finetune, unlearn, systems, serving)


def _finetune_jobs(manifest: Manifest, protocol: Protocol) -> tuple[Job, ...]:
    method = registry.build("retain_finetune", {})
    jobs = []
    for planned in planned_adapters(
        Design.model_validate(manifest), one_retain_set=protocol.one_retain_set
    ):
        if planned.stage != FINETUNE:
            continue
        inputs = {
            "settings": deciding(manifest.finetune),
            "seed": planned.seed,
            "name": planned.name,
        }
        digest = training_digest(manifest, FINETUNE, method, planned.target, inputs)
        artifact = Artifact(FINETUNE, planned.name, digest)
        who = planned.name, planned.target, planned.seed
        jobs.append(Job(FINETUNE, *who, manifest.finetune, artifact, method))
    return tuple(jobs)


def _unlearn_job(
    manifest: Manifest,
    entry: MethodSection,
    method: Method,
    target: str,
    seed: int,
    finetune: tuple[Job, ...],
) -> Job:
    vanilla, oracle = finetune[0].artifact, None
    settings = settings_of(manifest.unlearn, entry, target)
    if method.needs.whole_batch:
        settings = settings.model_copy(update={"micro_batch_size": settings.batch_size})
    stop = entry.stop or manifest.unlearn.stop
    name = f"{target}-{entry.name}-s{seed}"
    inputs = {
        "settings": deciding(settings),
        "seed": seed,
        "method": entry.method,
        "options": dict(entry.options),
        "stop": stop,
        "vanilla": vanilla.digest,
        "name": name,  # the initial weights are drawn from the job's name
    }
    if method.needs.retain_only_scalars:  # one for each target, or one for all
        oracle = next((job for job in finetune if job.target == target), finetune[1]).artifact
        inputs["oracle"] = oracle.digest
    artifact = Artifact(UNLEARN, name, training_digest(manifest, UNLEARN, method, target, inputs))
    return Job(
        UNLEARN, name, target, seed, settings, artifact, method, entry, vanilla, oracle,
        governed=stop == "uniform",
    )  # fmt: skip
