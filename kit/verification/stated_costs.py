"""Can what run.json says of costs be: needs and passes of jobs, stages, and calls?

Costs are the signer's word. What is checked is that they fit together: a cost that is less than the
steps of the manifest take, or needs that differ between seeds of one method, contradict the rest.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from kit.experiment.systems import MERGE_ADAPTERS, REMOVE_NEURONS, TRAINING_FREE
from kit.result.layout import RUN
from kit.result.made_by import Kit
from kit.verification.contradiction import contradicts
from kit.verification.machine_facts import EnvironmentFacts
from kit.verification.planned import Planned
from kit.verification.run_facts import AttemptFacts, JobFacts, RunFacts, StageFacts, is_early
from kit.verification.training import Asked, asked_of, training_of

# The fields of kit.methods.Needs, which needs torch; a test holds them together.
NEEDS = frozenset(
    {"forget", "retain", "refusals", "reference_scalars", "retain_only_scalars",
     "reference_distribution", "concept_balance", "single_image", "other_answers",
     "random_answers", "alternates", "subject_facts", "text_view", "hidden_states", "arithmetic",
     "neurons", "training_free", "merging", "whole_batch", "gradient_rule", "measure",
     "perturbation", "training"}
)  # fmt: skip
# As kit.stages.costs and kit.stages.attempts write them; a test holds them together.
STAGES = ("fetch", "finetune", "unlearn", "evaluate", "attack")
EVENTS = frozenset({"started", "finished", "failed", "cut off"})
# Needs for which every drawn record of a step takes one more pass.
ONE_MORE = ("reference_distribution", "perturbation")
MOST_PASSES = 16  # for each record of a step; no method of the kit needs more than five
LARGEST_SET = 20_000  # records that are read once, before the first step; PEBench has 16,000
CLOCKS = timedelta(days=1)  # by which two clocks may differ
_VERB = re.compile(r"[a-z][a-z-]{0,40}")
_PYTHON = re.compile(r"3\.\d{1,3}\.\d{1,3}([a-z0-9.+-]{0,20})")
_PACKAGE = re.compile(r"[A-Za-z0-9._-]{1,100} \S{1,100}")
_ERROR = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,100}")


def check_costs(
    manifest: Mapping[str, object], facts: RunFacts, planned: Planned, kit: Kit
) -> None:
    """Check needs, passes, stages and calls.

    Args:
        manifest: that in run.json.
        facts: of run.json; its jobs are those of the manifest.
        planned: what the manifest implies.
        kit: which made the result.

    Raises:
        VerificationError: something cannot be; the first five faults are named.
    """
    asked = asked_of(training_of(manifest), planned)
    answers = _answers_of(manifest)
    faults = [*_need_faults(facts.jobs, planned)]
    for job in facts.jobs:
        most = MOST_PASSES * answers.get(planned.entries.get(job.name, ""), 1)
        faults += _pass_faults(job, asked[job.name], most)
        if job.steps and job.seconds == 0:
            faults.append(f"{job.name}: {job.steps} steps in no time")
        if job.lost is not None and job.lost.forward_passes < job.lost.steps:
            faults.append(f"{job.name}: it lost fewer forward passes than steps")
    faults += _machine_faults(manifest, facts.environment)
    faults += _stage_faults(facts.stages, attacked=bool(manifest.get("attack")))
    if not is_early(kit):
        faults += _call_faults(facts.attempts, facts.written)
    if faults:
        raise contradicts(
            f"what {RUN} says of its costs cannot be",
            "needs that are equal for one method and known, passes of every record that a step "
            "draws, each stage once, and calls that began before the result was written",
            faults,
        )


def _need_faults(jobs: list[JobFacts], planned: Planned) -> Iterator[str]:
    stated: dict[str, dict[str, str]] = defaultdict(dict)
    for job in jobs:
        if job.needs is None:
            continue
        if unknown := sorted(job.needs.keys() - NEEDS):
            yield f"{job.name}: a method has no need '{unknown[0]}'"
        entry = planned.entries.get(job.name, job.stage)
        on = ", ".join(sorted(name for name, value in job.needs.items() if value))
        stated[entry].setdefault(on, job.name)
        if not job.needs.get("training", False):
            yield f"{job.name}: its needs say that it does not train"
        if entry == job.stage and on != "retain, training":
            yield f"{job.name}: fine-tuning needs retain records alone, not {on}"
        method = planned.methods.get(job.name)
        for need, files in (("neurons", REMOVE_NEURONS), ("training_free", TRAINING_FREE),
                            ("merging", MERGE_ADAPTERS)):  # fmt: skip
            if method in files and not job.needs.get(need, False):
                yield f"{job.name}: the method {method} needs {need}"
    for entry, sets in stated.items():
        if len(sets) > 1:
            (one, first), (other, second), *_ = sets.items()
            yield f"{entry}: {first} needs {one}, and {second} needs {other}"


def _pass_faults(job: JobFacts, asked: Asked, most: int) -> Iterator[str]:
    batch, steps, passes = asked.section.batch_size, job.steps, job.forward_passes
    if passes is None or steps is None or batch is None:
        return
    needs = job.needs or {}
    each = 1 + sum(needs.get(name, False) for name in ONE_MORE)
    each += needs.get("retain", False) and needs.get("forget", False)
    if passes < steps * batch * each:
        yield (
            f"{job.name}: {passes} forward passes in {steps} steps of {batch} records, of which "
            f"each takes {each} with its needs"
        )
    if passes > most * (steps * batch + LARGEST_SET):
        yield f"{job.name}: {passes} forward passes in {steps} steps of {batch} records"


def _answers_of(manifest: Mapping[str, object]) -> dict[str, int]:
    """Return {entry: random answers for each record}, where a method's options say so."""
    methods = manifest.get("methods")
    found = {}
    for each in methods if isinstance(methods, list) else []:
        options = each.get("options") if isinstance(each, dict) else None
        count = options.get("answers") if isinstance(options, dict) else None
        if isinstance(count, int) and count > 0:
            found[str(each["name"])] = count
    return found


