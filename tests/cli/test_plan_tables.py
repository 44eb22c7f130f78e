"""The tables of a plan: everything is counted once, and `done` says that nothing is left."""

import re

import pytest

from kit.artifacts import PROJECT
from kit.cli.plan_text import render
from kit.experiment.manifest_file import load_manifest
from kit.plan.attacks import attack_jobs
from kit.plan.jobs import Plan, make_plan
from tests.toys.work import make

# Vanilla, Retain-only, 33 methods; seven attacks (manifests/smoke-full.toml).
FULL = PROJECT / "manifests" / "smoke-full.toml"


@pytest.fixture
def plan(tmp_path, monkeypatch) -> Plan:
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    return make_plan(load_manifest(FULL))


def rows(plan: Plan) -> dict[str, list[str]]:
    """Return the rows by name: mark first, then cells."""
    lines = (re.split(r"  +", line) for line in render(plan).splitlines())
    return {line[1]: [line[0], *line[2:]] for line in lines if line[0] in ("todo", "done")}


def counted(found: dict[str, list[str]], place: int, names: set[str]) -> tuple[int, int]:
    """Return the sums over rows of what is done and of what there is."""
    cells = [row[place].split(" of ") for name, row in found.items() if name in names]
    pairs = [(int(done), int(every)) for done, every in (c for c in cells if c != ["-"])]
    return sum(done for done, _ in pairs), sum(every for _, every in pairs)


def test_every_job_system_and_attack_is_counted_once(plan):
    found = rows(plan)
    attacks = {entry.name for entry in plan.manifest.attack.entries}
    methods = set(found) - attacks
    assert len(methods) == 2 + len(plan.manifest.methods)
    assert attacks <= set(found)
    assert counted(found, 5, methods) == (0, len(list(plan.jobs())))
    assert counted(found, 6, methods) == (0, len(plan.systems))
    assert counted(found, 4, attacks) == (0, len(attack_jobs(plan)))
    assert found["prompt"][4] == found["prompt"][5] == "-", "it trains nothing"


def test_a_row_is_done_where_nothing_of_it_is_left(plan):
    mine = [job for job in plan.unlearn if job.entry.name == "npo"]
    systems = [system for system in plan.systems if system.method == "npo"]
    for job in mine:
        make(job.artifact)
    assert rows(plan)["npo"] == [
        "todo", "npo", "person, event, both", "60, 120", "0.001", "9 of 9", "0 of 9", "-",
    ]  # fmt: skip
    assert not any(system.likelihoods for system in systems), "no metric of it needs them"
    for system in systems:
        make(system.answers)
    assert rows(plan)["npo"][0] == "done"
    attacked = [job for job in attack_jobs(plan) if job.entry.name == "int"]
    make(attacked[0].answers)
    assert rows(plan)["int"] == ["todo", "round_int", "4", "person", f"1 of {len(attacked)}"]
