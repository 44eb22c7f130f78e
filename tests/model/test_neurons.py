"""Neurons that are removed: in merged weights, in a model with gates, and as they are read."""

# ruff: noqa: F811  (fixtures of another module)

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from kit.errors import ModelError
from kit.model.combine import concatenate, merge
from kit.model.lora import activate, add_adapter, load_adapter, without
from kit.model.neurons import answer_activations, gate, neuron_layers, read_neurons, save_neurons
from tests.model.test_adapters import (  # noqa: F401  (fixtures)
    LANGUAGE,
    adapters,
    batch,
    logits,
    merged_into,
    opened,
    serving,
)

torch.set_num_threads(1)
PATHS = [f"model.language_model.layers.{layer}.mlp.down_proj" for layer in range(2)]
REMOVED = {PATHS[0]: list(range(0, 200, 3)), PATHS[1]: [5, 7, 11, 300]}


@pytest.fixture
def neurons(tmp_path):
    """An artifact that holds removed neurons alone."""
    save_neurons(REMOVED, tmp_path / "neurons")
    return tmp_path / "neurons"


def both(folder):
    """Give a stored adapter removed neurons as well."""
    save_neurons(REMOVED, folder)
    return folder


def by_hand(folder, lora, removed):
    """Return down_proj of all layers: base + sum s B A, with columns of zeros, in numpy."""
    state = load_file(folder / "model.safetensors")
    found = {}
    for path, numbers in removed.items():
        (name,) = [n for n in state if n.endswith(path.partition("layers")[2] + ".weight")
                   and "vision" not in n]  # fmt: skip
        weight = state[name].numpy().astype(np.float64)
        for adapter in lora:
            config = json.loads((adapter / "adapter_config.json").read_text())
            own = load_file(adapter / "adapter_model.safetensors")
            below = own[f"base_model.model.{path}.lora_A.weight"].numpy().astype(np.float64)
            above = own[f"base_model.model.{path}.lora_B.weight"].numpy().astype(np.float64)
            weight = weight + config["lora_alpha"] / config["r"] * above @ below
        weight[:, numbers] = 0
        found[name] = weight
    return found


@pytest.mark.parametrize("alone", [True, False], ids=["neurons alone", "beside an adapter"])
def test_merged_weights_are_the_hand_merged_ones(serving, adapters, neurons, alone):
    first, second = adapters
    folders = [first, neurons] if alone else [both(first), second]
    found = merge(folders, load_file(serving / "model.safetensors"))
    expected = by_hand(serving, [first] if alone else [first, second], REMOVED)
    assert len(expected) == len(REMOVED)
    for name, weight in expected.items():
        assert np.allclose(found[name].numpy(), weight, atol=1e-5)
    others = [name for name in found if name not in expected]
    assert others
    assert all(not (found[name] == 0).all(dim=0).any() for name in others)


@pytest.mark.parametrize("alone", [True, False], ids=["neurons alone", "beside an adapter"])
def test_a_gated_model_answers_as_the_merged_weights_do(
    serving,
    adapters,
    neurons,
    batch,
    tmp_path,
    alone,
):
    folders = [adapters[0], neurons] if alone else [adapters[0], both(adapters[1])]
    model = opened(serving)
    for number, folder in enumerate(folders):
        model = load_adapter(model, f"on{number}", folder)
    found = logits(model, batch)
    assert torch.allclose(found, logits(merged_into(serving, folders, tmp_path), batch), atol=1e-4)
    whole = load_adapter(opened(serving), "on0", adapters[0])
    assert (found - logits(whole, batch)).abs().max() > 1e-2, "the neurons matter"


def test_gates_are_open_without_their_adapter_and_leave_with_it(serving, adapters, batch):
    bare = logits(opened(serving), batch)
    model = load_adapter(opened(serving), "vanilla", adapters[0])
    expected = logits(model, batch)
    model = add_adapter(model, "trained", modules=LANGUAGE, rank=2, alpha=2)
    gate(model, REMOVED, "trained")
    assert not torch.equal(logits(model, batch), expected)
    with without(model, "trained"):
        assert torch.equal(logits(model, batch), expected)
    with model.disable_adapter():
        assert torch.equal(logits(model, batch), bare)
    assert torch.equal(logits(model.unload(), batch), bare)


