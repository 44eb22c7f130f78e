"""The attacks of a manifest as jobs: which system is asked what, and where the answers lie."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from kit.artifacts import Artifact
from kit.attacks import Attack
from kit.attacks.pixels import PixelAttack
from kit.attacks.probe_head import ProbeHead
from kit.attacks.relearning import Relearning
from kit.attacks.weights import WeightAttack
from kit.benchmarks.records import Benchmark
from kit.code import code_of
from kit.experiment.attack import AttackEntry, AttackSection, attacked_targets
from kit.experiment.manifest import Manifest, TrainingSection
from kit.experiment.own_settings import deciding
from kit.methods import Method
from kit.methods import registry as methods
from kit.plan.attack_names import require_attacks
from kit.plan.digests import attack_digest, training_digest
from kit.plan.inputs import digest_of
from kit.plan.jobs import Job, Plan
from kit.plan.systems import System
from kit.result.run_file import entry_of

STAGE = "attack"


@dataclass(frozen=True)
class RelearnJob(Job):
    """One adapter that relearns, on top of all adapters of a system."""

    under: tuple[Artifact, ...] = ()
    relearning: Relearning = field(default_factory=Relearning)
    level: float = 0.0
    first: str = ""
    """The name that the initial weights are drawn by: the same for every system."""

    @property
    def stream(self) -> str:
        """Return the name that the initial weights are drawn by."""
        return self.first

    @property
    def below(self) -> tuple[Artifact, ...]:
        """Return the adapters that it is stacked on, in order."""
        return self.under

    def records(self, benchmark: Benchmark) -> tuple[str, ...]:
        """Return the ids of the records that it is trained on."""
        assert self.target is not None, "an attack has a target"
        return self.relearning.records(benchmark, self.target, self.level)


@dataclass(frozen=True)
class AttackJob:
    """One attack on one system, about one target, at all of its levels."""

    system: System
    target: str
    entry: AttackEntry
    attack: Attack
    answers: Artifact
    relearned: Mapping[float, RelearnJob]
    """The adapter of each level; empty for an attack that trains none."""
    pictures: Artifact | None = None
    """The pictures of an attack that optimises them."""

    def served(self, level: float) -> System:
        """Return the system that answers at a level: with its own name and weights."""
        if isinstance(self.attack, WeightAttack):
            return replace(self.system, name=f"{self.answers.name}-{level:g}")
        if level not in self.relearned:
            return self.system
        job = self.relearned[level]
        adapters = (*self.system.adapters, job.artifact)
        return replace(self.system, name=job.name, adapters=adapters)


@dataclass(frozen=True)
class PreviewedPlan(Plan):
    """A plan whose checksum lists are missing, with the attacks that were found where it was made.

    Their digests name nothing that exists.
    """

    attacks: tuple[AttackJob, ...] = ()


def attack_jobs(plan: Plan) -> tuple[AttackJob, ...]:
    """Return the attacks of a plan, system by system; none without a section `[attack]`."""
    if isinstance(plan, PreviewedPlan):
        return plan.attacks
    section = plan.manifest.attack
    if section is None:
        return ()
    built = require_attacks(plan.manifest)
    return tuple(
        _attack_job(plan, system, target, entry, built[entry.name], section)
        for system in plan.systems
        for target in attacked_targets(
            section, plan.manifest.targets, system.target, entry_of(vars(system))
        )
        for entry in section.entries
    )


def _attack_job(
    plan: Plan,
    system: System,
    target: str,
    entry: AttackEntry,
    attack: Attack,
    section: AttackSection,
) -> AttackJob:
    manifest = plan.manifest
    name = f"{target}-{system.name}-{entry.name}"
    relearned: dict[float, RelearnJob] = {}
    if isinstance(attack, Relearning):
        relearned = {
            level: _relearn_job(manifest, system, target, entry, attack, level)
            for level in entry.levels
        }
    inputs = {
        "adapters": [artifact.digest for artifact in system.adapters],
        "relearned": [job.artifact.digest for job in relearned.values()],
        "system": system.name,  # answers state it
        "instruction": system.instruction,
        "target": target,
        "entry": entry.model_dump(exclude={"label"}),
        "max_records": section.max_records,
        "serving": plan.serving.digest,
        "evaluation": manifest.evaluation.deciding(),
    }
    digest = attack_digest(manifest, type(attack).__module__, inputs)
    pictures = None
    if isinstance(attack, PixelAttack):
        made = digest_of({"answers": digest, "code": code_of(["kit.evaluation.optimising"])})
        pictures = Artifact(STAGE, f"pictures-{name}", made)
        digest = digest_of({"answers": digest, "pictures": made})
    if isinstance(attack, ProbeHead):  # it is not the engine that answers
        digest = digest_of({"answers": digest, "code": code_of(["kit.evaluation.probing"])})
    answers = Artifact(STAGE, name, digest)
    return AttackJob(system, target, entry, attack, answers, relearned, pictures)


@lru_cache(maxsize=1)
def _supervised() -> Method:
    return methods.build("retain_finetune", {})


def _relearn_job(
    manifest: Manifest,
    system: System,
    target: str,
    entry: AttackEntry,
    attack: Relearning,
    level: float,
) -> RelearnJob:
    method = _supervised()
    name = f"{target}-{system.name}-{entry.name}-{level:g}"
    shared = manifest.unlearn.model_dump(exclude={"stop", "target_steps"})
    settings = TrainingSection(**{**shared, **attack.settings(level)})
    # Every system relearns the same records in the same order, from the same first weights.
    seed, first = manifest.seeds[0], f"{target}-{entry.name}-{level:g}"
    inputs = {
        "first": first,
        "settings": deciding(settings),
        "seed": seed,
        "under": [artifact.digest for artifact in system.adapters],
        "entry": entry.model_dump(exclude={"label", "levels"}),
        "level": level,
        "attack": code_of([type(attack).__module__]),
    }
    digest = training_digest(manifest, STAGE, method, target, inputs)
    return RelearnJob(
        STAGE, name, target, seed, settings, Artifact(STAGE, name, digest), method,
        under=system.adapters, relearning=attack, level=level, first=first,
    )  # fmt: skip
