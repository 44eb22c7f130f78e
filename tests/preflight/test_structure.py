"""The model that a config.json describes: where LoRA and quantisation act, without weights."""

import json
import shutil

import pytest
from bitsandbytes.nn import Linear4bit

from kit.errors import ModelError
from kit.experiment.manifest_file import load_manifest
from kit.model.base import load_base
from kit.preflight.structure import read_structure
from tests.bench.random_models import real_size
from tests.toys.dataset import TOY

SECTION = load_manifest(TOY).model
# Modules with LoRA, weights, and those of them in 4 bits.
REAL = {
    "llava": (224, 7_063_427_072, 6_476_005_376),
    "qwen2_5_vl": (196, 8_292_166_656, 6_525_288_448),
}


def with_modules(expression: str):
    return SECTION.model_copy(update={"lora_modules": expression})


def refused(folder, section=SECTION) -> ModelError:
    with pytest.raises(ModelError) as caught:
        read_structure(folder, section)
    assert caught.value.exit_code == 6
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("family", sorted(REAL))
def test_the_published_7b_models_have_lora_on_exactly_what_is_quantised(family, tmp_path):
    """From the configuration alone: numbers of modules and weights as counted by hand elsewhere."""
    modules, values, quantized = REAL[family]
    real_size(family).save_pretrained(tmp_path)
    found = read_structure(tmp_path, SECTION)
    assert found.lora == found.quantized
    assert len(found.lora) == modules
    assert (found.sizes.quantized, found.sizes.other) == (quantized, values - quantized)
    assert f"{modules} LoRA modules, {modules} quantised" in found.describe()
    assert not [name for name in found.quantized if "vision" in name or "visual" in name]


def test_what_is_counted_is_what_loading_quantises(tiny_base):
    counted = read_structure(tiny_base, SECTION)
    loaded = load_base(tiny_base, SECTION)
    made = {name for name, module in loaded.named_modules() if isinstance(module, Linear4bit)}
    assert made == set(counted.quantized)
    stored = sum(parameter.numel() for parameter in loaded.parameters())
    assert stored < counted.sizes.quantized + counted.sizes.other, "two values in a byte"


def test_lora_outside_the_language_model_or_on_nothing_is_refused(tiny_base):
    assert "matches no module" in refused(tiny_base, with_modules(".*nothing")).what
    error = refused(tiny_base, with_modules(r".*\.(q_proj|k_proj)"))
    assert "outside the language model gets LoRA" in error.what
    assert "vision_tower" in error.what
    error = refused(tiny_base, with_modules(r".*\.language_model\.layers\.\d+"))
    assert "no linear layer of the language model" in error.what


def test_lora_on_a_part_of_the_quantised_modules_is_a_choice_and_is_counted(tiny_base):
    found = read_structure(tiny_base, with_modules(r".*\.language_model\..*\.q_proj"))
    assert (len(found.lora), len(found.quantized)) == (2, 14)


def changed(tiny_base, tmp_path, change) -> object:
    folder = tmp_path / "base"
    folder.mkdir()
    config = json.loads((tiny_base / "config.json").read_text(encoding="utf-8"))
    change(config)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def test_a_config_that_names_no_known_model_is_refused(tiny_base, tmp_path):
    folder = changed(tiny_base, tmp_path, lambda config: config.update(model_type="clip"))
    assert refused(folder).found
    shutil.rmtree(folder)
    folder = changed(tiny_base, tmp_path, lambda config: config.pop("model_type"))
    assert "model_type" in refused(folder).expected
    (folder / "config.json").unlink()
    refused(folder)
