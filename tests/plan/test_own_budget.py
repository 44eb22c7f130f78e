"""A method with a rank and a batch of its own: trained so, checked so, and named as such.

The toy experiment gives all methods 16 records a step, in one micro-batch, and LoRA of rank 16
and alpha 16; the numbers below follow from these.
"""

from typing import Any

import pytest

from kit.artifacts import PROJECT
from kit.benchmarks import protocol
from kit.cli.plan_text import render
from kit.doctor.resources import adapter_bytes
from kit.errors import ManifestError
from kit.evaluation.engines.vllm_settings import VLLM_LORA_RANKS
from kit.experiment.manifest_file import load_manifest, parse_manifest
from kit.experiment.own_settings import largest_rank, settings_of
from kit.plan.cards import answering, kinds
from kit.plan.jobs import make_plan
from kit.plan.memory import serving_bytes
from kit.plan.method_settings import LARGEST_RANK
from kit.plan.published import PUBLISHED
from kit.report.comparability import comparability
from kit.stages.history import Keys
from kit.verification.planned import planned_by
from kit.verification.training import asked_of, training_of
from tests.toys.dataset import manifest

OWN = {"batch_size": 8, "micro_batch_size": 4, "rank": 4, "alpha": 8}
MANU = {"name": "manu", "label": "MANU", "method": "manu", "targets": ["person"]}
RELEARN = {"name": "relearn", "label": "R", "attack": "relearn_forget", "levels": [0.1]}
LLAVA = PUBLISHED["llava-hf/llava-1.5-7b-hf"]


def small(own: dict[str, Any] = OWN, name: str = "npo", **sections: Any) -> dict[str, Any]:
    """Return the toy experiment with settings of its own for one method, or with MANU besides."""
    document = manifest().resolved() | {"claims": []}
    for section, values in sections.items():
        document[section] = document[section] | values
    methods = document["methods"] + ([MANU] if name == "manu" else [])
    entries = [each | own if each["name"] == name else each for each in methods]
    return document | {"methods": entries}


def parsed(document: dict[str, Any]) -> Any:
    return parse_manifest(document, "own.toml")


def refusal(document: dict[str, Any]) -> ManifestError:
    with pytest.raises(ManifestError) as caught:
        make_plan(parsed(document))
    assert "own.toml" in str(caught.value), "the file is named"
    return caught.value


def test_the_entry_replaces_what_it_states_and_nothing_else():
    made = parsed(small())
    plain, own = (settings_of(made.unlearn, e) for e in made.methods if e.name in ("kl", "npo"))
    assert (plain.batch_size, plain.micro_batch_size, plain.rank, plain.alpha) == (16, 16, 16, 16)
    changed = {k: v for k, v in own.model_dump().items() if v != plain.model_dump()[k]}
    assert changed == OWN
    (npo,) = [each for each in made.methods if each.name == "npo"]
    assert settings_of(made.unlearn, npo, "person").steps == 60
    assert settings_of(made.unlearn, npo, "both").steps == 120, "of target_steps"


def test_a_manifest_without_own_settings_is_resolved_as_before():
    keys = {"name", "label", "method", "targets", "options", "steps", "learning_rate", "stop"}
    assert all(set(each) == keys for each in manifest().resolved()["methods"])


@pytest.mark.parametrize("own", [{"steps": 30}, {"learning_rate": 0.1}, {"stop": "never"}])
@pytest.mark.parametrize("name", ["prompt", "manu"])
def test_a_method_that_makes_no_step_states_nothing_about_steps(name, own):
    """A prompt trains nothing, and MANU prunes: the report would name a budget that none had."""
    error = refusal(small(own, name))
    (key,) = own
    assert f"method '{name}': it trains nothing, so its {key} has no effect" in error.what
    assert error.remedy == f"remove {key} from the entry"
    make_plan(parsed(small({}, name)))


