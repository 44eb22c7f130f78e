"""Time of the work that is left, from rates that a probe measured on this kind of device.

A stage takes its start, and then as long as its busiest worker. Nothing here is measured; the
probe is `kit.stages.probe`.
"""

import heapq
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from kit.artifacts import cache_root, write_json
from kit.attacks.pixels import PixelAttack
from kit.attacks.probe_head import ProbeHead
from kit.digests import sha256_value
from kit.errors import ManifestError
from kit.experiment.manifest import Manifest
from kit.gpus import gpus
from kit.methods.passes import count_passes
from kit.methods.update import MEASURED
from kit.plan.attacks import STAGE as ATTACK
from kit.plan.attacks import AttackJob, attack_jobs
from kit.plan.jobs import Job, Plan
from kit.result.strict_json import parse_json

STAGES = ("finetune", "unlearn", "evaluate", ATTACK)
OTHER = "other"  # a pass without gradient
MAX_BYTES = 4 << 20  # of a file of rates; one of 2,000 systems and their attacks has 1 MB
Seconds = Annotated[float, Field(ge=0, le=1e12)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
STRICT = ConfigDict(strict=True, extra="forbid")


@dataclass(frozen=True)
class AttackRates:
    """What a probe measured of attacks, in seconds; adapters that relearn are under `passes`."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    start: Seconds
    """Of the stage: all that grows with nothing."""
    gradient: Seconds
    """Of the gradient of one picture; 0 where the manifest optimises none."""
    answer: Seconds
    """Of each answer, all engines together."""
    questions: Mapping[str, Count]
    """Name of an attack's answers -> how many questions it asks at all levels, with those that a
    head is trained on."""


@dataclass(frozen=True)
class Rates:
    """What a probe measured, in seconds, with as many workers as the manifest has."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    device: str
    start: Mapping[str, Seconds]
    """Stage -> until the first worker has begun; of `evaluate`, all that grows with nothing."""
    passes: Mapping[str, Seconds]
    """Of a record's pass through the model with gradient, by stage, and `other`: without.
    `attack` is that of an adapter that relearns."""
    round: Seconds
    """Of an engine with each group of systems that it answers together, answers not included."""
    answer: Seconds
    """Of each answer, with all that is scored beside it, all engines together."""
    answers: Mapping[str, Count]
    """System -> how many questions it is asked."""
    attack: AttackRates | None = None
    """None where the manifest has no attacks, or the probe is older than their times."""


def estimate(plan: Plan, rates: Rates) -> dict[str, float]:
    """Return the seconds of each stage that has work left.

    A stop rule may end a job earlier. Reference scalars are left out: jobs share them, and each
    takes one pass.
    """
    manifest = plan.manifest
    found = {}
    for stage, jobs in (("finetune", plan.finetune), ("unlearn", plan.unlearn)):
        left = [job for job in jobs if not job.artifact.done]
        if left:
            each = [training_seconds(job, rates) for job in left]
            found[stage] = rates.start[stage] + longest_share(each, manifest.compute.workers)
    unanswered = [system.name for system in plan.systems if not system.evaluated]
    if unanswered:
        asked = sum(rates.answers[name] for name in unanswered)
        rounds = rounds_of(len(unanswered), manifest)
        found["evaluate"] = rates.start["evaluate"] + rounds * rates.round + asked * rates.answer
    waiting = [job for job in attack_jobs(plan) if not job.answers.done]
    if waiting and rates.attack is not None:
        found[ATTACK] = _attack_seconds(waiting, manifest, rates, rates.attack)
    return found


def _attack_seconds(
    jobs: Sequence[AttackJob], manifest: Manifest, rates: Rates, measured: AttackRates
) -> float:
    """Return the time of attacks: relearning, pictures, heads on hidden states, answers.

    Changed weights count as another group of systems. Where adapters are served, that is too
    little.
    """
    workers = manifest.compute.workers
    relearn = [each for job in jobs for each in job.relearned.values() if not each.artifact.done]
    pictures = [
        measured.gradient * job.attack.steps * measured.questions[job.answers.name]
        for job in jobs
        if isinstance(job.attack, PixelAttack) and job.pictures and not job.pictures.done
    ]
    heads = [job for job in jobs if isinstance(job.attack, ProbeHead)]
    states = [rates.passes[OTHER] * measured.questions[job.answers.name] for job in heads]
    asking = [job for job in jobs if not isinstance(job.attack, ProbeHead)]
    served = {job.served(level).name for job in asking for level in job.entry.levels}
    asked = sum(measured.questions[job.answers.name] for job in asking)
    return (
        measured.start
        + longest_share([training_seconds(job, rates) for job in relearn], workers)
        + longest_share(pictures, workers)
        + longest_share(states, workers)
        + rounds_of(len(served), manifest) * rates.round
        + asked * measured.answer
    )


def training_seconds(job: Job, rates: Rates) -> float:
    """Return the time of all steps of a job."""
    passes = count_passes(job.method)
    gradient, other = rates.passes[job.stage], rates.passes[OTHER]
    each = passes.all_with_gradient * gradient + passes.other * other
    measured = MEASURED * passes.measured * gradient  # at most
    return job.steps * job.settings.batch_size * each + measured


def rounds_of(systems: int, manifest: Manifest) -> int:
    """Return how many groups of systems the busiest engine answers one after the other."""
    if manifest.evaluation.serving == "merged":
        return -(-systems // min(manifest.compute.workers, systems))
    return -(-systems // manifest.evaluation.max_adapters)


def longest_share(seconds: Sequence[float], workers: int) -> float:
    """Return the time of the busiest worker, where the longest jobs are begun first."""
    busy = [0.0] * workers
    for each in sorted(seconds, reverse=True):
        heapq.heappush(busy, heapq.heappop(busy) + each)
    return max(busy)


def device_name() -> str:
    """Return what the rates hold for: the GPU, or processor and number of cores."""
    if found := gpus():
        return f"{len(found)} x {found[0].name}"
    model = "processor"
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
        model = next((x.partition(":")[2].strip() for x in lines if "model name" in x), model)
    return f"{len(os.sched_getaffinity(0))} cores of {model} ({platform.machine()})"


def rates_path(manifest: Manifest, device: str) -> Path:
    """Return the file of a manifest's rates on a device. Claims and report decide no time."""
    outside = ("claims", "calibration", "report")
    deciding = {k: v for k, v in manifest.resolved().items() if k not in outside}
    key = sha256_value([deciding, device])
    return cache_root() / "artifacts" / f"probe-{key[:16]}.json"


def store_rates(manifest: Manifest, rates: Rates) -> None:
    """Keep what a probe measured for later plans."""
    write_json(rates_path(manifest, rates.device), asdict(rates))


def read_rates(manifest: Manifest) -> Rates | None:
    """Return what a probe measured of this manifest on this device; None if none was made."""
    path = rates_path(manifest, device_name())
    if not path.is_file():
        return None
    return rates_in(path, f"remove {path}, or measure again: `./run.sh plan MANIFEST --probe`")


def rates_in(path: Path, remedy: str = "copy it from the machine that was measured") -> Rates:
    """Return the rates of a file, as a probe writes it.

    Args:
        path: it may be a pipe.
        remedy: what to do where it is none.

    Raises:
        ManifestError: it is no file of rates.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        parse_json(data, max_bytes=MAX_BYTES)  # refuses what two readers could read in two ways
        return _RATES.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        fault = ": ".join(filter(None, [".".join(map(str, first["loc"])), first["msg"]]))
    except (OSError, ValueError) as error:
        fault = str(error)
    raise ManifestError(
        f"{path} holds no rates",
        expected="the file that `./run.sh plan MANIFEST --probe` keeps: "
        ".cache/artifacts/probe-*.json",
        found=fault[:200],
        remedy=remedy,
    )


def _require_keys(rates: Rates) -> Rates:
    for name, held, needed in (
        ("start", rates.start, STAGES[:-1]),
        ("passes", rates.passes, (*STAGES[:2], OTHER)),
    ):
        if missing := [key for key in needed if key not in held]:
            raise ValueError(f"{name} has no {missing[0]}")
    return rates


_RATES: TypeAdapter[Rates] = TypeAdapter(Annotated[Rates, AfterValidator(_require_keys)])
