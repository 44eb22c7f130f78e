"""Time of the remaining work: worked out by hand from invented rates."""

import json
from dataclasses import replace

import pytest

from kit.artifacts import PROJECT
from kit.cli.plan_estimate import render_estimates
from kit.cli.plan_text import render
from kit.experiment.attack import AttackSection
from kit.experiment.manifest_file import load_manifest
from kit.plan import rates as measured
from kit.plan.arithmetic import attack_share, operations
from kit.plan.attacks import attack_jobs
from kit.plan.estimate import estimate, longest_share, rounds_of
from kit.plan.jobs import make_plan
from kit.plan.preview import preview
from kit.plan.published import PUBLISHED
from kit.plan.rates import AttackRates, Rates, read_rates, store_rates
from tests.toys.dataset import TOY
from tests.toys.work import check, make

PASSES = {"finetune": 0.03, "unlearn": 0.02, "other": 0.01}


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    return make_plan(load_manifest(TOY))


def rates(plan, **changes) -> Rates:
    start = {"finetune": 10.0, "unlearn": 20.0, "evaluate": 30.0}
    answers = {system.name: 100 for system in plan.systems}
    made = Rates(measured.device_name(), start, PASSES, 2.0, 0.01, answers)
    return replace(made, **changes)


def test_stages_take_their_start_and_the_time_of_their_busiest_worker(plan):
    """Four fine-tunings of 200 steps by two workers; 30 systems of 100 answers, two engines."""
    found = estimate(plan, rates(plan))
    assert found["finetune"] == pytest.approx(10 + 2 * 200 * 32 * 0.03)
    assert found["evaluate"] == 30 + 15 * 2.0 + 3000 * 0.01
    batch = 16
    single, pair, three = 0.02, 0.04, 0.06
    whole = (
        60  # steps; `both` has 120 and counts twice
        * batch
        * (
            2 * single  # GA
            + 4 * single  # retain fine-tuning
            + (2 + 4 + 4) * pair  # PO, GD, NPO
            + 2 * three  # DPO
            + 4 * (pair + 0.01)  # KL
            + 2 * (pair + 0.02)  # SIU
            + 2 * (pair + 0.01)  # balanced GD
            + 2 * (pair + 0.02)  # balanced KL
        )
        + 250 * batch * single
    )  # GA without a stop
    assert whole / 2 <= found["unlearn"] - 20 <= whole / 2 + 250 * batch * single


ATTACKS = AttackSection.model_validate(
    {
        "targets": ["person"],
        "entries": [
            {"name": "crop", "label": "C", "attack": "crop", "levels": [0.9, 0.5]},
            {"name": "again", "label": "R", "attack": "relearn_forget", "levels": [0.1, 1.0],
             "options": {"steps": 7, "warmup_steps": 1}},
            {"name": "pgd", "label": "P", "attack": "pgd", "levels": [8],
             "options": {"steps": 3, "step_size": 4.0}},
        ],
    }
)  # fmt: skip


def attacking(plan):
    return make_plan(plan.manifest.model_copy(update={"attack": ATTACKS, "claims": ()}))


def attack_rates(plan):
    questions = {job.answers.name: 10 * len(job.entry.levels) for job in attack_jobs(plan)}
    own = AttackRates(start=40.0, gradient=0.5, answer=0.02, questions=questions)
    return rates(plan, passes={**PASSES, "attack": 0.03}, attack=own)


