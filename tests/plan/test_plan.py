"""Digests: what decides a job's result changes its name, and nothing else does."""

from dataclasses import replace
from typing import Any

import pytest

from kit.artifacts import PROJECT
from kit.benchmarks import protocol
from kit.cli.plan_text import render
from kit.errors import ManifestError
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import load_manifest
from kit.experiment.systems import MERGE_ADAPTERS, REMOVE_NEURONS, TRAINING_FREE, UNTRAINED
from kit.methods import registry
from kit.plan.attacks import attack_jobs
from kit.plan.jobs import Plan, make_plan
from kit.plan.kept_jobs import kept_jobs
from kit.verification.planned import planned_by
from tests.toys.dataset import TOY, manifest


def plan_of(document: dict[str, Any]) -> Plan:
    return make_plan(Manifest.model_validate(document))


@pytest.fixture
def document() -> dict[str, Any]:
    return manifest().resolved()


def digests(plan: Plan) -> dict[str, str]:
    """Return every job and every system by name; their digests name the artifacts."""
    jobs = {f"job {job.name}": job.artifact.digest for job in plan.jobs()}
    return jobs | {f"system {system.name}": system.answers.digest for system in plan.systems}


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    one, two = digests(plan_of(before)), digests(plan_of(after))
    return {name for name in one | two if one.get(name) != two.get(name)}


def entry(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [method for method in document["methods"] if method["name"] == name]
    return found


def copy_of(document: dict[str, Any]) -> dict[str, Any]:
    return Manifest.model_validate(document).resolved()


def test_the_same_manifest_gives_the_same_plan(document):
    assert changed(document, copy_of(document)) == set()


def test_no_two_jobs_or_systems_share_an_artifact(document):
    plan = plan_of(document)
    paths = [job.artifact.path for job in plan.jobs()]
    paths += [system.answers.path for system in plan.systems]
    assert len(set(paths)) == len(paths)


@pytest.mark.parametrize(
    ("key", "value"), [("options", {"retain_weight": 2.0}), ("steps", 61), ("learning_rate", 2e-3)]
)
def test_a_changed_value_of_a_method_renames_its_jobs_and_systems_and_no_other(
    document, key, value
):
    after = copy_of(document)
    entry(after, "gd")[key] = value
    names = {f"{target}-gd-s1" for target in entry(document, "gd")["targets"]}
    expected = {f"{kind} {name}" for kind in ("job", "system") for name in names}
    assert changed(document, after) == expected


def test_what_is_only_reported_renames_nothing(document):
    after = copy_of(document)
    after["report"] |= {"bootstrap_draws": 500, "seed": 7}
    after["title"] = "Another title"
    entry(after, "gd")["label"] = "Gradient difference"
    after["compute"]["workers"] = 1
    assert changed(document, after) == set()


def test_adding_a_method_adds_one_job_and_one_system_and_renames_nothing(document):
    after = copy_of(document)
    after["methods"].insert(
        0, {"name": "npo-soft", "label": "soft", "method": "npo", "targets": ["event"]}
    )
    assert changed(document, after) == {"job event-npo-soft-s1", "system event-npo-soft-s1"}


def test_what_every_job_sees_renames_every_job_and_every_system(document):
    for section, key, value in (
        ("compute", "threads", 2), ("model", "compute_dtype", "bfloat16"),
    ):  # fmt: skip
        after = copy_of(document)
        after[section][key] = value
        assert changed(document, after) == set(digests(plan_of(document))), section


def test_another_fine_tuning_renames_all_that_starts_from_vanilla(document):
    after = copy_of(document)
    after["finetune"]["steps"] += 1
    assert changed(document, after) == set(digests(plan_of(document)))


def test_another_way_of_asking_renames_the_answers_alone(document):
    after = copy_of(document)
    after["evaluation"]["max_new_tokens"] += 1
    assert changed(document, after) == {
        name for name in digests(plan_of(document)) if name.startswith("system")
    }


def test_a_second_seed_adds_a_job_for_each_method_but_no_second_vanilla(document):
    after = copy_of(document)
    after["seeds"] = [1, 2]
    added = changed(document, after)
    assert added == {name for name in digests(plan_of(after)) if name.endswith("-s2")}
    assert not any("prompt" in name for name in added), "nothing is trained, so nothing differs"


def test_a_method_that_trains_nothing_has_a_system_and_no_job(document):
    names = digests(plan_of(document))
    assert "system person-prompt-s1" in names
    assert "job person-prompt-s1" not in names


def test_an_unlearned_system_is_vanilla_with_a_second_adapter_on_top(document):
    plan = plan_of(document)
    systems = {system.name: system for system in plan.systems}
    vanilla = plan.finetune[0].artifact
    assert systems["vanilla"].adapters == (vanilla,)
    assert systems["person-npo-s1"].adapters[0] == vanilla
    assert len(systems["person-npo-s1"].adapters) == 2
    assert vanilla not in systems["retain_only-person"].adapters


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "nqo"}, "did you mean 'npo'?"),
        ({"options": {"betta": 0.1}}, "did you mean 'beta'?"),
        ({"options": {"beta": "much"}}, "option 'beta' of method 'npo' is not valid"),
    ],
)
def test_a_method_or_option_that_does_not_exist_is_named_with_its_entry(document, change, message):
    entry(document, "npo").update(change)
    with pytest.raises(ManifestError) as caught:
        plan_of(document)
    assert message in str(caught.value)
    assert str(caught.value).startswith("manifest toy: method 'npo'")


