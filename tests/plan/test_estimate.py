"""Time of the remaining work: worked out by hand from invented rates."""

import json
from dataclasses import replace

import pytest

from kit.artifacts import PROJECT
from kit.cli.plan_estimate import render_estimates
from kit.experiment.manifest_file import load_manifest
from kit.plan import estimate as estimates
from kit.plan.arithmetic import operations
from kit.plan.estimate import (
    Rates,
    estimate,
    longest_share,
    read_rates,
    rounds_of,
    store_rates,
)
from kit.plan.jobs import make_plan
from kit.plan.preview import preview
from kit.plan.published import PUBLISHED
from tests.toys.dataset import SMOKE
from tests.toys.work import check, make

PASSES = {"finetune": 0.03, "unlearn": 0.02, "other": 0.01}


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    return make_plan(load_manifest(SMOKE))


def rates(plan, **changes) -> Rates:
    start = {"finetune": 10.0, "unlearn": 20.0, "evaluate": 30.0}
    answers = {system.name: 100 for system in plan.systems}
    made = Rates(estimates.device_name(), start, PASSES, 2.0, 0.01, answers)
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
    monkeypatch.setattr(estimates, "device_name", lambda: "another card")
    assert read_rates(manifest) is None


def test_a_plan_says_where_its_hours_are_from_and_what_they_cost(plan):
    text = "\n".join(render_estimates(plan, 3.0))
    assert "not measured on this machine yet" in text
    assert "--probe" in text
    assert "money" not in text, "nothing is known that could cost something"
    store_rates(plan.manifest, rates(plan, device="a card"))
    path = next((estimates.cache_root() / "artifacts").glob("probe-*.json"))
    assert json.loads(path.read_text())["device"] == "a card"
    path.rename(estimates.rates_path(plan.manifest, estimates.device_name()))
    text = "\n".join(render_estimates(plan, 3.0))
    seconds = sum(estimate(plan, rates(plan)).values())
    assert "from a probe on a card" in text
    assert f"in all    {seconds / 60:.0f} min, {3 * seconds / 3600:.2f} in money" in text
    assert "may end earlier" in text


def test_without_a_probe_operations_are_counted_and_called_arithmetic(monkeypatch, tmp_path):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    published = PUBLISHED["llava-hf/llava-1.5-7b-hf"]
    plan, _ = preview(load_manifest(PROJECT / "manifests" / "pebench-pilot.toml"))
    card = 80 * 10**9
    counted = operations(plan, published.sizes, published.record, card)
    forward = 2 * 6_476_005_376 * 656
    trained = 2 * 1000 * 16 * 2 + 125 * 16 * (2 + 4 + 4)
    columns = counted / forward - trained
    assert columns % 300 == 0
    assert 5 * 4 * 300 <= columns <= 5 * 12 * 300, "five systems, a few columns of 300 questions"
    text = "\n".join(render_estimates(plan, 2.0))
    assert "an estimate: operations, counted" in text
    assert "H100 80 GB: 0." in text


def test_recomputation_is_a_third_pass(monkeypatch, tmp_path):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    plan, _ = preview(load_manifest(PROJECT / "manifests" / "pebench-qwen.toml"))
    published = PUBLISHED["Qwen/Qwen2.5-VL-7B-Instruct"]
    small, large = (
        operations(plan, published.sizes, published.record, card * 10**9) for card in (24, 80)
    )
    assert 1.1 < small / large < 1.5
