"""Methods that remove neurons: MANU's scores, MIP-Editor's attributions, and what they choose."""

# ruff: noqa: F811  (fixtures of another module)

from dataclasses import dataclass
from math import sqrt
from types import SimpleNamespace

import pytest
import torch

from kit.errors import ManifestError, MethodError, TrainingError
from kit.methods import Needs, neurons, registry
from kit.methods.neurons import attributions, highest, importances, removed_by
from kit.model.batches import Batcher
from kit.model.hidden import layer_at
from tests.methods.test_methods import RETAIN_M, usual
from tests.model.test_adapters import opened, serving  # noqa: F401  (a fixture)
from tests.toys.policy import DIRECTION, Bigram

torch.set_num_threads(1)
PATH = "model.language_model.layers.{}.mlp.down_proj"


def batch(*lengths):
    """Return what of a batch counts: the mask of answers of these lengths."""
    width = max(lengths)
    rows = [[0.0] * (width - length) + [1.0] * length for length in lengths]
    return SimpleNamespace(record_ids=tuple(map(str, lengths)), answer_mask=torch.tensor(rows))


@pytest.fixture
def given(monkeypatch):
    """Make a step's batches carry their own activations."""
    monkeypatch.setattr(neurons, "activations", lambda step, batch: batch.values)


def with_values(mask, **values):
    made = {name: torch.tensor(value) for name, value in values.items()}
    return SimpleNamespace(**vars(mask), values=made)


def test_importances_are_means_over_positions_and_then_over_records(given):
    # One neuron. Record one: 3, -1; record two: 0.1 (its first position is padding).
    forget = with_values(batch(2, 1), layer=[[[3.0], [-1.0]], [[99.0], [0.1]]])
    (found,) = importances([SimpleNamespace(forget=forget)], "forget").values()
    mean, square = (1.0 + 0.1) / 2, (5.0 + 0.01) / 2
    expected = [(2.0 + 0.1) / 2, (1.0 + 0.0) / 2, sqrt(square - mean**2), sqrt(square)]
    # `> 0.1` in float32: 0.1 is not above itself.
    assert found[:, 0].tolist() == pytest.approx(expected, abs=1e-6)


def test_importances_are_the_same_in_every_micro_batch(given):
    values = torch.randn(4, 3, 5).tolist()
    lengths = (3, 2, 1, 3)
    whole = [SimpleNamespace(forget=with_values(batch(*lengths), layer=values))]
    masks = batch(*lengths).answer_mask
    parts = [
        SimpleNamespace(forget=SimpleNamespace(record_ids=("r",), answer_mask=masks[i : i + 1],
                                               values={"layer": torch.tensor(values[i : i + 1])}))
        for i in range(4)
    ]  # fmt: skip
    one, two = importances(whole, "forget")["layer"], importances(parts, "forget")["layer"]
    assert torch.allclose(one, two, atol=1e-6)


def test_the_highest_scores_of_all_layers_are_chosen():
    scores = {"a": torch.tensor([1.0, 9.0, 3.0]), "b": torch.tensor([8.0, 2.0])}
    assert highest(scores, 1) == {"a": [1], "b": []}
    assert highest(scores, 3) == {"a": [1, 2], "b": [0]}
    assert highest({"a": torch.zeros(4)}, 2) == {"a": [0, 1]}, "ties: the first ones"


def test_manu_removes_what_the_forget_set_uses_more_than_the_retain_set_in_either_view(given):
    mask = batch(1)
    step = SimpleNamespace(
        forget=with_values(mask, a=[[[9.0, 1.0, 1.0]]], b=[[[1.0, 1.0]]]),
        retain=with_values(mask, a=[[[1.0, 1.0, 1.0]]], b=[[[1.0, 9.0]]]),
        text=with_values(mask, a=[[[1.0, 1.0, 1.0]]], b=[[[1.0, 50.0]]]),
        retain_text=with_values(mask, a=[[[1.0, 1.0, 1.0]]], b=[[[1.0, 10.0]]]),
    )
    found = registry.build("manu", {"share": 0.2}).neurons([step])
    assert found == {"a": [0], "b": [1]}


def test_manus_score_is_the_weighted_sum_of_ratios_less_one(given, monkeypatch):
    seen = []
    monkeypatch.setattr("kit.methods.manu.highest", lambda scores, count: seen.append(scores) or {})
    mask = batch(1)
    step = SimpleNamespace(
        forget=with_values(mask, a=[[[3.0]]]), retain=with_values(mask, a=[[[2.0]]]),
        text=with_values(mask, a=[[[0.0]]]), retain_text=with_values(mask, a=[[[4.0]]]),
    )  # fmt: skip
    options = {"absolute": 1.0, "frequency": 4.0, "deviation": 0.0, "square": 2.0}
    registry.build("manu", options).neurons([step])
    # Without spread the deviation is 0 and its ratio -1, times the weight 0.
    images, text = (found["a"].item() for found in seen)
    assert images == pytest.approx(1 * (3 / 2 - 1) + 4 * (1 - 1) + 2 * (3 / 2 - 1), abs=1e-4)
    assert text == pytest.approx(-(1 + 4 + 2), abs=1e-4)