def _machine_faults(manifest: Mapping[str, object], environment: EnvironmentFacts) -> Iterator[str]:
    if not environment.packages:
        yield "environment: no package is stated, and the kit needs some"
    for name, version in environment.packages.items():
        if not _PACKAGE.fullmatch(f"{name} {version}"):
            yield f"environment: {name[:80]!r}, {version[:80]!r} are no package and its version"
            break
    if environment.python is not None and not _PYTHON.fullmatch(environment.python):
        yield f"environment: '{environment.python[:80]}' is no version of Python 3"
    compute = manifest.get("compute")
    threads = compute.get("threads") if isinstance(compute, dict) else None
    if None not in (threads, environment.torch_threads) and threads != environment.torch_threads:
        yield f"environment: {environment.torch_threads} threads, but compute.threads is {threads}"


def _stage_faults(stages: list[StageFacts], *, attacked: bool) -> Iterator[str]:
    names = [each.stage for each in stages]
    known = STAGES if attacked else STAGES[:-1]
    for name in names:
        if name not in known:
            yield f"the stage '{name[:80]}' is none of {', '.join(known)}"
    places = [known.index(name) for name in names if name in known]
    if any(one >= other for one, other in pairwise(places)):
        yield f"the stages {', '.join(names)[:200]} are not each there once and in order"


def _call_faults(attempts: list[AttemptFacts], written: str) -> Iterator[str]:
    if not any(each.event == "started" for each in attempts):
        yield "no call of the kit is stated, and one made the result"
    end, last = utc(written), None
    for number, each in enumerate(attempts):
        place = f"call {number}"
        if each.utc is not None:
            moment = utc(each.utc)
            if last is not None and moment < last - CLOCKS:
                yield f"{place} is of {each.utc}, more than a day before the call above it"
            last = moment
        if each.event not in EVENTS:
            yield f"{place}: the event '{each.event[:80]}' is none of {', '.join(sorted(EVENTS))}"
        elif each.event != "cut off" and (each.utc is None or each.verb is None):
            yield f"{place}: its time or verb is missing"
        if each.verb is not None and not _VERB.fullmatch(each.verb):
            yield f"{place}: '{each.verb[:80]}' is no verb"
        if each.error is not None and not _ERROR.fullmatch(each.error):
            yield f"{place}: '{each.error[:80]}' is no name of an error"
        if each.utc is not None and utc(each.utc) > end + CLOCKS:
            yield f"{place} is of {each.utc}, and the result was written at {written}"


def utc(moment: str) -> datetime:
    """Return a moment of run.json; one without a zone is taken for UTC."""
    found = datetime.fromisoformat(moment)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
