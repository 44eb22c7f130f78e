"""Hold the guards in run.json against the manifest and the answers.

`evaluate` stops where an adapter does nothing or where the second implementation disagrees. A
result that states such a finding contradicts that it was made.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import pandas as pd
from pydantic import (
    BaseModel,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
)

from kit.experiment.systems import UNTRAINED
from kit.result.layout import ANSWERS, RUN
from kit.result.made_by import Kit
from kit.result.run_file import System
from kit.result.unusable import unusable
from kit.verification.answer_form import count_faults
from kit.verification.contradiction import contradicts
from kit.verification.run_facts import AgreementFacts, RunFacts, is_early, may_lack_facts

# As kit.evaluation.guards has them, which needs torch; a test holds them together.
MIN_CANARY_NATS = 1e-4
MIN_ANSWERS = 16
NEAR_TIE_NATS = {"float32": 0.01, "bfloat16": 1.0}


class _Evaluation(BaseModel):
    agreement_sample: StrictInt = Field(gt=0)
    engine: StrictStr | None = None
    serving: StrictStr | None = None
    max_new_tokens: StrictInt | None = Field(None, gt=0)
    max_model_len: StrictInt | None = Field(None, gt=0)
    batch_invariant: StrictBool | None = None
    agreement_nats: StrictFloat | StrictInt | None = Field(None, gt=0)
    agreement_minimum: StrictFloat | StrictInt | None = Field(None, ge=0, le=1)  # of kit 0.1.0


class _Model(BaseModel):
    compute_dtype: Literal["float32", "bfloat16"] | StrictStr | None = None


class _Asked(BaseModel):
    evaluation: _Evaluation | None = None
    model: _Model

    @property
    def is_blind(self) -> bool:
        """Say whether the engine shows no log-probabilities, so that no adapter can be probed."""
        return self.evaluation is not None and self.evaluation.engine == "transformers"


def check_guards(
    manifest: Mapping[str, object],
    facts: RunFacts,
    systems: Sequence[System],
    answers: pd.DataFrame,
    kit: Kit,
) -> list[str]:
    """Check the canary of every trained system and the agreement of the two implementations.

    Args:
        manifest: that in run.json.
        facts: of run.json.
        systems: those of run.json.
        answers: answers.parquet.
        kit: which made the result.

    Returns:
        A line for what an early result does not state.

    Raises:
        VerificationError: a guard states what would have ended the run, or what cannot be.
    """
    asked = _asked(manifest)
    lines = []
    if asked.evaluation is None:
        if not may_lack_facts(kit, manifest):
            raise unusable(RUN, "manifest.evaluation is missing")
        lines.append("the manifest does not say how the systems were asked: guards were compared "
                     "with nothing")  # fmt: skip
    trained = [s["name"] for s in systems if s["method"] not in UNTRAINED]
    if not facts.guards.canary and asked.is_blind:
        lines.append("the engine shows no likelihoods: that adapters had an effect was not probed")
        trained = []
    if not facts.guards.canary and may_lack_facts(kit, manifest):
        lines.append("no system's canary is stated: that adapters had an effect was not recorded")
        trained = []
    faults = [*_canary_faults(facts.guards.canary, trained, {s["name"] for s in systems})]
    counts = answers.groupby("system").size()
    sizes = [int(counts.get(system["name"], 0)) for system in systems]
    faults += _agreement_faults(facts.guards.agreement, asked, sizes, complete=not is_early(kit))
    faults += _engine_faults(facts.engine.model_dump(), asked)
    faults += _answer_faults(answers, asked)
    if faults:
        raise contradicts(
            f"the guards of {RUN} state what would have ended the run",
            "every adapter with an effect, and two implementations that agree as the manifest asks",
            faults,
        )
    return lines


def _asked(manifest: Mapping[str, object]) -> _Asked:
    try:
        return _Asked.model_validate(manifest)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise unusable(RUN, f"manifest.{place}: {first['msg']}") from None


def _canary_faults(
    canary: Mapping[str, float], trained: list[str], systems: set[str]
) -> Iterator[str]:
    yield from (f"canary: {name} is missing" for name in trained if name not in canary)
    yield from (f"canary: {name} is no system" for name in canary if name not in systems)
    for name, nats in canary.items():
        if nats < MIN_CANARY_NATS:
            yield f"canary: {name} moves {nats:.1e} nats, less than {MIN_CANARY_NATS}"


def _agreement_faults(
    found: AgreementFacts, asked: _Asked, sizes: list[int], *, complete: bool
) -> Iterator[str]:
    evaluation, answers = asked.evaluation, sum(sizes)
    if found.sample > answers:
        yield f"agreement: a sample of {found.sample}, more than the {answers} stored answers"
    if found.equal is not None and found.equal > found.sample:
        yield f"agreement: {found.equal} equal answers of a sample of {found.sample}"
    if found.equal is None and found.largest_nats is None:
        yield "agreement: neither equal answers nor nats are stated"
    missing = [n for n in ("tokens", "largest_nats", "limit_nats") if getattr(found, n) is None]
    if complete and missing:
        yield f"agreement: {', '.join(missing)} is missing"
    largest, limit = found.largest_nats, found.limit_nats
    if largest is not None and limit is not None and largest > limit:
        yield f"agreement: {largest} nats, more than the limit {limit}"
    if evaluation is None:
        return
    share = math.ceil(evaluation.agreement_sample / len(sizes))
    # Half of a system's sample are forget records; other ones may be fewer. Early kits took fewer.
    least = sum(min(max(share, MIN_ANSWERS) // 2, size) for size in sizes) if complete else 1
    most = sum(min(max(share, MIN_ANSWERS), size) for size in sizes)
    if not least <= found.sample <= most:
        yield (
            f"agreement: a sample of {found.sample}, not of {least} to {most} as {len(sizes)} "
            f"systems and agreement_sample = {evaluation.agreement_sample} give"
        )
    wanted = evaluation.agreement_minimum
    if found.equal is not None and wanted is not None and found.equal < wanted * found.sample:
        yield (
            f"agreement: {found.equal} of {found.sample} answers are equal, less than the "
            f"manifest's {wanted:.0%}"
        )
    if found.tokens is not None and evaluation.max_new_tokens is not None:
        most = found.sample * evaluation.max_new_tokens
        if not 0 < found.tokens <= most:
            yield f"agreement: {found.tokens} tokens of {found.sample} answers, not 1 to {most}"
    right = evaluation.agreement_nats or NEAR_TIE_NATS.get(str(asked.model.compute_dtype))
    if limit is not None and right is not None and limit != right:
        yield f"agreement: the limit is {limit} nats, not the manifest's {right}"


def _engine_faults(engine: Mapping[str, object], asked: _Asked) -> Iterator[str]:
    """Yield where the engine that answered is not the manifest's; it states what it knows."""
    if asked.evaluation is None:
        return
    right = {
        **asked.evaluation.model_dump(include={"engine", "serving", "max_model_len"}),
        "batch_invariant": asked.evaluation.batch_invariant,
        "dtype": asked.model.compute_dtype,
    }
    for name, wanted in right.items():
        said = engine.get(name)
        if said is not None and wanted is not None and said != wanted:
            yield f"engine: {name} is {str(said)[:100]!r}, not {wanted!r}"


def _answer_faults(answers: pd.DataFrame, asked: _Asked) -> Iterator[str]:
    most = asked.evaluation.max_new_tokens if asked.evaluation else None
    for fault in count_faults(answers, most):
        yield f"{ANSWERS}: {fault}"
