"""A base whose files do not belong together is refused before anything is loaded or trained."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from kit.errors import ModelError
from kit.experiment.manifest_file import load_manifest
from kit.model.families import family_in
from kit.model.file_kinds import kind_of, require_own_kind
from kit.preflight import ready
from kit.preflight.loading import load_empty, require_features
from kit.preflight.processors import open_processor, require_processor
from kit.preflight.structure import read_structure
from kit.preflight.weights import read_weights, require_finite
from tests.bench.random_models import write_random_base
from tests.preflight.test_weights import POINTER
from tests.toys.dataset import TOY

SECTION = load_manifest(TOY).model
WEIGHTS = "model.safetensors"


@pytest.fixture
def base(tiny_base, tmp_path):
    """A copy of the tiny base that a test may damage."""
    return shutil.copytree(tiny_base, tmp_path / "base")


def changed(path, change):
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def stored(base, change):
    weights = {name: change(name, tensor) for name, tensor in load_file(base / WEIGHTS).items()}
    save_file(weights, base / WEIGHTS, {"format": "pt"})


def features_of(base):
    processor = open_processor(base, SECTION)
    vocabulary = read_structure(base, SECTION).sizes.vocabulary
    require_features(load_empty(base), require_processor(processor, vocabulary).prompt)


def refused(check, *arguments) -> ModelError:
    with pytest.raises(ModelError) as caught:
        check(*arguments)
    assert caught.value.exit_code == 6
    assert caught.value.remedy
    return caught.value


def test_a_whole_base_is_compared_without_a_value_in_memory(base):
    assert {parameter.device.type for parameter in load_empty(base).parameters()} == {"meta"}
    features_of(base)
    require_finite(base)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ({"num_hidden_layers": 3}, "do not hold all weights of the model"),
        ({"num_hidden_layers": 1}, "describes fewer layers than the weight files hold"),
        ({"intermediate_size": 64}, "are not those of its config.json"),
    ],
)
def test_a_config_of_another_model_of_the_family_is_refused(base, text, what):
    changed(base / "config.json", lambda config: config["text_config"].update(text))
    assert what in refused(load_empty, base).what


def test_a_config_of_another_family_is_refused(base):
    changed(base / "config.json", lambda config: config.update(model_type="qwen2_5_vl"))
    assert "do not hold all weights" in refused(load_empty, base).what
    changed(base / "config.json", lambda config: config.update(model_type="bert"))
    assert "does not support models of the family bert" in refused(family_in, base).what


@pytest.mark.parametrize("dtype", [torch.int8, torch.float8_e4m3fn])
def test_quantised_weights_are_refused_by_their_number_format(base, dtype):
    stored(base, lambda name, tensor: tensor.to(dtype))
    error = refused(read_weights, base)
    assert "holds quantised weights" in error.what
    assert "quantised from" in error.remedy


def test_positions_of_old_checkpoints_may_be_whole_numbers(base):
    weights = load_file(base / WEIGHTS) | {"vision_tower.position_ids": torch.arange(4)}
    save_file(weights, base / WEIGHTS, {"format": "pt"})
    assert read_weights(base).dtypes["I64"] == 4
    require_finite(base)


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_a_weight_that_is_not_finite_is_named(base, value):
    first = sorted(load_file(base / WEIGHTS))[0]
    stored(base, lambda name, tensor: tensor.flatten().index_fill(0, torch.tensor([2]), value)
           .view_as(tensor) if name == first else tensor)  # fmt: skip
    error = refused(require_finite, base)
    assert first in error.what
    assert error.found.startswith("1 of ")


def test_a_checkpoint_that_was_never_filled_is_refused(base):
    stored(base, lambda name, tensor: torch.zeros_like(tensor))
    assert "are empty" in refused(require_finite, base).what


@pytest.mark.parametrize(
    ("file", "change", "what"),
    [
        ("config.json", {"image_token_id": 7, "image_token_index": 7}, "another token for images"),
        ("processor_config.json", {"patch_size": 32}, "another number of image tokens"),
    ],
)
def test_a_processor_that_writes_other_image_tokens_is_refused(base, file, change, what):
    changed(base / file, lambda content: content.update(change))
    assert what in refused(features_of, base).what


def test_a_processor_of_another_image_size_is_refused(base):
    sides = {"height": 128, "width": 128}
    changed(
        base / "processor_config.json",
        lambda content: content["image_processor"].update(size=sides, crop_size=sides),
    )
    error = refused(features_of, base)
    assert "the vision tower refuses pictures" in error.what
    assert "128*128" in error.found


def test_a_qwen_processor_that_cuts_other_patches_is_refused(tmp_path):
    write_random_base(tmp_path, "qwen2_5_vl", "tiny")
    features_of(tmp_path)
    for change, what in (({"patch_size": 28}, "refuses pictures"), ({"merge_size": 1}, "number")):
        for name in ("processor_config.json", "preprocessor_config.json"):
            if (path := tmp_path / name).is_file():
                original = path.read_text(encoding="utf-8")
                changed(path, lambda c, change=change: c.get("image_processor", c).update(change))
                break
        assert what in refused(features_of, tmp_path).what
        path.write_text(original, encoding="utf-8")


def test_a_tokenizer_with_a_token_beyond_the_vocabulary_is_refused(base, processor):
    largest = max(processor.tokenizer.get_vocab().values())
    assert "more tokens than the model" in refused(require_processor, processor, largest).what
    require_processor(processor, largest + 1)


def test_an_end_token_that_the_model_does_not_have_is_refused():
    for ends in ([2, 99], [-1, 2]):
        assert "end token" in refused(ready._require_known, ends, 99).what
    ready._require_known([2, 98], 99)


@pytest.mark.parametrize(
    ("begin", "kind"),
    [
        (POINTER.encode(), "git-lfs pointer"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\n  <HTML><head>", "web page"),
        (b'\xef\xbb\xbf<?xml version="1.0"?><Error>', "web page"),
        (b"PK\x03\x04\x00", "zip archive"),
        (b"\x80\x02}q\x00", "pickle"),
        (b"GGUF\x03", "llama.cpp"),
    ],
)
def test_what_lies_in_place_of_a_file_is_named(tmp_path, begin, kind):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(begin)
    assert kind in refused(require_own_kind, path).what
    for name in (WEIGHTS, "config.json"):
        (tmp_path / name).write_bytes(begin)
    assert kind in refused(read_weights, tmp_path).what
    assert kind in refused(family_in, tmp_path).what


@pytest.mark.parametrize(
    "begin", [b"", b'{"a": 1}', b"{% for", b"\x10\x00\x00\x00\x00\x00\x00\x00{"]
)
def test_real_files_are_taken_for_nothing_else(begin):
    assert kind_of(begin) is None
