"""More cards, simulated: hand-made tasks, bounds of every schedule, and the real plan."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from kit.artifacts import PROJECT
from kit.cli import plan_scale
from kit.cli.plan_scale import render_scale
from kit.errors import ManifestError
from kit.experiment.manifest_file import load_manifest
from kit.plan.arithmetic import hours, operations
from kit.plan.attacks import attack_jobs
from kit.plan.estimate import estimate
from kit.plan.jobs import make_plan
from kit.plan.preview import preview
from kit.plan.published import PUBLISHED
from kit.plan.rates import AttackRates, Rates
from kit.plan.scale import CARD, counted
from kit.plan.simulation import Task, longest_way, staged, unstaged, work
from kit.plan.tasks import PassClock, RatesClock, starts, tasks_of


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))


def task(name, phase, length, needs=""):
    return Task(name, phase, length, frozenset(name), frozenset(needs))


#    a 4 ─ c 3      b 1 ─ d 2, e 2, f 2; d and c ─ g 1
TASKS = [
    task("a", "first", 4), task("b", "first", 1),
    task("c", "second", 3, "a"), task("d", "second", 2, "b"), task("e", "second", 2, "b"),
    task("f", "second", 2, "b"), task("g", "third", 1, "cd"),
]  # fmt: skip


def test_phases_wait_for_one_another_and_tasks_for_what_they_need():
    """On two cards: 4, then {3, 2} and {2, 2}, then 1. Without waiting, the way a, c, g takes 8."""
    assert staged(TASKS, 1) == {"first": 5, "second": 9, "third": 1}
    assert staged(TASKS, 2) == {"first": 4, "second": 5, "third": 1}
    assert staged(TASKS, 9) == {"first": 4, "second": 3, "third": 1}
    assert longest_way(TASKS) == unstaged(TASKS, 2) == unstaged(TASKS, 9) == 8
    assert unstaged(TASKS, 1) == work(TASKS) == 15


def test_a_card_pays_each_start_once():
    begun = {"first": 10.0, "second": 100.0, "third": 0.0}
    assert staged(TASKS, 2, begun) == {"first": 14, "second": 105, "third": 1}
    assert unstaged(TASKS, 1, begun) == 15 + 110
    assert unstaged([task("x", "first", 2), task("y", "first", 3)], 2, begun) == 13


def drawn(seed):
    """Return random tasks of one phase, of which each may need earlier ones."""
    generator = random.Random(seed)
    return [
        Task(
            str(number), "all", generator.randint(1, 9), frozenset([number]),
            frozenset(generator.sample(range(number), min(number, generator.randint(0, 2)))),
        )
        for number in range(generator.randint(1, 30))
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
def test_no_schedule_beats_its_bounds_and_none_is_worse_than_grahams(seed):
    """Graham (1966): list scheduling takes at most work / cards + the longest way."""
    tasks = drawn(seed)
    way = longest_way(tasks)
    for cards in (1, 2, 3, 7):
        time = unstaged(tasks, cards)
        least = max(work(tasks) / cards, way)
        assert least <= time <= work(tasks) / cards + way
    assert unstaged(tasks, len(tasks)) == way
    free = [replace(each, needs=frozenset()) for each in tasks]
    for cards in (1, 3, 7):  # second by second, in whole seconds
        left, cells, second = [int(each.length) for each in free], [0] * cards, 0
        while left or any(cells):
            for cell in range(cards):
                if not cells[cell] and left:
                    cells[cell] = left.pop(0)
            cells = [max(0, each - 1) for each in cells]
            second += 1
        assert staged(free, cards) == {"all": second}


def test_the_tasks_of_a_plan_are_all_of_its_work_with_what_each_needs():
    plan = preview(load_manifest(PROJECT / "manifests" / "pebench.toml"))[0]
    tasks = tasks_of(plan, PassClock(plan))
    published = PUBLISHED["llava-hf/llava-1.5-7b-hf"]
    forward = 2.0 * published.sizes.quantized * published.record.tokens
    counted = operations(plan, published.sizes, published.record, 10**15) / forward
    assert work(tasks) == pytest.approx(counted), "as `plan` counts the operations"
    made = Counter(digest for each in tasks for digest in each.makes)
    wanted = Counter(job.artifact.digest for job in plan.jobs())
    wanted.update(system.answers.digest for system in plan.systems)
    for attack in attack_jobs(plan):
        wanted.update(job.artifact.digest for job in attack.relearned.values())
        wanted.update([attack.answers.digest])
        wanted.update([attack.pictures.digest] if attack.pictures else [])
    assert made == wanted
    before: set[str] = set()
    for each in tasks:
        assert each.needs <= before, "what a task needs is made before"
        before |= each.makes
    vanilla = plan.finetune[0].artifact.digest
    unlearned = [each for each in tasks if each.phase == "unlearn"]
    assert all(vanilla in each.needs for each in unlearned)


@pytest.mark.parametrize("name", ["pebench", "mllmu", "clear"])
def test_estimated_hours_are_those_of_the_plan_on_one_card(name):
    plan = preview(load_manifest(PROJECT / "manifests" / f"{name}.toml"))[0]
    sizes = plan_scale._sizes(plan)
    scale = counted(plan, sizes)
    ((_, *expected),) = [each for each in hours(plan, *sizes) if each[0] == CARD]
    assert [scale.time(1) * each for each in scale.hours] == pytest.approx(expected)
    assert counted(plan, None).hours is None


def test_systems_that_are_answered_alone_are_the_same_work_in_more_tasks():
    plan = preview(load_manifest(PROJECT / "manifests" / "mllmu.toml"))[0]
    scale = counted(plan, None)
    alone = [task for task in scale.apart if task.phase == "evaluate"]
    assert [task.name for task in alone] == [system.name for system in plan.systems]
    assert work(scale.apart) == pytest.approx(work(scale.tasks))
    grouped = [task for task in scale.tasks if task.phase == "evaluate"]
    assert len(grouped) == -(-len(alone) // plan.manifest.evaluation.max_adapters)
    time = sum(staged(scale.apart, 512).values())
    assert time < scale.time(512)
    (line,) = [each for each in render_scale(plan, None) if "each system on its own" in each]
    assert f"{time:.2f} " in line.partition("on 64 cards")[2]


def test_the_page_calls_hours_an_estimate_and_prices_them():
    plan = preview(load_manifest(PROJECT / "manifests" / "pebench.toml"))[0]
    text = "\n".join(render_scale(plan, None, price=2.0))
    assert "Hours are an estimate and were not measured" in text
    (one,) = [line.split("  ") for line in text.splitlines() if line.startswith("1  ")]
    *_, held, money = [cell.strip() for cell in one if cell]
    (least, most), (paid, more) = (map(int, cell.split(" to ")) for cell in (held, money))
    assert paid == pytest.approx(2 * least, abs=1)
    assert more == pytest.approx(2 * most, abs=1)


def rates(plan, **changes):
    answers = {system.name: 100 + n for n, system in enumerate(plan.systems)}
    begun = {"finetune": 10.0, "unlearn": 20.0, "evaluate": 30.0}
    passes = {"finetune": 0.03, "unlearn": 0.02, "other": 0.01, "attack": 0.04}
    questions = {job.answers.name: 7 + n for n, job in enumerate(attack_jobs(plan))}
    attack = AttackRates(40.0, 0.0, 0.5, questions) if questions else None
    return replace(Rates("a card", begun, passes, 2.0, 0.01, answers, attack), **changes)


def alone(serving):
    """Return the small experiment on one card."""
    manifest = load_manifest(PROJECT / "manifests" / "smoke.toml")
    compute = manifest.compute.model_copy(update={"workers": 1})
    served = {"serving": serving, "engine": "transformers"}  # which serves all methods both ways
    section = manifest.evaluation.model_copy(update=served)
    return make_plan(manifest.model_copy(update={"compute": compute, "evaluation": section}))


@pytest.mark.parametrize("serving", ["merged", "adapters"])
def test_on_one_card_the_simulation_is_the_estimate_of_the_plan(serving):
    plan = alone(serving)
    found = staged(tasks_of(plan, RatesClock(plan, rates(plan))), 1, starts(rates(plan)))
    expected = estimate(plan, rates(plan))
    attacked = {name: found.pop(name) for name in ("relearning", "attack")}
    if serving == "merged":  # where adapters are served, the estimate of attacks is too little
        whole = sum(attacked.values()) - rates(plan).start["unlearn"]
        assert whole == pytest.approx(expected["attack"]), "relearning has a start of its own"
    assert found | {"attack": expected["attack"]} == pytest.approx(expected)


def test_a_plan_without_a_gpu_has_hours_and_money_from_measured_rates_alone():
    plan = alone("adapters")
    text = "\n".join(render_scale(plan, None, price=3.0))
    assert "No time of a card is known: 1.00 is the training of the longest adapter" in text
    table = text.partition("probe-*.json.")[2].partition("where it stops")[0]
    assert not any(word in table for word in (" s\n", "hours", "money"))
    begun = starts(rates(plan))
    seconds = sum(staged(tasks_of(plan, RatesClock(plan, rates(plan))), 1, begun).values())
    text = "\n".join(render_scale(plan, rates(plan), price=36.0))
    assert "from what a probe measured on a card" in text
    (one,) = [line for line in text.splitlines() if line.startswith("1  ")]
    assert one.endswith(f"  {36 * seconds / 3600:.0f}")
    assert "starts of workers and engines: 120 s on each card" in text


def test_rates_of_another_manifest_are_refused():
    plan = alone("merged")
    with pytest.raises(ManifestError, match="those of another manifest"):
        RatesClock(plan, rates(plan, answers={"vanilla": 3}))