def test_answers_that_do_not_depend_on_their_batch_are_asked_of_vllm_alone():
    asked = {"engine": "transformers", "serving": "adapters", "batch_invariant": True}
    error = refusal(small({}, evaluation=asked))
    assert "evaluation.batch_invariant has no effect" in error.what
    make_plan(parsed(small({}, evaluation=asked | {"batch_invariant": False})))
    make_plan(parsed(small({}, evaluation=asked | {"engine": "vllm"})))


def test_the_jobs_of_the_method_alone_are_other_jobs():
    before, after = (make_plan(parsed(small(own))) for own in ({}, OWN))
    assert {job.name for job in before.jobs()} == {job.name for job in after.jobs()}
    digests = {job.name: job.artifact.digest for job in before.jobs()}
    changed = {job.name for job in after.jobs() if job.artifact.digest != digests[job.name]}
    assert changed == {"person-npo-s1", "event-npo-s1", "both-npo-s1"}
    (job,) = [job for job in after.unlearn if job.name == "both-npo-s1"]
    assert (job.settings.batch_size, job.settings.rank, job.steps) == (8, 4, 120)


def test_the_plan_names_who_has_another_budget():
    said = render(make_plan(parsed(small())))
    (line,) = [each for each in said.splitlines() if "budget differs" in each]
    assert line.endswith(
        "npo, records in a step 8 instead of 16, rank 4 instead of 16, alpha 8 instead of 16"
    )
    assert "budget differs" not in render(make_plan(parsed(small({}))))
    same = {"batch_size": 16, "rank": 16, "alpha": 16}
    assert "budget differs" not in render(make_plan(parsed(small(same)))), "it is no other"
    every = render(make_plan(parsed(small())), each=True).splitlines()
    (job,) = [each for each in every if "person-npo-s1 " in each and "unlearn" in each]
    assert "60 steps of 8, learning rate 0.001, rank 4" in job


def test_the_report_says_that_a_difference_may_come_from_the_budget():
    loader = protocol("pebench")
    told, before = (comparability(parsed(small(own)).resolved(), loader) for own in (OWN, {}))
    (sentence,) = [each for each in told if each not in before]
    assert "NPO (records in a step 8 instead of 16, rank 4" in sentence
    assert [each for each in told if each != sentence] == before


def test_the_verifier_asks_for_the_method_s_own_rank_and_batch():
    resolved = parsed(small()).resolved()
    asked = asked_of(training_of(resolved), planned_by(resolved, protocol("pebench")))
    sections = {name: each.section for name, each in asked.items()}
    form = {name: (s.rank, s.alpha, s.batch_size) for name, s in sections.items()}
    assert form["person-npo-s1"] == form["both-npo-s1"] == (4, 8, 8)
    assert form["person-kl-s1"] == (16, 16, 16)
    assert form["vanilla"] == form["retain_only-person"] == (32, 32, 32)


def test_memory_follows_the_rank_of_each_method_and_answers_the_largest_one():
    made = load_manifest(PROJECT / "manifests" / "pebench.toml")
    rank = made.unlearn.rank
    own = {"rank": 2 * rank, "alpha": 2.0 * rank, "batch_size": 2, "micro_batch_size": 1}
    entries = tuple(e.model_copy(update=own if e.name == "npo" else {}) for e in made.methods)
    other = made.model_copy(update={"methods": entries})
    before, after = (
        {kind.name: kind for kind in kinds(each, LLAVA.sizes, LLAVA.record)}
        for each in (made, other)
    )
    more = rank * LLAVA.sizes.lora_sides * (4 + 4 + 8)  # weight, gradient, AdamW's two means
    copies = rank * LLAVA.sizes.lora_sides * 2 if made.unlearn.lora_dtype == "bfloat16" else 0
    held = after["npo"].memory.held - before["npo"].memory.held
    assert held == pytest.approx(more + copies, abs=2)
    assert after["npo"].fit(80 * 10**9).micro_batch == 1
    assert after["kl"].memory == before["kl"].memory
    served = {
        "adapters": made.evaluation.max_adapters, "context": made.evaluation.max_model_len,
    }  # fmt: skip
    wanted = serving_bytes(LLAVA.sizes, rank=made.finetune.rank + 2 * rank, **served)
    assert answering(other, LLAVA.sizes) == wanted
    assert (largest_rank(made), largest_rank(other)) == (rank, 2 * rank)


