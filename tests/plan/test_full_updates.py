"""Full updates in a manifest: what they need, what is refused by name, and what a plan says.

The toy experiment trains LoRA of rank 32 and 16, and serves merged weights. The numbers of LLaVA
1.5 7B below follow from its published configuration.
"""

from typing import Any

import pytest

from kit.artifacts import PROJECT
from kit.benchmarks import protocol
from kit.cli import plan_estimate
from kit.cli.plan_text import render
from kit.doctor.resources import adapter_bytes
from kit.errors import ManifestError
from kit.experiment.manifest_file import load_manifest, parse_manifest
from kit.experiment.own_settings import trains_full
from kit.plan.attacks import attack_jobs
from kit.plan.cards import answering, kinds
from kit.plan.full_updates import full_updates, space_of, update_bytes
from kit.plan.jobs import make_plan
from kit.plan.memory import serving_bytes
from kit.plan.published import PUBLISHED
from kit.report.comparability import comparability
from kit.stages import run
from kit.stages.history import Keys
from kit.verification.planned import planned_by
from tests.toys.dataset import manifest

LLAVA = PUBLISHED["llava-hf/llava-1.5-7b-hf"]
WEIGHTS = 32 * (4 * 4096**2 + 3 * 4096 * 11008)  # of its decoder's linear layers
BOTH = {"finetune": {"update": "full"}, "unlearn": {"update": "full"}}
LORA = ("adapter_model.safetensors", "adapter_config.json", "losses.jsonl")
FULL = ("full_update.safetensors", "losses.jsonl")
SMFA = {"name": "smfa", "label": "SMFA", "method": "smfa", "targets": ["person"]}
MANU = {"name": "manu", "label": "MANU", "method": "manu", "targets": ["person"]}
RELEARN = {"name": "relearn", "label": "R", "attack": "relearn_forget", "levels": [0.1, 0.5]}


def document(own: dict[str, Any] | None = None, more: list[Any] | None = None, **sections: Any):
    """Return the toy experiment with changed sections, NPO's own settings, and more entries."""
    made = manifest().resolved() | {"claims": []}
    for section, values in sections.items():
        made[section] = made.get(section, {}) | values
    entries = [each | (own or {}) if each["name"] == "npo" else each for each in made["methods"]]
    return made | {"methods": entries + (more or [])}


def parsed(*given: Any, **sections: Any) -> Any:
    return parse_manifest(document(*given, **sections), "own.toml")


def refusal(*given: Any, **sections: Any) -> ManifestError:
    with pytest.raises(ManifestError) as caught:
        make_plan(parsed(*given, **sections))
    assert "own.toml" in str(caught.value), "the file is named"
    return caught.value


def test_a_manifest_that_does_not_ask_for_it_is_resolved_as_before_and_has_the_same_name():
    made = manifest()
    said = made.resolved()
    assert not [name for name in ("finetune", "unlearn") if "update" in said[name]]
    assert not [entry for entry in said["methods"] if "update" in entry]
    plain = parsed(finetune={"update": "lora"}, unlearn={"update": "lora"})
    assert plain.digest() == parsed().digest()
    assert not trains_full(plain)
    assert load_manifest(PROJECT / "manifests" / "smoke.toml").run_name == "smoke-12dcb5eb"


def test_every_adapter_is_another_one_and_rank_and_alpha_decide_nothing_any_more():
    def digests(made):
        return {job.name: job.artifact.digest for job in make_plan(made).jobs()}

    lora, full = digests(parsed()), digests(parsed(**BOTH))
    assert lora.keys() == full.keys()
    assert not lora.items() & full.items()
    other = {name: {"update": "full", "rank": 3, "alpha": 5.0} for name in BOTH}
    assert digests(parsed(**other)) == full
    alone = digests(parsed({"update": "full"}))
    assert {name for name in lora if lora[name] != alone[name]} == {
        "person-npo-s1", "event-npo-s1", "both-npo-s1",
    }  # fmt: skip
    kept = digests(parsed({"update": "lora"}, **BOTH))
    assert {name for name in full if kept[name] != full[name]} == {
        "person-npo-s1", "event-npo-s1", "both-npo-s1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("own", "sections", "place"),
    [
        (None, {"finetune": {"update": "full"}}, "finetune.update"),
        (None, {"unlearn": {"update": "full"}}, "unlearn.update"),
        ({"update": "full"}, {}, "methods.7.update"),
    ],
)
def test_vllm_does_not_serve_a_full_update_as_an_adapter_and_the_remedy_works(own, sections, place):
    error = refusal(own, evaluation={"serving": "adapters"}, **sections)
    assert f'{place} = "full" gives no LoRA adapter' in error.what
    assert error.remedy == 'write serving = "merged" in [evaluation]'
    make_plan(parsed(own, evaluation={"serving": "merged"}, **sections))