def test_manu_has_no_loss():
    with pytest.raises(TrainingError, match="trains nothing"):
        registry.build("manu", {}).loss(usual())


def scaled(model, batch, path, row, place, neuron, factor):
    """Return M of a record where one activation is multiplied: the change, without a gradient."""

    def hook(layer, args):
        state = args[0].clone()
        state[row, place, neuron] *= factor
        return (state,)

    handle = model.get_submodule(path).register_forward_pre_hook(hook)
    with torch.no_grad():
        logprobs = model(**batch.inputs).logits[row].log_softmax(-1)  # in float64, all positions
    handle.remove()
    length = int(batch.answer_mask[row].sum())
    told = batch.inputs["input_ids"][row, -length:]
    return -logprobs[-length - 1 : -1].gather(-1, told[:, None]).mean().item()


def test_attributions_are_the_slope_of_the_loss_when_a_neuron_is_turned_up(
    serving,
    processor,
    records,
):
    model = opened(serving).double()
    made = Batcher(processor, torch.device("cpu"))(records[:3])
    made.inputs["pixel_values"] = made.inputs["pixel_values"].double()
    step = SimpleNamespace(model=model, passes=0)
    found = attributions(step, made)
    assert step.passes == 3
    step_size = 0.05  # norms are computed in float32, so a smaller one is lost in rounding
    for layer, row, place, neuron in [(0, 0, -1, 3), (1, 1, -2, 100), (0, 1, -3, 17)]:
        path = PATH.format(layer)
        position = made.inputs["input_ids"].shape[1] - 1 + place
        up, down = (
            scaled(model, made, path, row, position, neuron, 1 + sign * step_size)
            for sign in (1, -1)
        )
        slope = (up - down) / (2 * step_size)
        assert found[path][row, place, neuron].item() == pytest.approx(slope, rel=0.03, abs=1e-6)


def test_mip_editor_removes_the_neurons_with_the_largest_mean_attribution_in_each_layer(
    monkeypatch,
):
    found = {"a": torch.tensor([[[0.0, -3.0, 1.0]]]), "b": torch.tensor([[[5.0, 4.0, -6.0]]])}
    monkeypatch.setattr("kit.methods.mip_editor.attributions", lambda step, batch: found)
    steps = [SimpleNamespace(forget=batch(1))] * 2
    method = registry.build("mip_editor", {"neurons_per_layer": 2})
    assert method.neurons(steps) == {"a": [1, 2], "b": [0, 2]}


def test_mip_editors_loss_by_hand():
    step = usual()
    method = registry.build("mip_editor", {"forget_weight": 3.0, "retain_weight": 2.0})
    aim = DIRECTION.double()
    rows = Bigram().table.detach().double()
    first, second = ((rows[row] - aim).square().mean() for row in (2, 3))
    # Answers: (B, END) predicted from A and B, and (END) from B.
    steered = ((first + second) / 2 + second) / 2
    assert method.loss(step).item() == pytest.approx(3 * steered.item() + 2 * RETAIN_M, abs=1e-5)
    assert layer_at(step.model, 0.25) == 0


@dataclass(frozen=True)
class Choosing:
    """A method whose choice is given."""

    choice: object
    needs = Needs(neurons=True, training_free=True)

    def neurons(self, steps):
        return self.choice(steps)


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        (lambda steps: {}, "no neuron"),
        (lambda steps: {PATH.format(0): []}, "no neuron"),
        (lambda steps: {"model.layers.0.mlp.up_proj": [1]}, "up_proj: 1 to 1"),
        (lambda steps: {PATH.format(0): [1, 320]}, "1 to 320"),
        (lambda steps: {PATH.format(0): [-1]}, "-1 to -1"),
    ],
    ids=["nothing", "no numbers", "another layer", "too large", "negative"],
)
def test_a_choice_of_neurons_that_the_model_does_not_have_is_named(serving, choice, found):
    with pytest.raises(MethodError, match="removes no neurons of the model") as caught:
        removed_by(Choosing(choice), [], opened(serving))
    assert found in str(caught.value.found)


def test_a_choice_is_sorted_and_without_repetitions(serving):
    chosen = removed_by(Choosing(lambda steps: {PATH.format(1): [7, 2, 7]}), [], opened(serving))
    assert chosen == {PATH.format(1): [2, 7]}


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [("manu", "share", 0.0), ("manu", "share", 1.5), ("manu", "square", -1.0),
     ("mip_editor", "neurons_per_layer", 0), ("mip_editor", "depth", 2.0),
     ("rmu", "coefficient", 0.0), ("rmu", "depth", float("nan"))],
)  # fmt: skip
def test_an_option_out_of_its_range_is_refused(name, option, value):
    with pytest.raises(ManifestError, match=f"option '{option}' of method '{name}'"):
        registry.build(name, {option: value})
