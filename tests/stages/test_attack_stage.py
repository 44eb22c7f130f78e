"""The stage of attacks: planned for every system alike, resumable, and absent without [attack]."""

import pytest

from kit.errors import ManifestError, MissingStageError
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import parse_manifest
from kit.plan.attacks import attack_jobs
from kit.plan.jobs import make_plan
from kit.stages.attack import attack
from kit.stages.attacked import attack_facts, attacks_made
from kit.stages.collect import require_room
from kit.stages.costs import read_costs
from tests.toys.dataset import manifest
from tests.toys.work import ToyWork, make

CROP = {"name": "crop", "label": "Crop", "attack": "crop", "levels": [0.9, 0.5]}
AGAIN = {"name": "again", "label": "Relearn", "attack": "relearn_forget", "levels": [0.1, 1.0],
         "options": {"steps": 7}}  # fmt: skip
INT = {"name": "int", "label": "INT", "attack": "round_int", "levels": [8, 4]}


def small():
    """Return the manifest of one target and three methods, one of them a prompt."""
    document = manifest().model_dump(mode="json")
    kept = [m for m in document["methods"] if m["name"] in ("po", "npo", "prompt")]
    methods = [{**method, "targets": ["person"]} for method in kept]
    return {**document, "targets": ["person"], "methods": methods, "claims": [],
            "attack": None}  # fmt: skip


def attacked(*entries, claims=(), **section):
    document = small()
    document |= {"attack": {"entries": list(entries or (CROP, AGAIN, INT)), **section}}
    return Manifest.model_validate({**document, "claims": list(claims)})


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    return make_plan(attacked())


def trained(plan):
    for job in plan.jobs():
        make(job.artifact)
    return plan


def test_every_system_is_attacked_in_the_same_way_the_two_bounds_included(plan):
    jobs = attack_jobs(plan)
    asked = {(job.system.name, job.target) for job in jobs}
    assert asked == {
        (system.name, target)
        for system in plan.systems
        for target in plan.manifest.targets
        if system.target in (None, target)
    }
    assert len(jobs) == 3 * len(asked)
    for name, target in asked:
        own = [job for job in jobs if (job.system.name, job.target) == (name, target)]
        assert [job.entry.name for job in own] == ["crop", "again", "int"]


def test_a_relearned_adapter_lies_on_all_adapters_of_its_system_and_starts_alike(plan):
    again = [job for job in attack_jobs(plan) if job.entry.name == "again"]
    for job in again:
        for level in (0.1, 1.0):
            made = job.relearned[level]
            assert made.below == job.system.adapters
            assert job.served(level).adapters == (*job.system.adapters, made.artifact)
            assert (made.settings.steps, made.settings.rank) == (7, plan.manifest.unlearn.rank)
    assert len({job.relearned[0.1].seed for job in again}) == 1
    assert {job.relearned[0.1].stream for job in again} == {"person-again-0.1"}
    digests = {job.system.name: job.relearned[0.1].artifact.digest for job in again}
    alike = {name for name in digests if digests[name] == digests["vanilla"]}
    assert alike == {"vanilla", "person-prompt-s1"}, "a prompt has no weights of its own"


def test_changed_weights_are_served_under_a_name_of_their_own(plan):
    job = next(job for job in attack_jobs(plan) if job.entry.name == "int")
    names = [job.served(level).name for level in (8, 4)]
    assert len({*names, job.system.name}) == 3
    assert job.served(8).adapters == job.system.adapters


def test_what_is_attacked_already_is_not_attacked_again(plan, capsys):
    trained(plan)
    jobs, work = attack_jobs(plan), ToyWork()
    make(jobs[0].answers)
    attack(plan, work)
    assert sorted(work.names("attack")) == sorted(job.answers.name for job in jobs[1:])
    relearned = [made.name for job in jobs for made in job.relearned.values()]
    assert sorted(work.names("train")) == sorted(relearned)
    attack(plan, work)
    assert len(work.names("attack")) == len(jobs) - 1
    assert f"attack: all {len(jobs)} attacks on systems are done" in capsys.readouterr().err
    cost = read_costs(plan)["attack"]
    assert cost["jobs"] == len(relearned) + len(jobs) - 1


def test_one_worker_attacks_a_system_with_all_attacks(plan):
    work = ToyWork()
    attack(trained(plan), work)
    shares = [names for kind, names in work.calls if kind == "attack"]
    systems = {job.answers.name: job.system.name for job in attack_jobs(plan)}
    if plan.manifest.evaluation.serving == "merged":
        owners = [{systems[name] for name in share} for share in shares]
        assert sum(map(len, owners)) == len(set().union(*owners)), "no system at two workers"


def test_where_adapters_are_served_changed_weights_have_an_engine_of_their_own(plan):
    section = plan.manifest.evaluation.model_copy(update={"serving": "adapters"})
    whole = make_plan(plan.manifest.model_copy(update={"evaluation": section}))
    work = ToyWork()
    attack(trained(whole), work)
    shares = [names for kind, names in work.calls if kind == "attack"]
    assert len(shares) == 2
    assert [all(name.endswith("-int") for name in share) for share in shares] == [False, True]


