"""Costs and versions that do not fit the rest of a result are refused."""

import pytest

from kit.errors import VerificationError
from kit.experiment.systems import MERGE_ADAPTERS, REMOVE_NEURONS, TRAINING_FREE
from kit.methods import Needs, registry
from kit.stages import costs
from kit.verification import stated_costs
from kit.verification.verify import verify
from tests.toys.signed_result import TRUSTED, forge, rejects
from tests.verification.test_contradictions import Edit, edit_run, job, remake_and_sign

NPO = 2  # its job: 30 steps of 16 records, each beside a retain record
NEEDS = {"forget": True, "retain": True, "reference_scalars": True, "refusals": False,
         "training": True}  # fmt: skip
STARTED = {"event": "started", "verb": "all", "utc": "2026-01-02T03:04:05+00:00"}


def stages(*names: str) -> Edit:
    listed = [{"stage": name, "seconds": 1.0, "jobs": 1, "jobs_skipped": 0} for name in names]
    return lambda run: run.update(stages=listed)


def calls(*entries: dict) -> Edit:
    return lambda run: run.update(attempts=list(entries))


COSTS: dict[str, tuple[Edit, str]] = {
    "a need that no method has": (job(NPO, needs=NEEDS | {"award": True}), "no need 'award'"),
    "needs of fine-tuning": (job(0, needs=NEEDS), "fine-tuning needs retain records alone"),
    "other needs of one stage": (job(0, needs={"retain": True, "training": True, "measure": True}),
                                 "fine-tuning needs retain records alone"),
    "training that trains nothing": (job(NPO, needs=NEEDS | {"training": False}), "does not train"),
    "half of the passes": (job(NPO, forward_passes=30 * 16), "480 forward passes in 30 steps"),
    "a pass too few": (job(NPO, forward_passes=2 * 30 * 16 - 1), "959 forward passes"),
    "endless passes": (job(NPO, forward_passes=10**12), "1000000000000 forward passes in 30"),
    "steps in no time": (job(NPO, seconds=0.0), "30 steps in no time"),
    "fewer passes than steps lost": (
        job(NPO, lost={"steps": 10**9, "forward_passes": 1, "seconds": 1}), "it lost fewer"),
    "alternates, which cards have": (job(NPO, alternates={"a": "b"}), "key 'jobs.2.alternates'"),
    "attacks that no manifest names": (
        lambda run: run.update(attacks=[{"name": "x", "code": "0" * 64}]),
        "attacks are stated without a section"),
    "no package": (lambda run: run["environment"].update(packages={}), "no package is stated"),
    "a sentence for a version": (
        lambda run: run["environment"].update(packages={"numpy": "certified by NIST"}),
        "'certified by NIST' are no package and its version"),
    "a sentence for a package": (
        lambda run: run["environment"].update(packages={"best paper": "1"}),
        "'best paper', '1' are no package"),
    "a Python to come": (lambda run: run["environment"].update(python="99.1"), "'99.1' is no vers"),
    "other threads": (lambda run: run["manifest"].update(compute={"threads": 1, "workers": 1}),
                      "2 threads, but compute.threads is 1"),
    "an engine of another kind": (lambda run: run.update(engine={"serving": "magic"}),
                                  "engine.serving"),
    "endless seconds": (job(NPO, seconds=1e300), "jobs.2.seconds"),
    "endless memory": (job(NPO, peak_memory_bytes=2**50), "jobs.2.peak_memory_bytes"),
    "an unknown stage": (stages("magic"), "the stage 'magic' is none of"),
    "attacks without attacks": (stages("attack"), "the stage 'attack' is none of"),
    "a stage twice": (stages("evaluate", "evaluate"), "not each there once and in order"),
    "stages in another order": (stages("evaluate", "unlearn"), "not each there once and in order"),
    "no call": (calls(), "no call of the kit is stated"),
    "only an end": (calls(STARTED | {"event": "finished"}), "no call of the kit is stated"),
    "an unknown event": (calls(STARTED, {"event": "won"}), "call 1: the event 'won' is none of"),
    "calls in another order": (calls(STARTED, STARTED | {"utc": "2026-01-01T00:00:00+00:00"}),
                               "call 1 is of 2026-01-01.*more than a day before the call above it"),
    "a call without a time": (calls(STARTED | {"utc": None}), "its time or verb is missing"),
    "a verb in words": (calls(STARTED | {"verb": "Best paper"}), "'Best paper' is no verb"),
    "an error in words": (calls(STARTED | {"error": "a b"}), "'a b' is no name of an error"),
    "a call after the end": (calls(STARTED | {"utc": "2036-01-02T03:04:05+00:00"}),
                             "is of 2036-01-02"),
    "written before it began": (lambda run: run.update(written="1999-01-02T04:05:06+00:00"),
                                "the result was written at 1999"),
    "twice, but never twice": (
        lambda run: (run["jobs"][NPO].update(gradient_checkpointing=True),
                     run["manifest"]["unlearn"].update(gradient_checkpointing="never")),
        "it computed activations twice, but the manifest says never"),
}  # fmt: skip


@pytest.mark.parametrize("name", COSTS)
def test_costs_that_cannot_be_are_refused(damaged, name):
    change, reason = COSTS[name]
    edit_run(damaged, change)
    forge(damaged)
    rejects(damaged, VerificationError, reason)


def test_costs_that_can_be_are_accepted(damaged):
    def honest(run):
        run["jobs"][NPO] |= {"forward_passes": 2 * 30 * 16, "peak_memory_bytes": 10**9}
        stages("finetune", "unlearn", "evaluate")(run)
        # `lock` ends under another name of the result than it began, so its start is not there.
        locked = STARTED | {"verb": "lock", "event": "finished"}
        calls(locked, STARTED, STARTED | {"event": "failed", "error": "TrainingError"})(run)

    edit_run(damaged, honest)
    remake_and_sign(damaged)
    assert verify(damaged, trusted=TRUSTED).rows > 0


def version(number: str) -> Edit:
    return lambda run: run["kit"].update(version=number, renderer="0" * 64)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("0.1.0", "the schema pebench-kit/run/2 came with kit 0.2.0"),
        ("0.2.0", "versions came with kit 0.3.0"),
        ("0.4.9", "versions.marks came with kit 0.5.0"),
    ],
)
def test_an_earlier_version_than_its_parts_need_is_refused(damaged, number, reason):
    edit_run(damaged, version(number))
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, reason)


def test_an_earlier_version_had_no_later_metric_and_no_later_rule(damaged):
    def early(run):
        version("0.2.0")(run)
        del run["versions"]

    edit_run(damaged, early)
    forge(damaged)
    said = rejects(damaged, VerificationError, "rule 3 of verdicts came with kit 0.5.0")
    assert "the metric monotonous came with kit 0.3.0" in said


def test_since_0_3_0_a_result_states_its_versions(damaged):
    def unsaid(run):
        version("0.3.0")(run)
        del run["versions"]

    edit_run(damaged, unsaid)
    forge(damaged)
    rejects(damaged, VerificationError, "versions is missing, which every result since")


def test_the_verifier_knows_needs_stages_and_files_of_the_kit():
    assert set(Needs.__dataclass_fields__) == stated_costs.NEEDS
    assert stated_costs.STAGES == costs.STAGES
    built = {name: registry.build(name, {}).needs for name in registry.names()}
    assert {name for name, needs in built.items() if needs.neurons} == REMOVE_NEURONS
    assert {name for name, needs in built.items() if needs.training_free} == TRAINING_FREE
    assert {name for name, needs in built.items() if needs.merging} == MERGE_ADAPTERS
