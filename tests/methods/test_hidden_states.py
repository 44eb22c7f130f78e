"""Hidden states at answer positions, and RMU, which steers them."""

from math import log, sqrt

import pytest
import torch
from torch.autograd import gradcheck

from kit.errors import MethodError, ModelError
from kit.methods import Needs, registry
from kit.model.hidden import answer_hidden, layer_at
from kit.training.loop import train
from kit.training.preparation.hidden_states import direction
from tests.methods.test_methods import FORGET, RETAIN, gradient, usual
from tests.toys.policy import DIRECTION, END, OTHER, TABLE, A, B, Bigram, batch_of, step_of
from tests.training.test_training import Killed, section

torch.set_num_threads(1)


def rmu(**options):
    return registry.build("rmu", options)


def square(row, target):
    return sum((log(value) - aim) ** 2 for value, aim in zip(row, target, strict=True)) / len(row)


def test_a_hidden_state_is_that_of_the_token_before_the_answer_token():
    found = answer_hidden(Bigram(), batch_of(([A], [B, END]), ([B], [END])), 0)
    rows = torch.tensor([[TABLE[A], TABLE[B]], [TABLE[0], TABLE[B]]]).log()
    assert torch.allclose(found, rows, atol=1e-6), "the second answer is right-aligned"


def test_rmu_by_hand():
    step, target = usual(), [3.0 * value for value in DIRECTION.tolist()]
    # A (B, END) is predicted from A and B, B (END) from B; the retain answer from A and A.
    forget = [(square(TABLE[A], target) + square(TABLE[B], target)) / 2, square(TABLE[B], target)]
    other = [log(value) for value in OTHER[A]]
    expected = sum(forget) / 2 + 0.5 * square(TABLE[A], other)
    found = rmu(coefficient=3.0, retain_weight=0.5).loss(step)
    assert found.item() == pytest.approx(expected, abs=1e-5)
    assert step.log["forget_square"] == pytest.approx(sum(forget) / 2, abs=1e-5)
    assert step.log["retain_square"] == pytest.approx(square(TABLE[A], other), abs=1e-5)
    assert step.passes == 2 + 2 * 1, "forget, retain, and retain in the reference"


def test_the_retain_term_of_rmu_is_zero_at_the_reference_and_the_forget_term_at_its_target():
    step = usual(Bigram(), Bigram())
    rmu().loss(step)
    assert step.log["retain_square"] == 0
    policy = Bigram()
    with torch.no_grad():
        policy.table.copy_(2.0 * DIRECTION.expand(4, -1))
    step = usual(policy, policy)
    assert rmu(coefficient=2.0).loss(step).item() == pytest.approx(0, abs=1e-12)


def test_the_gradient_of_rmu_is_that_of_finite_differences():
    def loss(table):
        policy = Bigram().double()
        del policy.table
        policy.table = table
        step = step_of(policy, policy, forget=batch_of(*FORGET), retain=batch_of(*RETAIN))
        step.without_adapter = Bigram(OTHER).double  # a reference that does not move
        step.reference_hidden = lambda batch, layer: answer_hidden(
            Bigram(OTHER).double(), batch, layer
        ).detach()
        return rmu().loss(step)

    assert gradcheck(loss, (Bigram().double().table.detach().requires_grad_(),))


def test_rmu_pulls_towards_its_target_and_along_nothing_else_without_the_retain_term():
    policy = Bigram()
    pulled = gradient(rmu(retain_weight=0.0).loss(usual(policy)), policy)
    assert (pulled[0] == 0).all(), "padding has no state that counts"
    away = policy.table.detach()[B] - 2.0 * DIRECTION
    # B is the state of half of the first answer and of all of the second; 4 entries, 2 records.
    assert torch.allclose(pulled[B], 2 * away / 4 * (0.5 + 1) / 2, atol=1e-6)


def test_the_direction_is_a_unit_vector_without_negative_entries_drawn_by_the_seed_of_the_job():
    drawn = direction(4096, 1)
    assert drawn.norm().item() == pytest.approx(1.0, abs=1e-6)
    assert drawn.min() >= 0
    # Uniform on [0, s): mean s / 2 and deviation s / sqrt 12, so their ratio is sqrt 3.
    assert (drawn.mean() / drawn.std()).item() == pytest.approx(sqrt(3), rel=0.05)
    assert torch.equal(drawn, direction(4096, 1))
    assert not torch.equal(drawn, direction(4096, 2))


@pytest.mark.parametrize(("depth", "layer"), [(0.25, 7), (1.0, 31), (0.01, 0), (0.5, 15)])
def test_a_depth_is_a_share_of_the_layers(depth, layer):
    model = Bigram()
    model.layers = torch.nn.ModuleList([torch.nn.Identity() for _ in range(32)])
    assert layer_at(model, depth) == layer


def test_a_layer_that_is_not_there_is_named():
    with pytest.raises(ModelError, match="the decoder has no layer 2") as caught:
        answer_hidden(Bigram(), batch_of(([A], [END])), 2)
    assert caught.value.expected == "a number from 0 to 1"


@pytest.mark.parametrize("name", ["hidden", "reference_hidden"])
def test_hidden_states_are_computed_only_where_they_are_declared(name):
    step = usual(needs=Needs(retain=True))
    with pytest.raises(MethodError, match=r"Needs\(retain=True, hidden_states=True\)"):
        getattr(step, name)(step.forget, 0)


class Deeper(Bigram):
    """A policy with weights of a later layer, which get no gradient."""

    def __init__(self):
        super().__init__()
        self.later = torch.nn.Parameter(torch.full((2,), 0.5))


def trained(folder, policy, *, dies_at=None):
    def steps(number, size):
        if number == dies_at:
            raise Killed
        yield step_of(policy, Bigram(OTHER), forget=batch_of(*FORGET), retain=batch_of(*RETAIN))

    folder.mkdir(exist_ok=True)
    train(policy, rmu(), section(checkpoint_every=2, batch_size=2, micro_batch_size=2,
                                 weight_decay=0.1), steps, folder, name="toy")  # fmt: skip
    return policy.table.detach(), policy.later.detach()


def test_later_layers_keep_their_weights_and_a_killed_run_ends_in_the_same_bits(tmp_path):
    whole, later = trained(tmp_path / "whole", Deeper())
    assert not torch.equal(whole, Bigram().table)
    assert torch.equal(later, Deeper().later)
    with pytest.raises(Killed):
        trained(tmp_path / "killed", Deeper(), dies_at=3)
    again, later = trained(tmp_path / "killed", Deeper())
    assert torch.equal(again, whole)
    assert torch.equal(later, Deeper().later)
