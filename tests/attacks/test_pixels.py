"""Optimised pixels: the step by hand, the limits of a pixel, and the gradient of a real base."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from kit.attacks import Around
from kit.attacks.pgd import Pgd
from kit.benchmarks.records import Benchmark, Concept, Record, Split
from kit.errors import ManifestError
from kit.evaluation import optimising
from kit.experiment.attack import AttackEntry, AttackSection
from kit.experiment.manifest_file import load_manifest
from kit.model.base import load_base
from kit.model.batches import Batcher
from kit.model.likelihood import answer_distribution, mean_nll
from kit.plan.attack_names import require_attacks
from tests.toys.dataset import TOY


def alike(value=0.5, count=2):
    return torch.full((count, 3, 4, 4), value)


def nothing(count=2):
    return torch.zeros(count, 3, 4, 4)


@pytest.mark.parametrize(("steps", "level", "moved"), [(1, 8, 1), (3, 8, 3), (20, 8, 8)])
def test_a_constant_gradient_moves_every_pixel_a_step_against_it_up_to_the_limit(
    steps, level, moved
):
    up = torch.ones(2, 3, 4, 4)
    up[1] = -2.0
    found = Pgd(steps=steps).optimise(alike(), nothing(), lambda _: up, level)
    assert found[0] == pytest.approx(0.5 - moved / 255)
    assert found[1] == pytest.approx(0.5 + moved / 255)


def test_no_pixel_leaves_its_range_and_none_moves_further_than_the_level():
    for value in (0.0, 1.0):
        for sign in (-1.0, 1.0):
            gradient = torch.full((2, 3, 4, 4), sign)
            found = Pgd(steps=30).optimise(alike(value), nothing(), lambda _, g=gradient: g, 16)
            assert 0 <= found.min() <= found.max() <= 1
            assert (found - value).abs().max() <= 16 / 255 + 1e-6


def test_one_pattern_follows_the_sum_of_the_gradients_and_is_the_same_for_all():
    gradient = torch.ones(2, 3, 4, 4)
    gradient[1] = -3.0
    attack = Pgd(steps=2, universal=True)
    found = attack.optimise(alike(), nothing(1), lambda _: gradient, 8)
    assert found == pytest.approx(0.5 + 2 / 255), "the sum is -2: up, for both"


@pytest.mark.parametrize("options", [{"steps": 0}, {"step_size": 0.0}])
def test_a_descent_without_steps_is_refused(options):
    with pytest.raises(ManifestError, match="option 'step"):
        Pgd(**options)


@pytest.fixture(scope="module")
def base(tiny_base):
    section = load_manifest(TOY).model
    return load_base(tiny_base, section)


@pytest.fixture
def batcher(processor):
    return Batcher(processor, torch.device("cpu"))


@pytest.fixture
def toy(tmp_path):
    """Two records with pictures of 64 x 64 pixels."""
    records = {}
    stream = np.random.default_rng(3)
    for number, name in enumerate(("Ann Lee", "Bo Ray")):
        path = tmp_path / f"{number}.png"
        Image.fromarray(stream.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
        records[f"p{number}"] = Record(
            f"p{number}", Concept.PERSON, "Who is this person?", name, path, name
        )
    split = Split("person", tuple(records), (), {})
    return Around(Benchmark("toy", records, tuple(records), {"person": split}), "person", "pgd")


def test_where_a_descent_begins_depends_on_the_attack_and_the_record_alone(toy):
    records = list(toy.benchmark.records.values())
    of = torch.zeros(2, 3, 64, 64)
    whole = optimising.first_changes(of, records, 8, toy, universal=False)
    alone = optimising.first_changes(of[:1], records[1:], 8, toy, universal=False)
    assert (whole[1] == alone[0]).all()
    assert whole.abs().max() <= 8 / 255
    assert optimising.first_changes(of, records, 8, toy, universal=True).shape == (1, 3, 64, 64)


def test_on_the_small_base_the_right_answer_becomes_likelier_and_pixels_keep_their_limit(
    base, batcher, processor, toy
):
    records = list(toy.benchmark.records.values())
    level = 8

    def loss(values):
        batch = batcher(records)
        given = dataclasses.replace(batch, inputs={**batch.inputs, "pixel_values": values})
        with torch.no_grad():
            return mean_nll(answer_distribution(base, given), given)

    before = batcher(records).inputs["pixel_values"]
    attack = Pgd(steps=4, step_size=4.0)
    found = optimising.optimised(records, base, batcher, processor, attack, level, toy)
    mean, std = 0.5, 0.25  # of the processor of the small base
    assert (found - (before * std + mean)).abs().max() <= level / 255 + 1e-5
    assert (loss((found - mean) / std) < loss(before)).all()
    alone = optimising.optimised(records[1:], base, batcher, processor, attack, level, toy)
    assert (found[1] - alone[0]).abs().max() <= 8 / 255, "the rest of the batch decides nothing"
    assert (found[1] == alone[0]).float().mean() > 0.98


def with_pgd(levels, options):
    """Return the toy experiment with one attack on pixels."""
    entry = AttackEntry(name="pgd", label="P", attack="pgd", levels=levels, options=options)
    return load_manifest(TOY).model_copy(update={"attack": AttackSection(entries=(entry,))})


def test_levels_that_the_steps_of_an_attack_cannot_reach_are_refused():
    """20 steps of 1/255 change a pixel by 20/255 and no more."""
    with pytest.raises(ManifestError, match="'pgd' never reaches its level 32") as caught:
        require_attacks(with_pgd((8, 32), {}))
    assert caught.value.found == "20 steps, which change it by 20"
    assert "change a pixel by 32 (largest change of a pixel, of 255)" in caught.value.expected


@pytest.mark.parametrize(
    ("level", "options"),
    [(20, {}), (32, {"steps": 32}), (64, {"step_size": 4.0}), (1, {"steps": 10, "step_size": 0.1})],
)
def test_steps_that_are_just_enough_for_a_level_change_a_pixel_by_all_of_it(level, options):
    (attack,) = require_attacks(with_pgd((level,), options)).values()
    black = torch.zeros(1, 3, 2, 2)
    found = attack.optimise(black, black, lambda pixels: -torch.ones_like(pixels), level)
    assert found == pytest.approx(torch.full((1, 3, 2, 2), level / 255))
