"""Merging: the base with changed weights answers as the base with adapters on top does."""

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlavaForConditionalGeneration

from kit.errors import ModelError
from kit.experiment.manifest import ModelSection, SourceSection
from kit.model.base import export_base
from kit.model.batches import Batcher
from kit.model.combine import merge
from kit.model.likelihood import answer_distribution
from kit.model.lora import add_adapter, load_adapter, save_adapter

torch.set_num_threads(1)
LANGUAGE = r".*\.language_model\.layers\.\d+\..*_proj"
NOWHERE = SourceSection(name="base", folder="-", checksums="-")
SECTION = ModelSection(source=NOWHERE, compute_dtype="float32", lora_modules=LANGUAGE)


@pytest.fixture(scope="module")
def serving(tiny_base, tmp_path_factory):
    """The dequantised base, as an engine serves it."""
    folder = tmp_path_factory.mktemp("serving") / "base"
    export_base(tiny_base, SECTION, folder)
    return folder


@pytest.fixture
def adapters(serving, tmp_path):
    """Two stored adapters of different rank and scale, with weights that change answers."""
    model = opened(serving)
    for number, (rank, alpha) in enumerate([(4, 8.0), (3, 3.0)]):
        torch.manual_seed(number)
        model = add_adapter(model, f"a{number}", modules=LANGUAGE, rank=rank, alpha=alpha)
        for name, parameter in model.named_parameters():
            if f".a{number}." in name:
                parameter.data.normal_(std=0.1)
        save_adapter(model, f"a{number}", tmp_path / str(number))
    return [tmp_path / "0", tmp_path / "1"]


@pytest.fixture
def batch(processor, records):
    return Batcher(processor, torch.device("cpu"))(records)


def opened(folder):
    model = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    return model.requires_grad_(False).eval()


def logits(model, batch):
    with torch.no_grad():
        return answer_distribution(model, batch)


def merged_into(folder, adapters, tmp_path):
    """Return the base with the merged weights, loaded as a checkpoint."""
    from safetensors.torch import save_file

    weights = load_file(folder / "model.safetensors")
    weights |= merge(adapters, weights)
    target = tmp_path / "merged"
    opened(folder).save_pretrained(target)
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    return opened(target)


@pytest.mark.parametrize("count", [1, 2])
def test_merged_weights_answer_like_the_stacked_adapters(serving, adapters, batch, tmp_path, count):
    stacked = opened(serving)
    for number, folder in enumerate(adapters[:count]):
        stacked = load_adapter(stacked, f"on{number}", folder)
    expected = logits(stacked, batch)
    assert (expected - logits(opened(serving), batch)).abs().max() > 1e-2
    found = logits(merged_into(serving, adapters[:count], tmp_path), batch)
    assert torch.allclose(found, expected, atol=1e-4)


def test_only_weights_of_the_language_model_change_and_the_given_ones_are_left_alone(
    serving, adapters
):
    weights = load_file(serving / "model.safetensors")
    before = {name: weight.clone() for name, weight in weights.items()}
    changed = merge(adapters, weights)
    assert changed
    assert all("language_model" in name and name.endswith("_proj.weight") for name in changed)
    assert all(torch.equal(weights[name], before[name]) for name in weights)
    assert all(changed[name].dtype == before[name].dtype for name in changed)


def test_nothing_is_merged_where_there_is_no_adapter(serving):
    assert merge([], load_file(serving / "model.safetensors")) == {}


def test_an_adapter_of_another_base_is_refused(serving, adapters):
    weights = load_file(serving / "model.safetensors")
    fewer = {name: weight for name, weight in weights.items() if ".layers.1." not in name}
    with pytest.raises(ModelError, match="the base has no weight for"):
        merge(adapters, fewer)
