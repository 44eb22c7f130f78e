"""Full updates: W + D is trained as W would be, merged as W + D, and switched as an adapter is."""

# ruff: noqa: F811  (fixtures of another module)

import json
import shutil
from contextlib import nullcontext
from copy import deepcopy
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from kit.errors import ModelError
from kit.methods import Needs, Step
from kit.model.base import language_layers, load_base
from kit.model.batches import Batcher
from kit.model.combine import concatenate, merge, rank_of
from kit.model.dense import add_below
from kit.model.families import family_in
from kit.model.full_update import is_full, read_update
from kit.model.likelihood import answer_distribution
from kit.model.lora import (
    activate,
    adapter_state,
    add_adapter,
    add_full_update,
    load_adapter,
    save_adapter,
    without,
)
from kit.result.neurons import Removed
from kit.training.loop import train
from tests.model.test_adapters import (  # noqa: F401  (fixtures)
    LANGUAGE,
    SECTION,
    adapters,
    batch,
    logits,
    opened,
    serving,
)
from tests.training.test_training import section

torch.set_num_threads(1)
WHOLE = SECTION.model_copy(update={"quantization": "none"})
DOWN = "model.language_model.layers.1.mlp.down_proj"


def filled(model, name, seed=5):
    """Return the model with a full update of random numbers that change answers."""
    model = add_full_update(model, name, modules=LANGUAGE)
    torch.manual_seed(seed)
    for parameter in (p for n, p in model.named_parameters() if f".{name}." in n):
        parameter.data.normal_(std=0.02)
    return model


@pytest.fixture
def stored(serving, tmp_path):
    save_adapter(filled(opened(serving), "change"), "change", tmp_path / "stored")
    return tmp_path / "stored"


