"""A base that is kept whole: trained on, served and counted as it was published."""

import pytest
import torch
from bitsandbytes.nn import Linear4bit
from peft import PeftModel
from safetensors.torch import load_file

from kit.artifacts import PROJECT
from kit.experiment.manifest_file import load_manifest
from kit.model.base import dequantized_state, export_base, language_layers, load_base
from kit.model.dense import add_below
from kit.model.families import family_in
from kit.model.lora import add_adapter, load_adapter, save_adapter
from kit.plan.cards import answering, kinds
from kit.plan.memory import NF4_BYTES, TrainingMemory, weight_bytes
from kit.plan.published import PUBLISHED
from kit.preflight.structure import read_structure
from tests.toys.dataset import TOY

QUANTISED = load_manifest(TOY).model
WHOLE = QUANTISED.model_copy(update={"quantization": "none"})
LLAVA = PUBLISHED["llava-hf/llava-1.5-7b-hf"]


def published(folder) -> dict[str, torch.Tensor]:
    return {
        k: v for file in sorted(folder.glob("*.safetensors")) for k, v in load_file(file).items()
    }


def tails(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return weights by the end of their names: transformers and the hub begin them differently."""
    return {
        name.split("language_model.")[-1].removeprefix("model."): v for name, v in weights.items()
    }


def test_every_weight_is_the_published_one_and_none_is_in_four_bits(tiny_base):
    model = load_base(tiny_base, WHOLE)
    assert not [m for m in model.modules() if isinstance(m, Linear4bit)]
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert dequantized_state(model) == {}
    stored = tails(published(tiny_base))
    layers = language_layers(model, family_in(tiny_base))
    assert len(layers) == 14
    for name in layers:
        weight = model.get_submodule(name).weight
        assert weight.dtype == torch.float32
        assert torch.equal(weight, stored[f"{name.split('language_model.')[-1]}.weight"].float())


def test_what_is_served_is_what_is_trained_on(tiny_base, tmp_path):
    export_base(tiny_base, WHOLE, tmp_path / "whole")
    export_base(tiny_base, QUANTISED, tmp_path / "nf4")
    whole, nf4, source = (
        tails(published(folder)) for folder in (tmp_path / "whole", tmp_path / "nf4", tiny_base)
    )
    named = "layers.0.mlp.down_proj.weight"
    assert torch.equal(whole[named], source[named].float())
    assert not torch.equal(whole[named], nf4[named]), "NF4 rounds"
    trained = load_base(tiny_base, WHOLE)
    for path in language_layers(trained, family_in(tiny_base)):
        weight = trained.get_submodule(path).weight
        assert torch.equal(whole[f"{path.split('language_model.')[-1]}.weight"], weight)


def test_an_adapter_trains_on_it_and_is_stacked_again(tiny_base, tmp_path):
    torch.manual_seed(1)
    modules = WHOLE.lora_modules or family_in(tiny_base).lora_modules
    model = add_adapter(load_base(tiny_base, WHOLE), "one", modules=modules, rank=2, alpha=4)
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert len(trained) == 2 * 14
    assert all(".one." in name for name in trained)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    ids = torch.arange(5, 13)[None]
    with torch.no_grad():
        wanted = model(input_ids=ids).logits
    save_adapter(model, "one", tmp_path / "one")
    base = load_base(tiny_base, WHOLE)
    assert not add_below(base, [tmp_path / "one"]), "only dequantised weights are added to"
    again = load_adapter(base, "again", tmp_path / "one")
    assert isinstance(again, PeftModel)
    with torch.no_grad():
        assert torch.equal(again(input_ids=ids).logits, wanted)


def test_adapters_are_float32_on_a_base_in_bfloat16_and_stored_as_they_are(tiny_base, tmp_path):
    section = WHOLE.model_copy(update={"compute_dtype": "bfloat16"})
    modules = section.lora_modules or family_in(tiny_base).lora_modules
    model = load_base(tiny_base, section)
    for name in ("one", "two"):
        model = add_adapter(model, name, modules=modules, rank=2, alpha=4)
    made = {n: p for n, p in model.named_parameters() if "lora_" in n}
    assert len(made) == 2 * 2 * 14
    assert {parameter.dtype for parameter in made.values()} == {torch.float32}
    with torch.no_grad():
        for parameter in made.values():
            parameter.normal_()
    save_adapter(model, "two", tmp_path / "two")
    again = load_adapter(load_base(tiny_base, section), "two", tmp_path / "two")
    loaded = {n: p for n, p in again.named_parameters() if "lora_" in n}
    assert loaded.keys() == {name for name in made if ".two." in name}
    assert all(torch.equal(parameter, made[name]) for name, parameter in loaded.items())


def test_the_structure_counts_the_same_layers_and_stores_none_in_four_bits(tiny_base):
    whole, nf4 = (read_structure(tiny_base, section) for section in (WHOLE, QUANTISED))
    assert (whole.lora, whole.sizes) == (nf4.lora, nf4.sizes)
    assert whole.quantized == ()
    assert set(nf4.quantized) == set(nf4.lora)


@pytest.mark.parametrize(
    ("quantization", "dtype", "bytes_of"),
    [
        ("nf4", "bfloat16", (NF4_BYTES, 2)),
        ("nf4", "float32", (NF4_BYTES, 4)),
        ("none", "bfloat16", (2, 2)),
        ("none", "float32", (4, 4)),
    ],
)
def test_the_bytes_of_a_weight_by_hand(quantization, dtype, bytes_of):
    changes = {"quantization": quantization, "compute_dtype": dtype}
    assert weight_bytes(QUANTISED.model_copy(update=changes)) == bytes_of


def test_the_plan_counts_two_bytes_for_each_weight_of_a_7b_model():
    made = load_manifest(PROJECT / "manifests" / "pebench.toml")
    kept = made.model_copy(update={"model": made.model.model_copy(update={"quantization": "none"})})
    before, after = (
        [kind.memory for kind in kinds(each, LLAVA.sizes, LLAVA.record)] for each in (made, kept)
    )
    more = 6_476_005_376 * (2 - 0.515869140625)
    assert more == pytest.approx(9.6e9, rel=0.01)
    for nf4, whole in zip(before, after, strict=True):
        assert isinstance(whole, TrainingMemory)
        assert whole.held - nf4.held == pytest.approx(more, abs=2)
    assert answering(made, LLAVA.sizes) == answering(kept, LLAVA.sizes), "served alike"


def test_another_quantisation_is_another_experiment_and_the_default_is_as_before():
    document = load_manifest(TOY)
    assert document.resolved()["model"]["quantization"] == "nf4"
    whole = document.model_copy(update={"model": WHOLE})
    assert whole.digest() != document.digest()