def test_heads_on_hidden_states_need_no_engine(plan):
    head = {"name": "head", "label": "Head", "attack": "probe_head", "levels": [0.5]}
    whole, work = trained(make_plan(attacked(head, CROP))), ToyWork()
    attack(whole, work)
    assert all(name.endswith("-head") for name in work.names("probe_heads"))
    assert all(name.endswith("-crop") for name in work.names("attack"))
    assert len(work.names("probe_heads")) == len(work.names("attack"))
    alone = ToyWork()
    attack(make_plan(attacked({**head, "levels": [1.0]})), alone)
    assert {kind for kind, _ in alone.calls} == {"probe_heads"}


def test_an_attack_before_the_adapters_exist_names_the_stage_that_makes_them(plan):
    with pytest.raises(MissingStageError, match=r"\./run\.sh finetune"):
        attack(plan, ToyWork())


def test_a_result_waits_for_the_attacks_and_states_the_digest_of_their_code(plan):
    with pytest.raises(MissingStageError, match=r"\./run\.sh attack"):
        attacks_made(plan)
    attack(trained(plan), ToyWork())
    made = attacks_made(plan)["attacks"]
    assert len(made) == len(attack_jobs(plan))
    said = attack_facts(plan)["attacks"]
    assert [each["name"] for each in said] == ["crop", "again", "int"]
    assert len({each["code"] for each in said}) == 3


def test_a_run_that_was_interrupted_in_its_attacks_goes_on(plan, tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_RESULTS", str(tmp_path / "results"))
    for system in plan.systems:
        for made in (system.answers, system.agreement, system.likelihoods):
            if made is not None:
                make(made)
    require_room(plan)  # `all` asks this first
    attack(trained(plan), ToyWork())
    require_room(plan)


def test_a_manifest_without_attacks_is_what_it_was(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    plain = Manifest.model_validate(small())
    assert "attack" not in plain.resolved()
    whole = make_plan(plain)
    assert attack_jobs(whole) == ()
    assert attacks_made(whole) == {} == attack_facts(whole)
    work = ToyWork()
    attack(whole, work)
    assert work.calls == []
    assert "no section [attack]" in capsys.readouterr().err


def test_another_attack_changes_no_other_ones_answers(plan):
    other = make_plan(attacked(CROP, {**INT, "levels": [6]}))
    digests = {job.answers.digest for job in attack_jobs(plan)}
    same = [job.answers.digest in digests for job in attack_jobs(other)]
    assert same == [job.entry.name == "crop" for job in attack_jobs(other)]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"methods": ["npoo"]}, "attack.methods has 'npoo', which does not exist"),
        ({"targets": ["people"]}, "attack.targets has 'people', which does not exist"),
        ({"entries": [CROP, CROP]}, "attack.entries.name has crop twice"),
        ({"entries": [{**CROP, "attack": "cropped"}]}, "no attack 'cropped'"),
    ],
)
def test_names_that_do_not_exist_end_a_run_before_any_work(section, said):
    with pytest.raises(ManifestError, match=said):
        make_plan(attacked(*section.get("entries", ()), **{
            key: value for key, value in section.items() if key != "entries"
        }))  # fmt: skip


def test_an_attack_without_levels_is_refused_with_a_remedy():
    document = {**small(), "attack": {"entries": [{**CROP, "levels": []}]}}
    with pytest.raises(ManifestError, match=r"'attack.entries.0.levels' is not valid") as error:
        parse_manifest(document, "mine.toml")
    assert error.value.expected == "at least 1 of them"
    assert "manifests/README.md" in error.value.remedy


def test_attacks_on_weights_are_refused_before_any_work_where_the_engine_stacks_adapters():
    whole = attacked(CROP, INT)
    section = whole.evaluation.model_copy(update={"engine": "transformers"})
    stacked = whole.model_copy(update={"evaluation": section})
    with pytest.raises(ManifestError, match="'int' changes merged weights") as error:
        make_plan(stacked)
    assert error.value.remedy == "set it, or remove int from [attack]"
    only = stacked.attack.model_copy(update={"entries": stacked.attack.entries[:1]})
    make_plan(stacked.model_copy(update={"attack": only}))


RETURNS = {
    "id": "C1", "text": "t", "kind": "returns", "target": "person", "part": "person",
    "column": "efficacy", "metric": "forget_rate/1", "system": "vanilla", "attack": "crop",
    "level": 0.5, "at_least": 0.2,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        (
            {"attack": "corp"},
            "no attack 'corp'\n  expected: one of crop, again, int\n  found: 'corp'\n  remedy: did",
        ),
        ({"level": 0.6}, "the attack 'crop' has no level 0.6\n  expected: 0.9, 0.5"),
    ],
)
def test_a_claim_names_an_attack_and_a_level_that_are_run(change, said):
    document = attacked(claims=[{**RETURNS, **change}])
    if said is None:
        make_plan(document)
        return
    with pytest.raises(ManifestError) as error:
        make_plan(document)
    assert said in str(error.value)


def test_a_claim_about_an_attack_needs_one():
    document = {**small(), "claims": [RETURNS]}
    with pytest.raises(ManifestError, match="it is about an attack, and the manifest has none"):
        make_plan(Manifest.model_validate(document))