def test_three_steps_move_the_weights_as_plain_torch_moves_the_weights_themselves(
    tiny_base, processor, records, tmp_path
):
    """In float64: AdamW, warm-up, cosine and clipping, on the layers' own weights."""
    base = load_base(tiny_base, WHOLE).double()
    plain = deepcopy(base)
    paths = sorted(language_layers(base, family_in(tiny_base)))
    start = {path: plain.get_submodule(path).weight.detach().clone() for path in paths}
    encoded = Batcher(processor, torch.device("cpu"))(records[:1]).inputs  # nothing is padded
    inputs = {k: v.double() if v.is_floating_point() else v for k, v in encoded.items()}

    def loss_of(model):
        return model(**inputs).logits[:, -4:].log_softmax(-1)[..., 7].mean()

    free = [plain.get_submodule(path).weight.requires_grad_() for path in paths]
    optimizer = torch.optim.AdamW(free, lr=1.0, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    for rate in (0.01, 0.01, 0.005):  # one step of warm-up, then half of a cosine
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        loss_of(plain).backward()
        length = torch.stack([w.grad.norm() for w in free]).norm()
        for weight in free:
            weight.grad.mul_((1e-3 / (length + 1e-6)).clamp(max=1))
        optimizer.step()

    model = add_full_update(base, "trained", modules=LANGUAGE).double()
    method = SimpleNamespace(
        needs=Needs(forget=False, retain=True), loss=lambda step: loss_of(step.model)
    )
    settings = section(
        steps=3, warmup_steps=1, learning_rate=0.01, gradient_clip=1e-3, batch_size=1,
        micro_batch_size=1,
    ).model_copy(update={"lora_dtype": "float64"})  # fmt: skip
    step = Step(model, nullcontext, method.needs, {}, passes=1)
    train(model, method, settings, lambda number, size: iter([step]), tmp_path, name="toy")
    changes = adapter_state(model, "trained")
    assert len(changes) == len(paths) == 14
    for path in paths:
        moved = start[path] + changes[f"base_model.model.{path}.lora_B.weight"]
        right = plain.get_submodule(path).weight.detach()
        assert (right - start[path]).abs().max() > 0.01
        assert torch.allclose(moved, right, rtol=0, atol=1e-14)


def test_exactly_the_layers_weights_are_trained_and_they_begin_at_zero(serving, batch):
    plain = logits(opened(serving), batch)
    model = add_full_update(opened(serving), "change", modules=LANGUAGE)
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    linear = [m for n, m in opened(serving).named_modules() if n.endswith("_proj")
              and "language_model" in n]  # fmt: skip
    assert sum(p.numel() for p in trained.values()) == sum(m.weight.numel() for m in linear)
    assert is_full(model, "change")
    assert not any(bool(p.any()) for p in trained.values())
    assert torch.equal(logits(model, batch), plain)
    answer_distribution(model, batch).square().sum().backward()
    assert all(bool(p.grad.any()) for p in trained.values())


def test_a_stored_update_has_the_names_of_the_base_s_weights_and_acts_as_before(
    serving, stored, batch
):
    assert [path.name for path in stored.iterdir()] == ["full_update.safetensors"]
    weights, changes = opened(serving).state_dict(), load_file(stored / "full_update.safetensors")
    assert len(changes) == 14
    assert all(weights[name].shape == change.shape for name, change in changes.items())
    assert {change.dtype for change in changes.values()} == {torch.float32}
    expected = logits(filled(opened(serving), "change"), batch)
    assert torch.equal(logits(load_adapter(opened(serving), "on", stored), batch), expected)
    assert (expected - logits(opened(serving), batch)).abs().max() > 1e-2


def test_merged_weights_are_the_base_s_plus_the_change_to_the_last_bit(serving, stored, adapters):
    weights = load_file(serving / "model.safetensors")
    changes = load_file(stored / "full_update.safetensors")
    tails = {name.partition("layers.")[2]: change for name, change in changes.items()}
    found = merge([stored], weights)
    assert len(found) == len(changes)
    for name, weight in found.items():
        assert torch.equal(weight, weights[name] + tails[name.partition("layers.")[2]])
    below, both = merge([adapters[0]], weights), merge([adapters[0], stored], weights)
    for name, weight in both.items():
        assert torch.equal(weight, below[name] + tails[name.partition("layers.")[2]])


def test_stacked_updates_answer_as_the_merged_weights_do(
    serving, stored, adapters, batch, tmp_path
):
    save_adapter(filled(opened(serving), "more", 6), "more", tmp_path / "more")
    folders = [stored, adapters[0], tmp_path / "more"]
    model = opened(serving)
    for number, folder in enumerate(folders):
        model = load_adapter(model, f"on{number}", folder)
    weights = load_file(serving / "model.safetensors")
    shutil.copytree(serving, tmp_path / "merged")
    save_file(weights | merge(folders, weights), tmp_path / "merged" / "model.safetensors",
              metadata={"format": "pt"})  # fmt: skip
    assert torch.allclose(
        logits(model, batch), logits(opened(tmp_path / "merged"), batch), atol=2e-4
    )


def test_an_update_is_switched_as_adapters_are_and_leaves_with_them(serving, stored, batch):
    bare = logits(opened(serving), batch)
    model = load_adapter(opened(serving), "vanilla", stored)
    plain = logits(model, batch)
    model = filled(model, "trained", 6)
    found = logits(model, batch)
    assert (found - plain).abs().max() > 1e-2
    with without(model, "trained"):
        assert torch.equal(logits(model, batch), plain)
    activate(model, ["trained"])
    assert not torch.equal(logits(model, batch), found)
    activate(model, ["vanilla", "trained"])
    assert torch.equal(logits(model, batch), found)
    model = add_adapter(model, "lora", modules=LANGUAGE, rank=2, alpha=2)
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert trained
    assert all(".lora." in name for name in trained)
    assert torch.equal(logits(model.unload(), batch), bare)


@pytest.mark.parametrize("section", [SECTION, WHOLE], ids=["nf4", "whole"])
def test_an_update_acts_on_a_base_in_four_bits_and_on_a_whole_one(
    tiny_base, batch, tmp_path, section
):
    """Where small bases keep their weights dequantised, the update below is added to these."""
    save_adapter(filled(load_base(tiny_base, section), "one"), "one", tmp_path / "one")
    stacked = load_adapter(load_base(tiny_base, section), "one", tmp_path / "one")
    expected = logits(filled(stacked, "two", 6), batch)
    base = load_base(tiny_base, section)
    if section is SECTION:
        assert add_below(base, [tmp_path / "one"])
        found = logits(filled(base, "two", 6), batch)
        assert torch.allclose(found, expected, atol=2e-4)
    else:
        assert not add_below(base, [tmp_path / "one"])


def test_removed_neurons_are_zero_in_the_sum_of_base_and_update(serving, stored):
    numbers: Removed = {DOWN: (0, 3)}
    (stored / "neurons.json").write_text(json.dumps(numbers))
    weights = load_file(serving / "model.safetensors")
    found = merge([stored], weights)
    (down,) = [n for n in found if n.endswith("layers.1.mlp.down_proj.weight")]
    assert not found[down][:, list(numbers[DOWN])].any()
    assert found[down][:, 1].any()
    model = load_adapter(opened(serving), "on", stored)
    seen = []
    model.get_submodule(f"base_model.model.{DOWN}").register_forward_pre_hook(
        lambda layer, args: seen.append(args[0])
    )
    with torch.no_grad():
        model(input_ids=torch.arange(5, 13)[None])
    assert seen


def test_no_lora_is_made_of_an_update(stored, adapters, tmp_path):
    with pytest.raises(ModelError, match="changes whole weights, which no LoRA adapter does"):
        rank_of([stored])
    with pytest.raises(ModelError):
        concatenate([adapters[0], stored], tmp_path / "both")


def test_an_update_of_another_base_or_a_damaged_one_is_refused(serving, stored):
    path = stored / "full_update.safetensors"
    changes = load_file(path)
    name = f"{DOWN}.weight"
    save_file({**changes, name: changes[name][:, :-1].contiguous()}, path)
    with pytest.raises(ModelError, match="does not fit the model"):
        load_adapter(opened(serving), "on", stored)
    with pytest.raises(ModelError, match=r"no weight for .*layers.1.mlp.down_proj"):
        merge([stored], load_file(serving / "model.safetensors"))
    save_file({**changes, "model.lm_head.weight": torch.ones(2, 2)}, path)
    with pytest.raises(ModelError, match="does not fit the model"):
        load_adapter(opened(serving), "on", stored)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ModelError, match=r"the full update in .* is damaged"):
        load_adapter(opened(serving), "on", stored)
    path.unlink()
    assert read_update(stored) is None
