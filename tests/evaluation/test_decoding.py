"""Greedy decoding, whatever the base's published settings of generation ask for."""

import json
import shutil

import pytest
import torch

from kit.errors import GuardError, ModelError
from kit.evaluation.engines import transformers as engine_module
from kit.evaluation.engines.transformers import TransformersEngine
from kit.evaluation.engines.vllm_settings import require_plain as require_plain_settings
from kit.model.base import export_base, load_base, load_processor
from kit.model.batches import Batcher
from kit.model.decoding import end_tokens, greedy, require_plain, use_only
from kit.model.lora import add_adapter, save_adapter
from tests.evaluation.test_engines import SOURCE, paint_pictures, requests, smoke

torch.set_num_threads(1)
PUBLISHED = {
    "repetition_penalty": 9.0,
    "temperature": 0.1,
    "do_sample": True,
    "no_repeat_ngram_size": 1,
    "min_new_tokens": 20,
    "suppress_tokens": [7, 11],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures, and an adapter with which the small base repeats itself."""
    made = tmp_path_factory.mktemp("decoding")
    torch.manual_seed(3)
    section = smoke().model
    model = add_adapter(
        load_base(SOURCE, section), "trained", modules=section.lora_modules, rank=8, alpha=16
    )
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    save_adapter(model, "trained", made / "adapter")
    paint_pictures(made)
    return made


@pytest.fixture(scope="module")
def published(folder):
    """The small base, whose publisher asks for sampling, penalties and several end tokens."""
    made = folder / "published"
    shutil.copytree(SOURCE, made)
    given = json.loads((made / "generation_config.json").read_text())
    settings = {**given, **PUBLISHED, "eos_token_id": [2, 4]}
    (made / "generation_config.json").write_text(json.dumps(settings))
    return made


def answers(folder, base):
    engine = TransformersEngine(smoke(), base, {"one": (folder / "adapter",)}, folder)
    asked = [request for request in requests(folder) if request.system == "one"]
    return [answer.ids for answer in engine.answer(asked)]


def test_published_settings_of_generation_change_no_answer(folder, published, monkeypatch):
    ours = answers(folder, SOURCE)
    assert answers(folder, published) == ours
    monkeypatch.setattr(engine_module, "use_only", lambda model, settings: None)
    monkeypatch.setattr(engine_module, "require_plain", lambda model, inputs, settings: None)
    assert answers(folder, published) != ours, "they would, if the model's settings were left"


def test_settings_that_are_handed_over_alone_would_be_filled_from_the_published_ones(published):
    """transformers replaces what a request leaves open; this is why the model's are replaced."""
    model = load_base(published, smoke().model)
    processor = load_processor(published)
    settings = greedy([2], 0, 4)
    inputs = dict(processor.tokenizer(["USER: Who is this?"], return_tensors="pt"))
    with pytest.raises(GuardError, match="a logits processor changes the scores"):
        require_plain(model, inputs, settings)
    use_only(model, settings)
    require_plain(model, inputs, settings)


def test_every_published_end_token_ends_an_answer(published):
    processor = load_processor(published)
    assert end_tokens(published, processor) == [2, 4]
    assert end_tokens(SOURCE, processor) == [processor.tokenizer.eos_token_id]


def test_settings_that_contradict_each_other_do_not_stop_the_export(published, tmp_path):
    """Vicuna's once asked for a temperature without sampling; transformers refuses to save that."""
    source = shutil.copytree(published, tmp_path / "source")
    path = source / "generation_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "do_sample": False, "temperature": 0.9}))
    export_base(source, smoke().model, tmp_path / "served")
    kept = json.loads((tmp_path / "served" / "generation_config.json").read_text())
    assert kept["eos_token_id"] == [2, 4]
    assert not set(kept) & set(PUBLISHED)


def test_without_published_settings_the_end_token_is_that_of_the_configuration(published, tmp_path):
    copy = shutil.copytree(published, tmp_path / "base")
    (copy / "generation_config.json").unlink()
    path = copy / "config.json"
    config = json.loads(path.read_text())
    config["text_config"]["eos_token_id"] = 7
    path.write_text(json.dumps(config))
    assert end_tokens(copy, load_processor(copy)) == [2, 7]


@pytest.mark.parametrize(
    "content", ['{"eos_token_id": ', "[]", '{"eos_token_id": "x"}', '{"num_return_sequences": 2}']
)
def test_published_settings_that_cannot_be_read_are_refused_by_name(published, tmp_path, content):
    copy = shutil.copytree(published, tmp_path / "base")
    (copy / "generation_config.json").write_text(content)
    with pytest.raises(ModelError) as caught:
        end_tokens(copy, load_processor(copy))
    assert str(copy / "generation_config.json") in caught.value.what
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("name", "value"),
    [("repetition_penalty", 1.05), ("temperature", 0.1), ("min_tokens", 3), ("logit_bias", {7: 1})],
)
def test_settings_of_the_engine_that_change_a_logit_are_refused(name, value):
    from vllm import SamplingParams

    neutral = {"temperature": 0.0, "max_tokens": 4}
    require_plain_settings(SamplingParams(**neutral))
    with pytest.raises(GuardError, match="change the decoding") as caught:
        require_plain_settings(SamplingParams(**{**neutral, name: value}))
    assert name in caught.value.found


def test_the_prompts_of_the_second_engine_are_those_of_training(folder):
    engine = TransformersEngine(smoke(), SOURCE, {"one": (), "": ()}, folder)
    request = requests(folder)[0]
    batcher = Batcher(load_processor(SOURCE), torch.device("cpu"))
    (reading,) = engine.read([request]).values()
    assert list(reading.prompt) == batcher.prompts([request.record]).inputs["input_ids"][0].tolist()
