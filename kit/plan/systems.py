"""The systems that a plan evaluates, and where what is found about each lies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kit.artifacts import Artifact
from kit.benchmarks.protocol import Protocol
from kit.experiment.judge import JUDGE
from kit.experiment.manifest import Manifest
from kit.experiment.settings import FLUENCY, GRADIENT, LIKELIHOOD, EvaluationSection
from kit.experiment.systems import UNTRAINED, VANILLA, Design, PlannedSystem, planned_systems
from kit.methods import Method
from kit.plan.digests import agreement_digest, answers_digest, judge_inputs, scores_digest
from kit.plan.references import References, references_of, scoring_inputs

# What is measured of a system beside its answers, in this order, and how messages call it.
SCORES = {
    "likelihoods": "log-likelihoods of given answers",
    "gradients": "gradient norms of given answers",
    "read": "own answers, read by Vanilla",
    "judged": "own answers, read by the judge",
}


def together(section: EvaluationSection, systems: int, engines: int = 1) -> int:
    """Return how many systems one engine answers together, at most.

    What an engine computes together can change the last bits of an answer. So a cluster answers in
    the groups of one machine, unless `batch_invariant` asks for answers that do not depend on that:
    then groups are small enough for every engine to have one.

    Args:
        systems: that are to be answered.
        engines: that answer at the same time.
    """
    if section.serving == "merged":
        return 1
    if section.batch_invariant:
        return max(1, min(section.max_adapters, -(-systems // engines)))
    return section.max_adapters


@dataclass(frozen=True)
class System:
    """One row of the table: adapters that answer questions, perhaps after an instruction."""

    name: str
    target: str | None
    """What is forgotten; None for systems that are measured on all targets."""
    method: str
    label: str
    """The name that tables print."""
    seed: int | None
    adapters: tuple[Artifact, ...]
    """The adapters stacked on the base, in order."""
    answers: Artifact
    agreement: Artifact
    """What the second implementation found in a sample of the answers."""
    likelihoods: Artifact | None
    """None where neither the benchmark's protocol nor the manifest asks for likelihoods."""
    instruction: str = ""
    """Text before every question."""
    token_table: bool = False
    """Whether each token of given answers is described, beside their likelihoods."""
    references: References | None = None
    """{Retain-only system: (its target, its adapters)} that distances are measured to; None where
    the manifest does not ask for them."""
    gradients: Artifact | None = None
    """Norms of gradients; None where the manifest does not ask for them."""
    read: Artifact | None = None
    """How likely Vanilla finds its answers; None where the manifest does not ask for it."""
    judged: Artifact | None = None
    """How likely each reply of the judge is; None where the manifest does not ask for it."""

    @property
    def scores(self) -> dict[str, Artifact]:
        """Return what is measured of it beside its answers: {name in `SCORES`: artifact}."""
        kinds = {kind: getattr(self, kind) for kind in SCORES}
        return {kind: made for kind, made in kinds.items() if made is not None}

    @property
    def evaluated(self) -> bool:
        """Whether its answers exist and are checked, and what is measured beside them exists."""
        answered = self.answers.done and self.agreement.done
        return answered and all(made.done for made in self.scores.values())


def evaluated_systems(
    manifest: Manifest,
    protocol: Protocol,
    built: Mapping[str, Method],
    made: Mapping[str, Artifact],
    serving: Artifact,
) -> tuple[System, ...]:
    """Return the systems of a manifest.

    Args:
        built: the methods, by the names of their entries.
        made: the artifacts of the plan's adapters, by name.
        serving: the base as it is served.
    """
    design = Design.model_validate(manifest)
    every = tuple(planned_systems(design, one_retain_set=protocol.one_retain_set))
    return tuple(
        _system(
            manifest,
            planned,
            built.get(planned.entry or ""),
            [made[name] for name in planned.adapters],
            serving,
            systems=len(every),
            likelihood=protocol.likelihood,
            references=references_of(planned, every, made, manifest),
            reader=made[VANILLA],
        )
        for planned in every
    )


def _system(
    manifest: Manifest,
    planned: PlannedSystem,
    method: Method | None,
    adapters: Sequence[Artifact],
    serving: Artifact,
    *,
    systems: int,
    likelihood: bool,
    references: References | None,
    reader: Artifact,
) -> System:
    instruction = getattr(method, "instruction", "") if planned.method in UNTRAINED else ""
    asked = {
        "adapters": [artifact.digest for artifact in adapters],
        "target": planned.target,
        "targets": manifest.targets if planned.target is None else [planned.target],
        "instruction": instruction,
    }
    served = {"serving": serving.digest, "evaluation": manifest.evaluation.deciding()}
    answers = Artifact("evaluate", planned.name, answers_digest(manifest, {**asked, **served}))
    checked = agreement_digest(manifest, answers.digest, systems)
    agreement = Artifact("evaluate", f"agreement-{planned.name}", checked)
    likelihoods = None
    token_table = LIKELIHOOD in manifest.evaluation.metrics
    if likelihood or token_table or references is not None:
        # Computed by transformers on the 4-bit base, so serving has no influence.
        inputs = scoring_inputs(asked, token_table, references)
        digest = scores_digest(manifest, "likelihoods", "kit.evaluation.scoring", inputs)
        likelihoods = Artifact("evaluate", f"likelihoods-{planned.name}", digest)
    gradients = read = judged = None
    if GRADIENT in manifest.evaluation.metrics:
        digest = scores_digest(manifest, "gradients", "kit.evaluation.gradients", asked)
        gradients = Artifact("evaluate", f"gradients-{planned.name}", digest)
    if FLUENCY in manifest.evaluation.metrics:
        inputs = {"answers": answers.digest, "reader": reader.digest}
        digest = scores_digest(manifest, "read", "kit.evaluation.reading", inputs)
        read = Artifact("evaluate", f"read-{planned.name}", digest)
    if JUDGE in manifest.evaluation.metrics:
        inputs = {"answers": answers.digest, **judge_inputs(manifest)}
        digest = scores_digest(manifest, "judged", "kit.evaluation.judging", inputs)
        judged = Artifact("evaluate", f"judged-{planned.name}", digest)
    return System(
        planned.name, planned.target, planned.method, planned.label, planned.seed, tuple(adapters),
        answers, agreement, likelihoods, str(instruction), token_table,
        references, gradients, read, judged,
    )  # fmt: skip
