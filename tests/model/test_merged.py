"""Several adapters in one file: each alone while it is trained, and merged where they act."""

# ruff: noqa: F811  (fixtures of another module)

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from kit.errors import ModelError
from kit.model.combine import concatenate, merge
from kit.model.likelihood import answer_distribution
from kit.model.lora import activate, add_adapter, load_adapter, save_adapter, without
from kit.model.merged import Merge, read_merger
from kit.model.side_by_side import alone
from tests.model.test_adapters import (  # noqa: F401  (fixtures)
    LANGUAGE,
    adapters,
    batch,
    logits,
    opened,
    serving,
)

torch.set_num_threads(1)
NAMES, RANK = ("one", "two", "three"), 2


def rule(updates):
    """A rule that no LoRA computes: it is not linear, and of any rank."""
    return updates["one"] * (updates["two"] > 0) - updates["three"] / 2


def merge_of(folder):
    return Merge(NAMES, rule) if read_merger(folder) else None


def several(model):
    """Return the model with three adapters side by side, whose weights are random."""
    torch.manual_seed(7)
    width = len(NAMES) * RANK
    model = add_adapter(model, "several", modules=LANGUAGE, rank=width, alpha=2.0 * width)
    for name, parameter in model.named_parameters():
        if ".several." in name:
            parameter.data.normal_(std=0.2)
    return model


@pytest.fixture
def stored(serving, tmp_path):
    """The artifact of three adapters and a rule."""
    save_adapter(several(opened(serving)), "several", tmp_path / "several")
    said = {"adapters": NAMES, "method": "mine", "options": {}}
    (tmp_path / "several" / "merging.json").write_text(json.dumps(said))
    return tmp_path / "several"


def by_hand(folder, adapters, stored):
    """Return all changed weights in numpy, from the files alone."""
    state, found = load_file(folder / "model.safetensors"), {}
    own, plain = (load_file(f / "adapter_model.safetensors") for f in (stored, adapters[0]))
    for name in (n for n in own if ".lora_A." in n):
        tail = name.partition("language_model")[2].replace(".lora_A.", ".")
        (key,) = [n for n in state if n.endswith(tail) and "vision" not in n]
        pair = [own[n].numpy().astype(np.float64) for n in (name, name.replace("_A.", "_B."))]
        one, two, three = (
            2.0 * pair[1][:, i * RANK : (i + 1) * RANK] @ pair[0][i * RANK : (i + 1) * RANK]
            for i in range(3)
        )
        first = [plain[n].numpy().astype(np.float64) for n in (name, name.replace("_A.", "_B."))]
        weight = state[key].numpy() + 2.0 * first[1] @ first[0]
        found[key] = weight + np.where(two > 0, one, 0) - three / 2
    return found


def answering(serving, weights, tmp_path):
    """Return the base with these weights in place of its own, loaded as a checkpoint."""
    whole = load_file(serving / "model.safetensors")
    whole |= {name: torch.from_numpy(weight).float() for name, weight in weights.items()}
    shutil.copytree(serving, tmp_path / "merged")
    save_file(whole, tmp_path / "merged" / "model.safetensors", metadata={"format": "pt"})
    return opened(tmp_path / "merged")


def test_merged_weights_are_those_computed_by_hand(serving, adapters, stored):
    weights = load_file(serving / "model.safetensors")
    found = merge([adapters[0], stored], weights, merge_of)
    expected = by_hand(serving, adapters, stored)
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        assert np.allclose(found[name].numpy(), weight, atol=1e-5)
    largest = max(np.linalg.matrix_rank(expected[n] - weights[n].numpy()) for n in expected)
    assert largest > 4 + 3 * RANK, "no LoRA of all ranks together computes it"


def test_a_model_with_the_adapters_answers_as_the_merged_weights_do(
    serving, adapters, stored, batch, tmp_path
):
    model = load_adapter(opened(serving), "vanilla", adapters[0])
    plain = logits(model, batch)
    found = logits(load_adapter(model, "on", stored, merge_of), batch)
    expected = answering(serving, by_hand(serving, adapters, stored), tmp_path)
    assert torch.allclose(found, logits(expected, batch), atol=2e-4)
    assert (found - plain).abs().max() > 1e-2, "the update matters"


