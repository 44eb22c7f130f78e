"""Attacks on merged weights: rounding equals an independent computation, and depth is cut."""

import math

import numpy as np
import pytest
import torch

from kit.attacks.early_exit import EarlyExit
from kit.attacks.round_int import RoundInt
from kit.attacks.round_nf4 import RoundNf4
from kit.errors import ModelError
from kit.model.rounding import is_rounded, round_int, round_nf4

# The 16 values of NF4, from appendix E of QLoRA (arXiv 2305.14314).
NF4 = [
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
    -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
    0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
    0.7229568362236023, 1.0,
]  # fmt: skip


def rows(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("bits", "group"), [(8, 0), (4, 0), (4, 16), (3, 24), (2, 128)])
def test_rounding_to_whole_numbers_is_that_of_a_loop_over_single_weights(bits, group):
    weight = rows(5, 40)
    found = round_int(weight, bits, group).numpy()
    width = group or 40
    for row in range(5):
        for start in range(0, 40, width):
            part = weight[row, start : start + width].tolist()
            scale = max(map(abs, part)) / (2 ** (bits - 1) - 1)
            right = [round(value / scale) * scale for value in part]  # ties to even, too
            assert found[row, start : start + width] == pytest.approx(right, abs=1e-6)


def test_weights_of_zero_stay_zero_and_nothing_moves_by_more_than_half_a_step():
    assert not round_int(torch.zeros(2, 8), 4, 4).any()
    weight = rows(4, 64)
    step = weight.abs().amax(dim=1, keepdim=True) / 127
    assert ((round_int(weight, 8, 0) - weight).abs() <= step / 2 + 1e-7).all()


def test_nf4_gives_each_weight_the_nearest_of_the_papers_sixteen_values():
    weight = rows(2, 64)
    found = round_nf4(weight).numpy()
    for row, got in zip(weight.numpy(), found, strict=True):
        largest = float(np.abs(row).max())
        right = [min(NF4, key=lambda value, w=w: abs(value - w)) for w in row / largest]
        # The scale itself is stored in 8 bits (double quantisation): within a few per cent.
        assert got / np.abs(got).max() == pytest.approx(right, abs=1e-3)
        assert np.abs(got).max() == pytest.approx(largest, rel=0.1)


def state(layers=4, width=64):
    """Return the names and shapes of a small checkpoint."""
    found = {"model.language_model.embed_tokens.weight": rows(10, width),
             "lm_head.weight": rows(10, width), "model.vision_tower.layers.0.fc1.weight":
             rows(8, width)}  # fmt: skip
    for layer in range(layers):
        place = f"model.language_model.layers.{layer}"
        for name in ("self_attn.q_proj", "self_attn.o_proj", "mlp.up_proj", "mlp.down_proj"):
            found[f"{place}.{name}.weight"] = rows(width, width, seed=layer + 2)
        found[f"{place}.input_layernorm.weight"] = torch.ones(width)
    return found


def test_only_the_matrices_that_the_base_quantises_are_rounded():
    merged = state()
    names = {name for name, weight in merged.items() if is_rounded(name, weight)}
    assert len(names) == 16
    assert all(".language_model.layers." in name for name in names)
    for attack, level in ((RoundInt(), 4), (RoundNf4(), 4)):
        assert attack.weights(merged, level).keys() == names


def test_a_small_update_is_rounded_away_after_merging_and_kept_before():
    """The trap of adapters on a quantised base: their update is never rounded."""
    name = "model.language_model.layers.0.mlp.up_proj.weight"
    base = round_int(rows(64, 64), 4, 0)
    step = base.abs().amax(dim=1, keepdim=True) / 7
    update = 0.2 * step * (base.abs() < base.abs().amax(dim=1, keepdim=True))
    merged = RoundInt(group=0).weights({name: base + update}, 4)[name]
    assert torch.allclose(merged, base, atol=1e-6), "0.2 of a step is rounded away"
    assert not torch.allclose(base + update, base, atol=1e-3), "base, then adapter: it stays"


@pytest.mark.parametrize(("level", "left"), [(0.05, 1), (0.5, 2), (0.51, 3), (0.75, 3), (1.0, 4)])
def test_early_exit_silences_what_the_upper_layers_write(level, left):
    silenced = EarlyExit().weights(state(), level)
    place = "model.language_model.layers"
    assert silenced.keys() == {
        f"{place}.{layer}.{name}.weight"
        for layer in range(left, 4)
        for name in ("self_attn.o_proj", "mlp.down_proj")
    }
    assert math.ceil(level * 4) == left
    assert not any(weight.any() for weight in silenced.values())


def test_a_model_whose_layers_have_other_names_is_refused():
    with pytest.raises(ModelError, match="finds no layer"):
        EarlyExit().weights({"model.layers.0.mlp.fc2.weight": torch.ones(2, 2)}, 0.5)