def test_in_bfloat16_the_remedy_is_the_other_engine_because_merging_is_refused_there():
    halved = {"model": {"compute_dtype": "bfloat16"}, **BOTH}
    error = refusal(evaluation={"serving": "adapters"}, **halved)
    assert error.remedy == 'write engine = "transformers" in [evaluation]'
    make_plan(parsed(evaluation={"serving": "adapters", "engine": "transformers"}, **halved))


def test_a_base_that_processes_share_is_refused_because_each_would_hold_the_update():
    error = refusal(None, None, compute={"shards": 2}, **BOTH)
    assert 'compute.shards = 2 cannot be combined with finetune.update = "full"' in error.what
    make_plan(parsed(compute={"shards": 1}, **BOTH))


def test_a_method_of_several_adapters_in_one_file_is_refused_and_the_remedy_works():
    error = refusal(None, [SMFA], **BOTH)
    assert "method 'smfa' trains several adapters side by side" in error.what
    assert error.remedy == 'write update = "lora" in the entry of the method'
    make_plan(parsed(None, [SMFA | {"update": "lora"}], **BOTH))


@pytest.mark.parametrize(
    ("own", "sections"),
    [({"rank": 4, "alpha": 4}, BOTH), ({"update": "full", "rank": 4, "alpha": 4}, {})],
)
def test_a_rank_beside_a_full_update_is_refused_and_both_remedies_work(own, sections):
    error = refusal(own, **sections)
    assert "method 'npo': it trains a full update, so its rank has no effect" in error.what
    assert error.remedy.startswith("remove rank and alpha from the entry")
    make_plan(parsed({k: v for k, v in own.items() if k == "update"}, **sections))
    make_plan(parsed(own | {"update": "lora"}, **sections))


def test_a_method_that_trains_nothing_states_no_update():
    error = refusal(None, [MANU | {"update": "full"}], unlearn={})
    assert "it trains nothing, so its update has no effect" in error.what
    made = make_plan(parsed(None, [MANU], **BOTH))
    assert full_updates(made).trained == sum(job.entry is None or job.entry.name != "manu"
                                             for job in made.jobs())  # fmt: skip


def test_the_plan_says_how_large_updates_are_on_disk_and_while_they_are_trained(monkeypatch):
    monkeypatch.setattr(plan_estimate, "known_base", lambda manifest: LLAVA.sizes)
    made = make_plan(parsed(**BOTH))
    said = render(made)
    jobs = len(list(made.jobs()))
    assert (
        f"full updates: {jobs} of 25.9 GB each in the cache; the result keeps copies of {jobs} ("
        in said
    )
    assert "training one takes 103.6 GB of memory" in said
    assert "77.7 GB on disk for a checkpoint" in said
    assert 'set report.adapters = "claimed" or "none"' in said
    none = render(make_plan(parsed(report={"adapters": "none"}, **BOTH)))
    assert "the result keeps copies of 0 (" in none
    assert "neither signed" not in none
    assert "full updates" not in render(make_plan(parsed()))
    monkeypatch.setattr(plan_estimate, "known_base", lambda manifest: None)
    assert "their size is unknown until the base is fetched" in render(made)


def test_the_plan_names_the_method_that_alone_trains_a_full_update():
    said = render(make_plan(parsed({"update": "full"})))
    assert "budget differs from that of other methods: npo, update full instead of lora" in said
    kept = render(make_plan(parsed({"update": "lora", "rank": 4, "alpha": 4}, **BOTH)))
    assert "npo, update lora instead of full" in kept
    assert "rank 4 instead" not in kept, "[unlearn] has no rank that counts"
    every = render(make_plan(parsed({"update": "full"})), each=True).splitlines()
    jobs = [line for line in every if " unlearn " in line]
    assert {"npo" in line for line in jobs if "full update" in line} == {True}
    assert sum("full update" in line for line in jobs) == 3


def test_relearning_trains_what_unlearning_trains_and_is_counted():
    attack = {"entries": [RELEARN], "methods": ["npo"], "targets": ["person"], "max_records": 8}
    made = make_plan(parsed(attack=attack, **BOTH))
    relearned = [job for each in attack_jobs(made) for job in each.relearned.values()]
    assert relearned
    assert {job.settings.update for job in relearned} == {"full"}
    assert full_updates(made).trained == len(list(made.jobs())) + len(relearned)


