"""Arithmetic on a trained adapter, and the task vector, which negates it."""

from dataclasses import dataclass

import pytest
import torch

from kit.errors import ManifestError, MethodError
from kit.methods import Needs, registry
from kit.methods.arithmetic import after_training
from tests.methods.test_methods import M, usual
from tests.toys.policy import Bigram

A_NAME, B_NAME = "base_model.model.layer.lora_A.weight", "base_model.model.layer.lora_B.weight"
WEIGHTS = {A_NAME: torch.tensor([[1.0, 2.0]]), B_NAME: torch.tensor([[3.0], [4.0], [5.0]])}


def test_a_task_vector_learns_the_forget_set_and_notes_nothing_for_the_stop_rule():
    step = usual(Bigram())
    assert registry.build("task_vector", {}).loss(step).item() == pytest.approx(sum(M) / 2)
    assert step.log == {"learnt_nll": pytest.approx(sum(M) / 2)}
    assert step.forgotten == {}, "a loss that learns must not end by a rule about forgetting"


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_change_of_the_weights_is_minus_lambda_times_what_was_learnt(scale):
    found = after_training(registry.build("task_vector", {"scale": scale}), WEIGHTS)
    learnt = torch.tensor([[3.0, 6.0], [4.0, 8.0], [5.0, 10.0]])
    assert torch.equal(found[B_NAME] @ found[A_NAME], -scale * learnt)
    assert torch.equal(WEIGHTS[B_NAME], torch.tensor([[3.0], [4.0], [5.0]])), "left as it was"


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan")])
def test_a_scale_that_does_nothing_or_learns_is_refused(scale):
    with pytest.raises(ManifestError, match="option 'scale' of method 'task_vector'"):
        registry.build("task_vector", {"scale": scale})


@dataclass(frozen=True)
class Changed:
    """A method whose arithmetic is given."""

    change: object
    needs = Needs(arithmetic=True)

    def after_training(self, weights):
        return self.change(weights)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda weights: {A_NAME: weights[A_NAME]}, "it is missing"),
        (lambda weights: {**weights, "more": weights[A_NAME]}, "more is no weight"),
        (lambda weights: {n: w.double() for n, w in weights.items()}, "float64"),
        (lambda weights: {n: w.T for n, w in weights.items()}, "[2, 1]"),
        (lambda weights: {n: w / 0 for n, w in weights.items()}, "not finite"),
        (lambda weights: None, "TypeError"),
        (lambda weights: weights["lora_B"], "KeyError"),
    ],
    ids=["missing", "more", "dtype", "shape", "infinite", "nothing", "failing"],
)
def test_arithmetic_that_gives_another_kind_of_adapter_names_what_is_wrong(change, found):
    with pytest.raises(MethodError) as caught:
        after_training(Changed(change), WEIGHTS)
    assert found in str(caught.value.found)


def test_arithmetic_in_place_changes_a_copy():
    def halve(weights):
        weights[B_NAME].mul_(0.5)
        return weights

    assert torch.equal(after_training(Changed(halve), WEIGHTS)[B_NAME], WEIGHTS[B_NAME] / 2)