def test_room_for_adapters_counts_each_at_its_own_rank():
    before, after = (adapter_bytes(parsed(small(own))) for own in ({}, OWN))
    assert before - after == 3 * (16 - 4) * 10_000_000 * 2, "three targets; in cache and result"


def test_times_of_jobs_with_another_rank_or_batch_are_kept_apart():
    made = parsed(small())
    entries = {each.name: each for each in made.methods}
    of = Keys(made).of
    assert of("unlearn", "train", entries["kl"]) == of("unlearn", "train")
    assert of("unlearn", "train", entries["npo"]) != of("unlearn", "train")


def test_a_batch_of_its_own_must_divide_into_the_micro_batches_of_all():
    error = refusal(small({"batch_size": 8}))
    assert "'npo': its batch_size is not a multiple of unlearn.micro_batch_size" in error.what
    assert error.found == "8 and 16"
    parsed(small({"batch_size": 8, "micro_batch_size": 8}))  # the remedy works
    error = refusal(small({"micro_batch_size": 5}))
    assert "unlearn.batch_size is not a multiple of its micro_batch_size" in error.what
    assert "divides 16" in str(error.remedy)


def test_a_rank_needs_its_alpha_and_the_remedy_keeps_the_scale():
    error = refusal(small({"rank": 4}, unlearn={"alpha": 32.0}))
    assert "rank stands without alpha" in error.what
    assert "alpha = 8 keeps" in str(error.remedy), "32 / 16 = 8 / 4"
    assert settings_of(parsed(small({"alpha": 8})).unlearn, parsed(small()).methods[0]).rank == 16


@pytest.mark.parametrize(
    ("name", "own", "left"),
    [
        ("prompt", {"micro_batch_size": 4}, "micro_batch_size"),
        ("prompt", {"rank": 4, "alpha": 4}, "rank, alpha"),
        ("manu", {"batch_size": 32}, "batch_size"),
    ],
)
def test_what_trains_nothing_has_no_budget(name, own, left):
    error = refusal(small(own, name))
    assert "it trains nothing" in error.what
    assert str(error.remedy) == f"remove {left} from the entry"


def test_manu_measures_in_micro_batches_of_its_own():
    plan = make_plan(parsed(small({"micro_batch_size": 4}, "manu")))
    (job,) = [job for job in plan.unlearn if job.name == "person-manu-s1"]
    assert job.settings.micro_batch_size == 4


def test_a_loss_that_compares_the_records_of_a_batch_gets_the_whole_batch():
    whole = {"options": {"legacy": "open-unlearning"}, "batch_size": 8, "micro_batch_size": 8}
    plan = make_plan(parsed(small(whole)))
    assert {j.settings.micro_batch_size for j in plan.unlearn if "-npo-" in j.name} == {8}
    error = refusal(small(whole | {"micro_batch_size": 4}))
    assert "needs its whole batch at once" in error.what
    assert error.expected == "micro_batch_size = 8, or none in the entry"


def test_ranks_that_vllm_cannot_stack_are_refused_before_any_work():
    assert max(VLLM_LORA_RANKS) == LARGEST_RANK
    merged = small({"rank": 480, "alpha": 480}) | {"attack": {"entries": [RELEARN]}}
    make_plan(parsed(merged))  # 32 + 480 are too many with relearning alone, and are merged here
    adapters = merged | {"evaluation": merged["evaluation"] | {"serving": "adapters"}}
    error = refusal(adapters)
    assert "adapters of method 'npo'" in error.what
    assert error.found == "528: 32 of [finetune], 480 of the method, 16 of relearning"
    make_plan(parsed({k: v for k, v in adapters.items() if k != "attack"}))  # 512