@pytest.mark.parametrize(
    ("loader", "change", "message"),
    [
        ("pebench", {"benchmark": {"options": {"peopl": 6}}}, "did you mean 'people'?"),
        ("pebench", {"benchmark": {"options": {"people": True}}}, "expected: a whole number"),
        ("pebench", {"benchmark": {"options": {"held_out_percent": 60}}}, ">= 0 and <= 50"),
        ("mllmu", {"benchmark": {"options": {"letters": "first"}}}, "one of likelihood"),
        ("mllmu", {"split": {"forget_percent": 7}}, "one of 5, 10, 15"),
        ("clear", {"benchmark": {"options": {"few_shot": 1}}}, "expected: no option"),
        ("clear", {"split": {"forget_percent": 15}}, "one of 1, 5, 10"),
        ("umu", {"benchmark": {"options": {"few_shot": 1}}}, "expected: no option"),
        ("offside", {"split": {"forget_percent": 10}}, "one of 25"),
        ("clear", {"sources": {"name": "clea"}}, 'name = "clear"'),
        ("pebench", {"sources": {"name": "pebnch"}}, 'name = "pebench"'),
    ],
)
def test_a_setting_that_a_benchmark_does_not_have_is_refused_without_its_data(
    loader, change, message
):
    path = TOY if loader == "pebench" else PROJECT / "manifests" / f"{loader}-smoke.toml"
    document = load_manifest(path).resolved()
    for section, values in change.items():
        inside = document[section][0] if section == "sources" else document[section]
        inside.update(values)
    with pytest.raises(ManifestError) as caught:
        plan_of(document | {"claims": []})
    assert message in str(caught.value)


def test_steps_of_a_target_that_is_not_run_train_nothing_and_a_misspelt_one_is_named(document):
    """A manifest that extends another may cut its `targets` and keep all else."""
    fewer = copy_of(document)
    fewer |= {"targets": ["person"], "claims": [], "methods": [
        {**each, "targets": ["person"]} for each in fewer["methods"] if "person" in each["targets"]
    ]}  # fmt: skip
    fewer["unlearn"]["target_steps"] = {"person": 7, "both": 9}
    assert {job.settings.steps for job in plan_of(fewer).unlearn if not job.entry.steps} == {7}
    fewer["unlearn"]["target_steps"] = {"persom": 7}
    with pytest.raises(ManifestError, match=r"target_steps: .*no target 'persom'") as caught:
        plan_of(fewer)
    assert "did you mean 'person'?" in str(caught.value)


def test_a_checksum_list_that_is_missing_is_an_error_before_anything_runs(document):
    document["sources"][0]["checksums"] = "checksums/nothing.sha256"
    with pytest.raises(ManifestError, match=r"nothing\.sha256 does not exist"):
        plan_of(document)


def test_a_split_list_that_is_missing_is_an_error_before_anything_runs(document):
    document["split"]["ids"] = "manifests/splits/nothing.json"
    with pytest.raises(ManifestError, match=r"split\.ids: .*nothing\.json does not exist"):
        plan_of(document)


