"""Hold the jobs in run.json against the training that the manifest asks for.

How many steps a job made, why it stopped, and on how many records at a time follows from the
manifest, but for a job that its stop rule ended.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, FailFast, Field, StrictFloat, StrictInt, StrictStr, ValidationError

from kit.experiment.systems import FINETUNE, TRAINING_FREE
from kit.result.layout import RUN
from kit.result.made_by import Kit
from kit.result.unusable import unusable
from kit.verification.contradiction import contradicts
from kit.verification.planned import Planned
from kit.verification.run_facts import JobFacts, RunFacts, may_lack_facts

UNIFORM = "uniform"  # the stop rule
NEVER = "never"  # of gradient_checkpointing
OWN = ("batch_size", "micro_batch_size", "rank", "alpha")  # an entry may state them


class Section(BaseModel):
    """How a stage trains; what an early manifest does not state is None."""

    steps: StrictInt | None = Field(None, gt=0)
    batch_size: StrictInt | None = Field(None, gt=0)
    micro_batch_size: StrictInt | None = Field(None, gt=0)
    rank: StrictInt | None = Field(None, gt=0)
    alpha: StrictFloat | StrictInt | None = Field(None, gt=0)
    stop: StrictStr | None = None
    gradient_checkpointing: StrictStr | None = None
    target_steps: dict[str, Annotated[StrictInt, Field(gt=0)]] = {}


class _Method(BaseModel):
    name: StrictStr
    method: StrictStr | None = None
    steps: StrictInt | None = Field(None, gt=0)
    stop: StrictStr | None = None
    batch_size: StrictInt | None = Field(None, gt=0)
    micro_batch_size: StrictInt | None = Field(None, gt=0)
    rank: StrictInt | None = Field(None, gt=0)
    alpha: StrictFloat | StrictInt | None = Field(None, gt=0)

    def section(self, common: Section) -> Section:
        """Return the section of all methods with what this one states of its own."""
        own = {name: getattr(self, name) for name in OWN}
        return common.model_copy(update={k: v for k, v in own.items() if v is not None})


class Training(BaseModel):
    """What of a manifest decides how adapters are trained."""

    finetune: Section
    unlearn: Section
    methods: Annotated[tuple[_Method, ...], FailFast()]


@dataclass(frozen=True)
class Asked:
    """What the manifest asks of one job; `governed`: its stop rule may end it early."""

    section: Section
    steps: int | None
    governed: bool


def training_of(manifest: Mapping[str, object]) -> Training:
    """Return how the manifest in a run.json trains.

    Raises:
        VerificationError: it does not say so in the right types.
    """
    try:
        return Training.model_validate(manifest)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise unusable(RUN, f"manifest.{place}: {first['msg']}") from None


def asked_of(training: Training, planned: Planned) -> dict[str, Asked]:
    """Return {name of a job: what the manifest asks of it}."""
    methods = {method.name: method for method in training.methods}
    asked = {}
    for adapter in planned.adapters.values():
        if adapter.stage == FINETUNE:
            asked[adapter.name] = Asked(training.finetune, training.finetune.steps, False)
            continue
        method = methods[planned.entries[adapter.name]]
        common = training.unlearn
        stop = method.stop or common.stop
        section = method.section(common)
        if method.method in TRAINING_FREE:
            asked[adapter.name] = Asked(section, 0, False)
            continue
        asked[adapter.name] = Asked(
            section,
            method.steps or common.target_steps.get(str(adapter.target)) or common.steps,
            stop == UNIFORM,
        )
    return asked


def check_training(
    manifest: Mapping[str, object], facts: RunFacts, planned: Planned, kit: Kit
) -> list[str]:
    """Check steps, stop reason and micro-batch of every job against the manifest.

    Returns:
        A line for what an early result does not state.

    Raises:
        VerificationError: a job was not trained as the manifest asks; the first five are named.
    """
    asked = asked_of(training_of(manifest), planned)
    counts = Counter(job.digest for job in facts.jobs)
    faults = [f"{j.name}: another job has its digest" for j in facts.jobs if counts[j.digest] > 1]
    unsaid: list[str] = []
    for job in facts.jobs:
        done, wanted = job.steps, asked[job.name].steps
        if done is None or wanted is None:
            unsaid.append(job.name)
        else:
            found = _faults(job, asked[job.name], done, wanted)
            faults += (f"{job.name}: {fault}" for fault in found)
    if unsaid and not may_lack_facts(kit, manifest):
        faults += [f"{name}: its steps are not stated" for name in unsaid]
    if faults:
        raise contradicts(
            f"the jobs of {RUN} were not trained as its manifest asks",
            "the steps that it asks for; fewer only where its stop rule ended the job",
            faults,
        )
    return [f"the steps of {len(unsaid)} jobs are not stated"] if unsaid else []


def _faults(job: JobFacts, asked: Asked, done: int, wanted: int) -> Iterator[str]:
    if done > wanted or (job.stopped is None and done < wanted):
        yield f"{done} steps, not {wanted}"
    if wanted and not done:
        yield "no step was made"
    if job.stopped is not None and not asked.governed:
        yield f"it stopped ({job.stopped[:80]}), but the manifest gives it no stop rule"
    if job.stopped is not None and not job.stopped.strip():
        yield "it stopped for no reason"
    batch, micro = asked.section.batch_size, job.micro_batch_size
    if micro is not None and batch is not None and batch % micro:
        yield f"micro-batches of {micro} records, which do not divide a batch of {batch}"
    if job.gradient_checkpointing and asked.section.gradient_checkpointing == NEVER:
        yield "it computed activations twice, but the manifest says never"
