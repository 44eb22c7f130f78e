"""What a probe measured on a kind of device, and the file that keeps it. The probe is
`kit.stages.probe`.
"""

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from kit.artifacts import cache_root, write_json
from kit.digests import sha256_value
from kit.errors import ManifestError
from kit.experiment.manifest import Manifest
from kit.gpus import gpus
from kit.plan.attacks import STAGE as ATTACK
from kit.plan.attacks import attack_jobs
from kit.plan.jobs import Plan
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


def require_rates_of(plan: Plan, rates: Rates) -> None:
    """Check that rates say how often every system of a plan is asked, also under its attacks.

    Raises:
        ManifestError: the rates are of another manifest.
    """
    unknown = [system.name for system in plan.systems if system.name not in rates.answers]
    if rates.attack is not None:
        attacked = [job.answers.name for job in attack_jobs(plan)]
        unknown += [name for name in attacked if name not in rates.attack.questions]
    if unknown:
        raise ManifestError(
            "the rates are those of another manifest",
            expected=f"how many questions {unknown[0]} is asked",
            found=f"the rates of {len(rates.answers)} other systems",
            remedy="measure this manifest on one card: `./run.sh plan MANIFEST --probe`",
        )


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
    relearned = () if rates.attack is None else (ATTACK,)
    for name, held, needed in (
        ("start", rates.start, STAGES[:-1]),
        ("passes", rates.passes, (*STAGES[:2], OTHER, *relearned)),
    ):
        if missing := [key for key in needed if key not in held]:
            raise ValueError(f"{name} has no {missing[0]}")
    for stage in STAGES[:2]:  # shares of a time are told, and a time of 0 has none
        if not rates.passes[stage]:
            raise ValueError(f"passes.{stage} is 0, and a pass takes time")
    return rates


_RATES: TypeAdapter[Rates] = TypeAdapter(Annotated[Rates, AfterValidator(_require_keys)])