def fully(made: Any) -> Any:
    """Return a manifest with full updates in both stages; it may be one that a plan refuses."""
    changed = {n: getattr(made, n).model_copy(update={"update": "full"}) for n in BOTH}
    return made.model_copy(update=changed)


def test_memory_by_hand():
    made = load_manifest(PROJECT / "manifests" / "pebench.toml")
    full = fully(made)
    before, after = (
        {kind.name: kind for kind in kinds(each, LLAVA.sizes, LLAVA.record)}
        for each in (made, full)
    )
    assert LLAVA.sizes.lora_weights == WEIGHTS
    copies = 2 if made.finetune.lora_dtype == "bfloat16" else 0
    each = 4 + 4 + 8 + 4 + copies  # value, gradient, two means, AdamW's step; a copy to compute in
    lora = made.finetune.rank * LLAVA.sizes.lora_sides * (4 + 4 + 8 + copies)
    held = after["fine-tuning"].memory.held - before["fine-tuning"].memory.held
    assert held == pytest.approx(each * WEIGHTS - lora, abs=2)
    below = 4 * (WEIGHTS - made.finetune.rank * LLAVA.sizes.lora_sides)
    lora = made.unlearn.rank * LLAVA.sizes.lora_sides * (4 + 4 + 8 + copies)
    held = after["npo"].memory.held - before["npo"].memory.held
    assert held == pytest.approx(each * WEIGHTS - lora + below, abs=2)
    assert not after["npo"].fit(80 * 10**9).fits
    asked = {"adapters": 0, "rank": 1, "context": made.evaluation.max_model_len}
    assert answering(full, LLAVA.sizes) == pytest.approx(
        serving_bytes(LLAVA.sizes, **asked) + 2 * 4 * WEIGHTS / 0.9, abs=2
    ), "vanilla's and the method's, beside the base"


def test_room_on_disk_by_hand(monkeypatch, tmp_path):
    made = make_plan(parsed(finetune={"update": "full"}, compute={"workers": 2}))
    assert update_bytes(LLAVA.sizes) == 4 * WEIGHTS
    assert len(made.finetune) == 4, "vanilla and a retain-only model for each target"
    values, checkpoints = 4 * 4 * WEIGHTS, 2 * 2 * 12 * WEIGHTS
    assert space_of(made.jobs(), LLAVA.sizes, 2) == values + checkpoints
    assert space_of(made.unlearn, LLAVA.sizes, 2) == 0
    wanted = []
    monkeypatch.setattr(run, "known_base", lambda manifest: LLAVA.sizes)
    monkeypatch.setattr(run, "require_space", lambda folder, needed: wanted.append(needed))
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    with pytest.raises(AttributeError, match="NoneType"):
        run.train(made, "finetune", made.finetune, None)  # ends where it would begin to train
    assert wanted == [values + checkpoints + run.ADAPTER_BYTES]


def test_the_doctor_asks_for_room_for_every_update_in_cache_and_result():
    made = load_manifest(PROJECT / "manifests" / "pebench.toml")
    whole = fully(made).model_copy(
        update={"report": made.report.model_copy(update={"adapters": "all"})}
    )
    trained = sum(len(entry.targets) for entry in made.methods) * len(made.seeds)
    assert adapter_bytes(whole) == (trained + 1 + len(made.targets)) * 4 * WEIGHTS * 2


def test_the_time_of_a_full_update_is_not_that_of_an_adapter():
    plain, full = (Keys(parsed(**sections)) for sections in ({}, BOTH))
    assert plain.of("finetune", "train") != full.of("finetune", "train")


def test_the_report_says_what_was_trained():
    loader = protocol("pebench")
    told, before = (comparability(parsed(**each).resolved(), loader) for each in (BOTH, {}))
    (sentence,) = [each for each in told if each not in before]
    assert sentence.startswith("Full updates are trained in fine-tuning and unlearning, not LoRA")
    (own,) = [each for each in comparability(parsed({"update": "full"}).resolved(), loader)
              if each not in before]  # fmt: skip
    assert "NPO (update full instead of lora)" in own


def test_the_verifier_expects_the_files_of_what_each_job_trains():
    resolved = parsed({"update": "lora"}, [MANU], **BOTH).resolved()
    files = planned_by(resolved, protocol("pebench")).files
    assert files["vanilla"] == files["person-kl-s1"] == FULL
    assert files["person-npo-s1"] == LORA
    assert files["person-manu-s1"] == ("neurons.json",)
    plain = planned_by(parsed({"update": "full"}).resolved(), protocol("pebench")).files
    assert (plain["vanilla"], plain["person-npo-s1"]) == (LORA, FULL)
