"""A file of rates comes from another machine: it is what a probe writes, or it is refused."""

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from kit.artifacts import PROJECT
from kit.errors import ManifestError
from kit.experiment.manifest_file import load_manifest
from kit.plan.estimate import estimate
from kit.plan.jobs import make_plan
from kit.plan.rates import AttackRates, Rates, device_name, rates_in, rates_path, read_rates
from tests.toys.dataset import manifest

MEASURED = Rates(
    device="a card",
    start={"finetune": 9.0, "unlearn": 8.0, "evaluate": 7.0},
    passes={"finetune": 0.5, "unlearn": 0.5, "other": 0.25, "attack": 0.5},
    round=2.0,
    answer=0.01,
    answers={"vanilla": 3},
    attack=AttackRates(1.0, 2.0, 3.0, {"a": 4}),
)
VALUES = (7, -1, "x", True, None, [], {}, {"x": "y"}, math.nan, math.inf)
# What else than the measured value a key may have, of these.
SOUND = {"device": ["x"], "round": [7], "answer": [7], "answers": [{}], "attack": [None]}


def written(path: Path, **changes: object) -> Path:
    path.write_text(json.dumps({**asdict(MEASURED), **changes}), encoding="utf-8")
    return path


def test_what_a_probe_writes_is_read(tmp_path):
    assert rates_in(written(tmp_path / "rates.json")) == MEASURED


@pytest.mark.parametrize("key", asdict(MEASURED))
@pytest.mark.parametrize("value", VALUES)
def test_no_other_value_reaches_the_arithmetic_of_a_plan(tmp_path, key, value):
    path = written(tmp_path / "rates.json", **{key: value})
    if value in SOUND.get(key, []) and not isinstance(value, bool):
        assert getattr(rates_in(path), key) == value
    else:
        with pytest.raises(ManifestError, match=f"holds no rates(.*\n)+.*({key}|not a finite)"):
            rates_in(path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "Expecting value"),
        ("[]", "should be an object"),
        ('{"device": "x"}', "Field required"),
        ("\x00", "Expecting value"),
        ("[" * 100_000, "nested 100000 deep"),
        ("9" * 5_000, "4300 digits"),
        ('{"round": 1.0, ' + json.dumps(asdict(MEASURED))[1:], "'round' occurs twice"),
        (json.dumps({**asdict(MEASURED), "more": 1}), "more: "),
        *(
            (
                json.dumps({**asdict(MEASURED), "passes": {**MEASURED.passes, stage: 0.0}}),
                f"passes.{stage} is 0",
            )
            for stage in ("finetune", "unlearn")
        ),
        (
            json.dumps({**asdict(MEASURED), "passes": {"finetune": 1, "unlearn": 1, "other": 1}}),
            "passes has no attack",
        ),
    ],
)
def test_a_file_that_holds_no_rates_is_refused_with_the_reason(tmp_path, text, found):
    path = tmp_path / "rates.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ManifestError, match=f"holds no rates(.*\n)+  found: .*{found}"):
        rates_in(path)


def test_a_missing_file_is_named_and_an_endless_one_is_not_read_to_its_end(tmp_path):
    with pytest.raises(ManifestError, match=r"absent\.json holds no rates"):
        rates_in(tmp_path / "absent.json")
    with pytest.raises(ManifestError, match="larger than 4194304 bytes"):
        rates_in(Path("/dev/zero"))


def test_the_remedy_for_damaged_rates_of_this_machine_works(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    path = rates_path(manifest(), device_name())
    path.parent.mkdir()
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ManifestError, match=f"remedy: remove {path}, or measure again"):
        read_rates(manifest())
    path.unlink()
    assert read_rates(manifest()) is None


def test_rates_that_do_not_know_an_attack_of_the_manifest_are_of_another_one(tmp_path, monkeypatch):
    """`estimate` would look for its questions and find none."""
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    plan = make_plan(load_manifest(PROJECT / "manifests" / "smoke.toml"))
    answers = {system.name: 3 for system in plan.systems}
    with pytest.raises(ManifestError, match="are those of another manifest") as caught:
        estimate(plan, replace(MEASURED, answers=answers))
    assert caught.value.expected == "how many questions person-vanilla-relearn is asked"
    assert "--probe" in caught.value.remedy
    with pytest.raises(ManifestError, match="are those of another manifest"):
        estimate(plan, MEASURED)