def test_the_plan_as_text_says_what_is_left_to_do(document, tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    plan = plan_of(document)
    lines = render(plan, each=True).splitlines()
    jobs = len(digests(plan)) + len(attack_jobs(plan))
    assert sum(line.startswith("todo") for line in lines) == jobs
    vanilla = plan.finetune[0].artifact
    vanilla.partial.mkdir(parents=True)
    vanilla.publish({})
    again = render(plan, each=True).splitlines()
    assert next(line for line in again if line not in lines).split() == [
        "done", "finetune", "vanilla", "supervised,", "200", "steps", "of", "32,",
        "learning", "rate", "0.003,", "seed", "1",
    ]  # fmt: skip


@pytest.mark.parametrize("images", [None, True, False])
def test_the_plan_says_whether_pictures_from_outside_will_be_in_the_result(document, images):
    document["report"]["images"] = images
    assert "pictures:" not in render(plan_of(document)), "the kit draws them"
    plan = plan_of(document)
    (source,) = plan.manifest.sources
    outside = source.model_copy(update={"embedded": None, "folder": "data/mine"})
    changed = plan.manifest.model_copy(update={"sources": (outside,)})
    said = render(replace(plan, manifest=changed))
    copies = "small copies of those of" if images else "none of"
    assert f"the result will contain {copies} {source.name}" in said


def test_targets_that_keep_the_same_records_share_one_retain_only_model():
    plan = make_plan(load_manifest(PROJECT / "manifests" / "clear-smoke.toml"))
    assert [job.name for job in plan.finetune] == ["vanilla", "retain_only"]
    (shared,) = [system for system in plan.systems if system.method == "retain_only"]
    assert shared.target is None, "it is measured for every target"


def test_a_result_may_hold_the_adapters_that_its_claims_rest_on_and_no_others():
    plan = make_plan(load_manifest(PROJECT / "manifests" / "smoke-reference.toml"))
    assert len(list(plan.jobs())) == 4 + 8 * 35
    first, *others = plan.manifest.seeds
    kept = [job.name for job in kept_jobs(plan)]
    assert {"vanilla", "retain_only-person", f"person-npo-s{first}", f"both-npo-s{first}"} <= set(
        kept
    )
    assert not [name for name in kept if name.endswith(tuple(f"-s{n}" for n in others))]
    named = {claim.system for claim in plan.manifest.claims}
    named |= {claim.other for claim in plan.manifest.claims}
    trained = {entry.name for entry in plan.manifest.methods if entry.method not in UNTRAINED}
    assert {job.entry.name for job in kept_jobs(plan) if job.entry} == named & trained
    whole = make_plan(manifest())
    assert list(kept_jobs(whole)) == list(whole.jobs())


def test_other_seeds_of_unlearning_start_from_the_same_vanilla_model():
    one = make_plan(load_manifest(PROJECT / "manifests" / "smoke.toml"))
    many = make_plan(load_manifest(PROJECT / "manifests" / "smoke-reference.toml"))
    assert [j.artifact.digest for j in one.finetune] == [j.artifact.digest for j in many.finetune]
    assert one.systems[0].answers.digest == many.systems[0].answers.digest
    assert not {j.artifact.digest for j in one.unlearn} & {j.artifact.digest for j in many.unlearn}


def test_the_verifier_knows_which_methods_train_nothing():
    untrained = {name for name in registry.names() if not registry.build(name, {}).needs.training}
    assert untrained == UNTRAINED


def test_the_verifier_knows_what_methods_leave_beside_or_instead_of_an_adapter():
    needs = {name: registry.build(name, {}).needs for name in registry.names()}
    assert {name for name in needs if needs[name].neurons} == REMOVE_NEURONS
    assert {name for name in needs if needs[name].training_free} == TRAINING_FREE
    assert {name for name in needs if needs[name].merging} == MERGE_ADAPTERS
    assert TRAINING_FREE <= REMOVE_NEURONS


def with_own(document, method, **evaluation):
    methods = [{**document["methods"][0], "name": "mine", "label": "M", "method": method,
                "options": {}}]  # fmt: skip
    return {**document, "methods": methods, "claims": [],
            "evaluation": {**document["evaluation"], **evaluation}}  # fmt: skip


@pytest.mark.parametrize("method", ["manu", "smfa"])
def test_a_method_that_is_no_lora_is_not_served_as_an_adapter(document, method):
    with pytest.raises(ManifestError, match="method 'mine' is no LoRA adapter") as caught:
        plan_of(with_own(document, method, engine="vllm", serving="adapters"))
    assert caught.value.remedy == 'write serving = "merged" in [evaluation]'


@pytest.mark.parametrize(("engine", "serving"), [("vllm", "merged"), ("transformers", "adapters")])
def test_a_method_that_is_no_lora_is_served_merged_or_by_transformers(document, engine, serving):
    plan_of(with_own(document, "smfa", engine=engine, serving=serving))
    plan = plan_of(with_own(document, "manu", engine=engine, serving=serving))
    assert {job.steps for job in plan.unlearn} == {0}
    assert "0 steps of" in render(plan, each=True)


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "manifests").glob("*.toml")), ids=lambda p: p.stem
)
def test_a_verifier_expects_of_a_manifest_what_is_planned(path, monkeypatch):
    monkeypatch.setattr("kit.plan.digests.list_digest", lambda source: "ab" * 32)  # not all locked
    manifest = load_manifest(path)
    plan, planned = (
        make_plan(manifest),
        planned_by(manifest.resolved(), protocol(manifest.benchmark.loader)),
    )
    told = ("name", "target", "method", "label", "seed")
    assert planned.systems == [{name: getattr(s, name) for name in told} for s in plan.systems]
    assert [vars(adapter) for adapter in planned.adapters.values()] == [
        {"stage": job.stage, "name": job.name, "target": job.target, "seed": job.seed}
        for job in plan.jobs()
    ]
    assert planned.sources == [source.name for source in manifest.all_sources()]


@pytest.mark.parametrize(
    ("label", "what"),
    [("", "is empty"), (" ", "is empty"), ("Vanilla", "the vanilla model"), ("PO", "method 'po'")],
)
def test_two_rows_of_a_table_never_read_alike(document, label, what):
    document["methods"] = [
        {"name": "po", "label": "PO", "method": "po", "targets": ["person"]},
        {"name": "other", "label": label, "method": "npo", "targets": ["person"]},
    ]
    with pytest.raises(ManifestError, match="the label of method 'other'") as caught:
        plan_of(document)
    assert what in caught.value.what


def test_a_label_may_stand_in_the_tables_of_two_targets(document):
    document["claims"] = []
    document["methods"] = [
        {"name": f"po-{target}", "label": "PO", "method": "po", "targets": [target]}
        for target in ("person", "event")
    ]
    assert len(plan_of(document).unlearn) == 2