def test_merged_adapters_are_switched_as_others_are_and_leave_with_them(
    serving, adapters, stored, batch
):
    bare = logits(opened(serving), batch)
    model = load_adapter(opened(serving), "vanilla", adapters[0])
    plain = logits(model, batch)
    model = load_adapter(model, "on", stored, merge_of)
    found = logits(model, batch)
    activate(model, ["vanilla"])
    assert torch.equal(logits(model, batch), plain)
    activate(model, ["vanilla", "on"])
    assert torch.equal(logits(model, batch), found)
    model = add_adapter(model, "on top", modules=LANGUAGE, rank=2, alpha=2)
    answer_distribution(model, batch).sum().backward()
    trained = {n for n, p in model.named_parameters() if p.grad is not None}
    assert trained
    assert all(".on top." in name for name in trained), "an attack trains its own adapter alone"
    with without(model, "on top"):
        assert torch.equal(logits(model, batch), found)
    assert torch.equal(logits(model.unload(), batch), bare)


def test_an_adapter_alone_is_the_lora_of_its_ranks_and_gets_all_of_the_gradient(serving, batch):
    model = several(opened(serving))
    for place, name in enumerate(NAMES):
        model.zero_grad()
        with alone(model, "several", NAMES, name):
            found = answer_distribution(model, batch)
            found.square().sum().backward()
        parts = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        assert parts
        for path, grad in parts.items():
            ranks = grad if "lora_A" in path else grad.T
            chunks = ranks.chunk(len(NAMES))
            assert bool(chunks[place].any())
            assert not any(bool(c.any()) for i, c in enumerate(chunks) if i != place)
        own = several(opened(serving))
        for path, parameter in own.named_parameters():
            if ".several." in path and "lora_B" in path:
                for i, chunk in enumerate(parameter.data.chunk(len(NAMES), dim=1)):
                    chunk.mul_(float(i == place))
        assert torch.allclose(found, logits(own, batch), atol=1e-5)
    together = logits(model, batch)
    assert not torch.allclose(together, found, atol=1e-3), "outside, nothing is switched off"


def test_a_gradient_is_the_same_where_activations_are_computed_again(serving, batch):
    grads = []
    for again in (False, True):
        model = several(opened(serving))
        model.train()
        if again:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        with alone(model, "several", NAMES, "two"):
            answer_distribution(model, batch).square().sum().backward()
        grads.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    assert grads[0].keys() == grads[1].keys()
    assert all(torch.allclose(grads[0][n], grads[1][n], rtol=1e-4, atol=1e-4) for n in grads[0])


def test_several_adapters_are_not_served_as_one_lora(adapters, stored, tmp_path):
    with pytest.raises(ModelError, match="no LoRA adapter") as caught:
        concatenate([adapters[0], stored], tmp_path / "whole")
    assert 'serving = "merged"' in caught.value.remedy


def test_an_artifact_is_never_loaded_without_its_rule(serving, stored):
    """Loaded as one adapter, it would answer with the sum of all, the anchor included."""
    with pytest.raises(ModelError, match="holds several adapters"):
        load_adapter(opened(serving), "on", stored)
    with pytest.raises(ModelError, match="holds several adapters"):
        merge([stored], load_file(serving / "model.safetensors"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[]", "no JSON object"),
        ('{"adapters": ["a", "b"], "method": "m"}', "no JSON object with"),
        ('{"adapters": ["a"], "method": "m", "options": {}}', "no list of 2 to 16"),
        ('{"adapters": ["a", "a"], "method": "m", "options": {}}', "not distinct"),
        ('{"adapters": ["a", 1], "method": "m", "options": {}}', "not distinct"),
        ('{"adapters": ["a", "b"], "method": 1, "options": {}}', "method is no name"),
    ],
)
def test_a_damaged_rule_is_named(tmp_path, text, found):
    (tmp_path / "merging.json").write_text(text)
    with pytest.raises(ModelError, match=r"merging\.json is damaged") as caught:
        read_merger(tmp_path)
    assert found in str(caught.value.found)