def test_activations_are_those_of_the_mlps_formula(serving, batch):
    """act(gate x) * (up x), from the input of each MLP."""
    model, inputs = opened(serving), {}
    mlps = {path: model.get_submodule(path.removesuffix(".down_proj")) for path in PATHS}
    for path, mlp in mlps.items():
        mlp.register_forward_pre_hook(lambda _, args, path=path: inputs.update({path: args[0]}))
    distribution, seen = answer_activations(model, batch)
    assert list(seen) == PATHS == list(neuron_layers(model))
    assert torch.equal(distribution, logits(model, batch))
    for path, mlp in mlps.items():
        x = inputs[path]
        expected = torch.nn.functional.silu(x @ mlp.gate_proj.weight.T) * (x @ mlp.up_proj.weight.T)
        assert torch.allclose(seen[path], expected, atol=1e-5)


def test_what_is_no_lora_is_not_served_as_one(adapters, tmp_path):
    with pytest.raises(ModelError, match="no LoRA adapter") as caught:
        concatenate([adapters[0], both(adapters[1])], tmp_path / "whole")
    assert 'serving = "merged"' in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[]", "no JSON object"),
        ("{}", "no JSON object"),
        ('{"a": []}', "no list of inputs"),
        ('{"a": [1, 1]}', "do not ascend"),
        ('{"a": [-1]}', "no numbers"),
        ('{"a": [true]}', "no numbers"),
        ('{"a": [1]', "Expecting"),
    ],
)
def test_a_damaged_list_of_neurons_is_named(tmp_path, text, found):
    (tmp_path / "neurons.json").write_text(text)
    with pytest.raises(ModelError, match=r"neurons\.json is damaged") as caught:
        read_neurons(tmp_path)
    assert found in str(caught.value.found)


@pytest.mark.parametrize(
    ("removed", "found"),
    [({"model.language_model.layers.9.mlp.down_proj": [1]}, "not found in the base"),
     ({PATHS[0]: [320]}, "which has 320")],
    ids=["layer", "neuron"],
)  # fmt: skip
def test_neurons_of_another_base_are_refused(serving, adapters, tmp_path, removed, found):
    save_neurons(removed, tmp_path / "other")
    model = load_adapter(opened(serving), "on0", adapters[0])
    with pytest.raises(ModelError) as caught:
        load_adapter(model, "on1", tmp_path / "other")
    assert found in str(caught.value.found)
    with pytest.raises(ModelError):
        merge([adapters[0], tmp_path / "other"], load_file(serving / "model.safetensors"))


def test_neurons_alone_are_switched_as_adapters_are(serving, adapters, neurons, batch):
    """Peers of a system lie on one base, and an attack trains an adapter on top of it."""
    model = load_adapter(opened(serving), "vanilla", adapters[0])
    expected = logits(model, batch)
    model = load_adapter(model, "off", neurons)
    removed = logits(model, batch)
    assert not torch.equal(removed, expected)
    activate(model, ["vanilla"])
    assert torch.equal(logits(model, batch), expected)
    activate(model, ["vanilla", "off"])
    assert torch.equal(logits(model, batch), removed)
    model = add_adapter(model, "on top", modules=LANGUAGE, rank=2, alpha=2)
    assert torch.equal(logits(model, batch), removed)
    with without(model, "on top"):
        assert torch.equal(logits(model, batch), removed)


def test_neurons_may_be_removed_from_the_bare_base(serving, neurons, batch, tmp_path):
    found = logits(load_adapter(opened(serving), "off", neurons), batch)
    expected = logits(merged_into(serving, [neurons], tmp_path), batch)
    assert torch.allclose(found, expected, atol=1e-4)