def test_attacks_take_their_training_their_pictures_and_their_answers(plan):
    whole = attacking(plan)
    jobs = attack_jobs(whole)
    systems = len({job.system.name for job in jobs})
    found = estimate(whole, attack_rates(whole))["attack"]
    relearned = systems * 7 * 16 * 0.03  # two adapters of each system, two workers
    pictures = -(-systems // 2) * 10 * 3 * 0.5
    rounds = -(-3 * systems // 2) * 2.0  # each system as it is, and with one of two adapters
    answers = systems * (20 + 20 + 10) * 0.02
    assert found == pytest.approx(40 + relearned + pictures + rounds + answers)
    for job in jobs:
        for each in job.relearned.values():
            make(each.artifact)
        if job.pictures is not None:
            make(job.pictures)
    found = estimate(whole, attack_rates(whole))["attack"]
    assert found == pytest.approx(40 + rounds + answers)
    for job in jobs:
        make(job.answers)
    assert "attack" not in estimate(whole, attack_rates(whole))


def test_a_plan_whose_attacks_alone_are_left_has_their_time_and_money(plan):
    whole = attacking(plan)
    for job in whole.jobs():
        make(job.artifact)
    for system in whole.systems:
        make(system.answers)
        check(system)
    assert "not measured on this machine yet" in "\n".join(render_estimates(whole))
    store_rates(whole.manifest, rates(whole))
    old = "\n".join(render_estimates(whole, 3.0))
    assert "without attacks, which the probe did not measure: run plan --probe again" in old
    store_rates(whole.manifest, attack_rates(whole))
    assert read_rates(whole.manifest) == attack_rates(whole)
    text = "\n".join(render_estimates(whole, 3.0))
    seconds = estimate(whole, attack_rates(whole))["attack"]
    assert f"attack    {seconds:.0f} s\n  total     {seconds:.0f} s, " in text
    assert f"cost {3 * seconds / 3600:.2f}" in text
    assert "plan --probe again" not in text


def test_finished_work_takes_no_time(plan):
    for job in plan.finetune:
        make(job.artifact)
    assert set(estimate(plan, rates(plan))) == {"unlearn", "evaluate"}
    for job in plan.unlearn:
        make(job.artifact)
    for system in plan.systems:
        make(system.answers)
        check(system)
    assert estimate(plan, rates(plan)) == {}
    assert render_estimates(plan) == []


@pytest.mark.parametrize(
    ("seconds", "workers", "longest"), [([5, 1, 1, 1, 1, 1], 2, 5), ([3, 3, 2], 2, 5), ([4], 3, 4)]
)
def test_the_busiest_worker_decides(seconds, workers, longest):
    assert longest_share(seconds, workers) == longest


def test_engines_answer_groups_one_after_the_other(plan):
    merged = plan.manifest
    served = merged.evaluation.model_copy(update={"serving": "adapters", "max_adapters": 8})
    assert rounds_of(30, merged) == 15
    assert rounds_of(30, merged.model_copy(update={"evaluation": served})) == 4


def test_rates_are_kept_by_manifest_and_device(plan, monkeypatch):
    manifest = plan.manifest
    assert read_rates(manifest) is None
    store_rates(manifest, rates(plan))
    assert read_rates(manifest) == rates(plan)
    assert read_rates(manifest.model_copy(update={"claims": ()})) == rates(plan)
    assert read_rates(manifest.model_copy(update={"seeds": (1, 2)})) is None
    monkeypatch.setattr(measured, "device_name", lambda: "another card")
    assert read_rates(manifest) is None


def test_a_plan_says_where_its_hours_are_from_and_what_they_cost(plan):
    text = "\n".join(render_estimates(plan, 3.0))
    assert "not measured on this machine yet" in text
    assert "--probe" in text
    assert "money" not in text, "nothing is known that could cost something"
    store_rates(plan.manifest, rates(plan, device="a card"))
    path = next((measured.cache_root() / "artifacts").glob("probe-*.json"))
    assert json.loads(path.read_text())["device"] == "a card"
    path.rename(measured.rates_path(plan.manifest, measured.device_name()))
    text = "\n".join(render_estimates(plan, 3.0))
    seconds = sum(estimate(plan, rates(plan)).values())
    assert "from a probe on a card" in text
    assert f"total     {seconds / 60:.0f} min, cost {3 * seconds / 3600:.2f}" in text
    assert "may end earlier" in text


def test_without_a_probe_operations_are_counted_and_called_arithmetic(monkeypatch, tmp_path):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    published = PUBLISHED["llava-hf/llava-1.5-7b-hf"]
    pilot = load_manifest(PROJECT / "manifests" / "pebench-pilot.toml")
    plan, _ = preview(pilot.model_copy(update={"attack": None}))
    card = 80 * 10**9
    counted = operations(plan, published.sizes, published.record, card)
    forward = 2 * 6_476_005_376 * 656
    trained = 2 * 1000 * 16 * 2 + 125 * 16 * (2 + 4 + 4)
    columns = counted / forward - trained
    assert columns % 300 == 0
    assert 5 * 4 * 300 <= columns <= 5 * 12 * 300, "five systems, a few columns of 300 questions"
    text = "\n".join(render_estimates(plan, 2.0))
    assert "estimated from the number of operations" in text
    assert "H100 80 GB: 0." in text


def test_before_a_probe_the_operations_of_attacks_are_counted_and_called_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    published = PUBLISHED["llava-hf/llava-1.5-7b-hf"]
    manifest = load_manifest(PROJECT / "manifests" / "pebench-pilot.toml")
    plain, _ = preview(manifest.model_copy(update={"attack": None}))
    whole, _ = preview(manifest.model_copy(update={"attack": ATTACKS}))
    sizes, record, card = published.sizes, published.record, 80 * 10**9
    least, most = (operations(each, sizes, record, card) for each in (plain, whole))
    systems = len({job.system.name for job in attack_jobs(whole)})
    # 64 questions at each of five levels; 7 steps of 16, twice; 3 gradients of 64 pictures.
    passes = systems * (5 * 64 + 2 * 7 * 16 * 2 + 3 * 64 * 2)
    assert (most - least) / (2 * 6_476_005_376 * 656) == pytest.approx(passes)
    assert attack_share(whole, sizes, record) == pytest.approx((most - least) / most)
    assert attack_share(plain, sizes, record) == 0
    said = f"attacks are {(most - least) / most:.0%} of that"
    assert said in "\n".join(render_estimates(whole))
    said = render(whole, each=True)
    assert "attack    person-vanilla-pgd" in said, "no list is needed to say what is to do"
    assert "attacks are" not in "\n".join(render_estimates(plain))


def test_recomputation_is_a_third_pass(monkeypatch, tmp_path):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    plan, _ = preview(load_manifest(PROJECT / "manifests" / "pebench-qwen.toml"))
    published = PUBLISHED["Qwen/Qwen2.5-VL-7B-Instruct"]
    small, large = (
        operations(plan, published.sizes, published.record, card * 10**9) for card in (24, 80)
    )
    assert 1.1 < small / large < 1.5
