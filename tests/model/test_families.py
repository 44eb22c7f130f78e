"""Every supported family: other templates, image tokens, positions, names and processors.

Each model is random, of the smallest size, with a processor of the real kind. Images have different
sizes in one batch.
"""

import subprocess
import sys

import pytest
import torch
from bitsandbytes.nn import Linear4bit
from peft.tuners.tuners_utils import BaseTunerLayer
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

from kit.artifacts import PROJECT
from kit.errors import ModelError
from kit.experiment.manifest import ModelSection
from kit.methods.registry import build
from kit.model.base import export_base, language_layers, load_base, load_processor
from kit.model.batches import Batcher
from kit.model.combine import merge
from kit.model.decoding import greedy
from kit.model.families import FAMILIES, check_engine, family_in, family_of
from kit.model.hidden import answer_hidden
from kit.model.likelihood import (
    answer_distribution,
    continuation_logprob,
    read_prompts,
    sequence_logprob,
)
from kit.model.lora import add_adapter, load_adapter, save_adapter, without
from kit.training.loop import train
from tests.bench.random_models import write_random_base
from tests.model.test_models import NOWHERE
from tests.toys.families import MAKERS, make_family, write_family
from tests.toys.policy import trained_on
from tests.training.test_training import section as training_section

torch.set_num_threads(1)
SECTION = ModelSection(source=NOWHERE, compute_dtype="float32")
LAYERS = 2 * 7  # of the smallest language model


@pytest.fixture(scope="module", params=list(FAMILIES))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def folder(name, tmp_path_factory):
    made = tmp_path_factory.mktemp(name)
    write_family(name, made)
    return made


@pytest.fixture(scope="module")
def processor(folder):
    return load_processor(folder)


@pytest.fixture
def base(folder):
    return load_base(folder, SECTION)


@pytest.fixture
def batcher(processor):
    return Batcher(processor, torch.device("cpu"))


@pytest.fixture
def records(records, tmp_path):
    """The usual records, their images of three shapes, and one without an image."""
    for number, size in enumerate([(64, 64), (150, 64), (64, 220)]):
        with Image.open(records[number].image) as image:
            image.resize(size).save(tmp_path / f"{number}.png")
        object.__setattr__(records[number], "image", tmp_path / f"{number}.png")
    return records


def whole(model, batcher, asked):
    batch = batcher(asked)
    with torch.no_grad():
        return sequence_logprob(answer_distribution(model, batch), batch)


def adapted(model, name, modules=None):
    return add_adapter(
        model, "trained", modules=modules or FAMILIES[name].lora_modules, rank=8, alpha=16
    )


def as_published(processor, record, *, prompt=False):
    """Return what the processor makes of the dialogue, as the model's card tells users to do."""
    content = [{"type": "text", "text": record.question}]
    if record.image:
        with Image.open(record.image) as image:
            content = [{"type": "image", "image": image.convert("RGB")}, *content]
    messages = [
        {"role": "user", "content": content},
        {"role": "assistant", "content": [{"type": "text", "text": record.answer}]},
    ]
    return processor.apply_chat_template(
        messages[:1] if prompt else messages,
        add_generation_prompt=prompt,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )


def test_the_table_and_the_smallest_models_name_the_same_families():
    assert set(MAKERS) == set(FAMILIES)


def test_a_random_base_of_the_measurement_is_loaded_and_scores(name, tmp_path, records):
    write_random_base(tmp_path, name, "tiny")
    section = SECTION.model_copy(update={"compute_dtype": "bfloat16"})
    batcher = Batcher(load_processor(tmp_path), torch.device("cpu"))
    assert whole(load_base(tmp_path, section), batcher, records).isfinite().all()


def test_a_record_is_scored_as_by_the_model_with_what_its_processor_gives(
    base, batcher, processor, records
):
    for record in records:
        inputs = as_published(processor, record)
        ids = batcher([record]).inputs["input_ids"][0]
        answer = batcher.answer_tokens(record, record.answer)
        given = inputs["input_ids"][0, : len(ids)]  # a template may have a line break at its end
        assert ids.tolist() == given.tolist()
        with torch.no_grad():
            logprobs = base(**inputs).logits[0].log_softmax(-1)
        places = torch.arange(len(ids) - len(answer), len(ids))
        expected = logprobs[places - 1, ids[places]].sum()
        assert whole(base, batcher, [record]).item() == pytest.approx(expected.item(), abs=1e-3)


def test_the_supervised_tokens_are_the_answer_and_one_end_token(batcher, processor, records):
    batch = batcher(records)
    for ids, mask, record in zip(batch.answer_ids, batch.answer_mask, records, strict=True):
        *said, end = ids[mask > 0].tolist()
        assert processor.tokenizer.decode(said).strip() == record.answer
        assert processor.tokenizer.added_tokens_decoder[end].special


def test_images_of_other_sizes_in_the_batch_change_no_score(base, batcher, records):
    together = whole(base, batcher, records)
    backwards = whole(base, batcher, records[::-1]).flip(0)
    alone = torch.cat([whole(base, batcher, [record]) for record in records])
    assert torch.allclose(together, alone, atol=1e-3)
    assert torch.allclose(backwards, alone, atol=1e-3)


def test_a_greedy_answer_is_that_of_the_model_with_what_its_processor_gives(
    base, batcher, processor, records
):
    settings = greedy([processor.tokenizer.eos_token_id], processor.tokenizer.pad_token_id, 8)
    prompts = batcher.prompts(records).inputs
    with torch.no_grad():
        together = base.generate(**prompts, generation_config=settings)
        for record, row in zip(records, together, strict=True):
            inputs = as_published(processor, record, prompt=True)
            alone = base.generate(**inputs, generation_config=settings)[0]
            said = alone[inputs["input_ids"].shape[1] :].tolist()
            assert row[prompts["input_ids"].shape[1] :][: len(said)].tolist() == said


def test_padding_is_on_the_left_and_out_of_attention(batcher, records):
    inputs = batcher(records).inputs
    lengths = [len(batcher([record]).inputs["input_ids"][0]) for record in records]
    assert inputs["attention_mask"].sum(dim=1).tolist() == lengths
    assert inputs["attention_mask"][:, -min(lengths) :].all()


def test_another_image_gives_another_score(base, batcher, records, tmp_path):
    before = whole(base, batcher, records)
    for number, record in enumerate(records[:3]):
        with Image.open(record.image) as picture:
            flipped = Image.eval(picture.convert("RGB"), lambda value: 255 - value)
        flipped.save(tmp_path / f"flipped{number}.png")
        object.__setattr__(record, "image", tmp_path / f"flipped{number}.png")
    changes = (whole(base, batcher, records) - before).abs()
    assert (changes[:3] > 1e-3).all()


@pytest.mark.parametrize("chosen", [[0, 1, 2, 3], [3, 0], [3, 3]])
def test_answers_given_to_a_prompt_that_was_read_are_scored_as_in_one_pass(
    base, batcher, records, chosen
):
    """Also text after images: what the model remembers of positions is another batch's."""
    asked = [records[number] for number in chosen]
    expected = whole(base, batcher, asked)
    with torch.no_grad():
        prompted = read_prompts(base, batcher.prompts(asked))
        ids, mask = batcher.answers([batcher.answer_tokens(r, r.answer) for r in asked])
        for _ in range(2):
            found = continuation_logprob(base, prompted, ids, mask)
            assert torch.allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("window", [8, 60, 62, 64, 65, 66, 200])
def test_a_sliding_window_that_is_shorter_than_the_sequence_changes_no_score(
    records, tmp_path, window
):
    """Gemma 3's caches forget what is outside of the window."""
    write_family("gemma3", tmp_path / "base", sliding_window=window)
    base = load_base(tmp_path / "base", SECTION)
    batcher = Batcher(load_processor(tmp_path / "base"), torch.device("cpu"))
    expected = whole(base, batcher, records)
    with torch.no_grad():
        prompted = read_prompts(base, batcher.prompts(records))
        ids, mask = batcher.answers([batcher.answer_tokens(r, r.answer) for r in records])
        found = continuation_logprob(base, prompted, ids, mask)
        assert torch.allclose(found, expected, atol=1e-3)
        assert torch.allclose(continuation_logprob(base, prompted, ids, mask), found, atol=1e-5)


def test_the_language_model_alone_is_quantised_and_adapted(base, name):
    quantised = {n for n, module in base.named_modules() if isinstance(module, Linear4bit)}
    assert quantised == language_layers(base, FAMILIES[name])
    assert len(quantised) == LAYERS
    model = adapted(base, name).get_base_model()
    found = {n for n, module in model.named_modules() if isinstance(module, BaseTunerLayer)}
    assert found == quantised


def test_an_expression_that_reaches_beyond_the_language_model_is_refused(base, name):
    outside = FAMILIES[name].outside[0].rpartition(".")[2]
    with pytest.raises(ModelError, match="outside the language model"):
        adapted(base, name, modules=rf".*\.{outside}\..*(fc1|proj|qkv)")


def test_one_step_of_training_changes_the_adapter_alone(base, batcher, records, tmp_path, name):
    model = adapted(base, name)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    settings = training_section(steps=1, learning_rate=0.02, warmup_steps=0)
    taught(model, batcher(records), settings, tmp_path)
    after = dict(model.named_parameters())
    changed = {n for n in before if not torch.equal(before[n], after[n])}
    assert len(changed) == LAYERS, "B alone changes in the first step: it was zero"
    assert all(".trained." in n and "lora_B" in n for n in changed)


def test_it_learns_what_it_is_taught_also_where_activations_are_computed_twice(
    base, batcher, records, tmp_path, name
):
    model = adapted(base, name)
    before = whole(model, batcher, records)
    settings = training_section(
        steps=25, learning_rate=0.02, gradient_checkpointing="always", warmup_steps=2
    )
    taught(model, batcher(records), settings, tmp_path)
    assert (whole(model, batcher, records) > 0.3 * before).all()


def taught(model, batch, settings, folder):
    step = trained_on(model, batch)
    method = build("retain_finetune", {})
    train(model, method, settings, lambda n, size: iter([step]), folder, name="t")


def test_the_exported_base_computes_what_the_4_bit_base_computes(
    base, batcher, records, folder, tmp_path
):
    export_base(folder, SECTION, tmp_path / "served")
    served = AutoModelForImageTextToText.from_pretrained(
        tmp_path / "served", attn_implementation="eager"
    )
    expected = whole(base, batcher, records)
    assert torch.allclose(expected, whole(served.eval(), batcher, records), atol=1e-3)


MIXED = [(name, kind) for name, family in FAMILIES.items() for kind in family.text_types]


@pytest.mark.parametrize(("name", "kind"), MIXED)
def test_every_language_model_of_a_family_is_quantised_and_exported(name, kind, records, tmp_path):
    write_family(name, tmp_path / "base", model_type=kind)
    model = load_base(tmp_path / "base", SECTION)
    assert model.config.text_config.model_type == kind
    assert len(language_layers(model, FAMILIES[name])) == LAYERS
    export_base(tmp_path / "base", SECTION, tmp_path / "served")
    batcher = Batcher(load_processor(tmp_path / "base"), torch.device("cpu"))
    served = AutoModelForImageTextToText.from_pretrained(
        tmp_path / "served", attn_implementation="eager"
    )
    expected = whole(model, batcher, records)
    assert torch.allclose(expected, whole(served.eval(), batcher, records), atol=1e-3)


@pytest.mark.parametrize("name", ["qwen3_vl", "internvl", "gemma3"])
def test_a_base_with_tied_embeddings_is_exported_as_well(name, records, tmp_path):
    write_family(name, tmp_path / "base", tied=True)
    export_base(tmp_path / "base", SECTION, tmp_path / "served")
    batcher = Batcher(load_processor(tmp_path / "base"), torch.device("cpu"))
    model = load_base(tmp_path / "base", SECTION)
    assert model.lm_head.weight is model.get_input_embeddings().weight
    served = AutoModelForImageTextToText.from_pretrained(
        tmp_path / "served", attn_implementation="eager"
    )
    expected = whole(model, batcher, records)
    assert torch.allclose(expected, whole(served.eval(), batcher, records), atol=1e-3)


def test_merged_weights_are_those_of_the_language_model_and_compute_the_same(
    base, batcher, records, folder, tmp_path, name
):
    from safetensors.torch import save_file

    model = adapted(base, name)
    for place, parameter in model.named_parameters():
        if "lora_B" in place:
            torch.nn.init.normal_(parameter, std=0.2)
    expected = whole(model, batcher, records)
    save_adapter(model, "trained", tmp_path / "adapter")
    export_base(folder, SECTION, tmp_path / "served")
    weights = load_file(tmp_path / "served" / "model.safetensors")
    changed = merge([tmp_path / "adapter"], weights)
    assert len(changed) == LAYERS
    save_file(weights | changed, tmp_path / "served" / "model.safetensors", {"format": "pt"})
    merged = AutoModelForImageTextToText.from_pretrained(
        tmp_path / "served", attn_implementation="eager"
    ).eval()
    assert torch.allclose(expected, whole(merged, batcher, records), atol=1e-2)
    plain = load_adapter(load_base(folder, SECTION), "again", tmp_path / "adapter")
    assert torch.allclose(expected, whole(plain, batcher, records), atol=1e-4)


def config_of(name):
    return make_family(name)[1].to_dict()


def test_a_family_is_recognised_by_its_configuration(name, folder):
    assert family_in(folder) == family_of(config_of(name)) == FAMILIES[name]


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"model_type": "mllama"}, "vLLM has no implementation"),
        ({"model_type": "paligemma"}, "no chat template"),
        ({"model_type": "smolvlm"}, "num2words"),
        ({"model_type": "internvl_chat"}, "ends in -hf"),
        ({"model_type": "moondream9"}, "moondream9: it was never tried"),
        ({}, "does not name its family"),
        ({"model_type": "llava", "vision_config": {"model_type": "pixtral"}}, "pixtral"),
        ({"model_type": "llava", "text_config": {"model_type": "gpt_oss"}}, "gpt_oss"),
        ({"model_type": "qwen3_vl", "quantization_config": {}}, "already quantised"),
        ({"model_type": "qwen3_vl", "compression_config": {}}, "already quantised"),
        (
            {"model_type": "llava", "text_config": {"quantization_config": {"bits": 4}}},
            "text_config.quantization_config",
        ),
        ({"model_type": "llava", "mm_vision_tower": "clip"}, "LLaVA's own code"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused_by_name_with_the_reason(config, reason):
    with pytest.raises(ModelError) as caught:
        family_of(config)
    assert reason in str(caught.value)
    assert caught.value.remedy


def test_an_adapter_beside_the_base_is_refused(name, folder):
    """transformers would load the model that it names, and not the weights of the folder."""
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "another"}')
    try:
        with pytest.raises(ModelError, match="has an adapter beside it"):
            family_in(folder)
    finally:
        (folder / "adapter_config.json").unlink()
    assert family_in(folder) == FAMILIES[name], "the remedy works"


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_folder_without_a_readable_configuration_is_refused(tmp_path, content):
    if content:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError):
        family_in(tmp_path)


def test_families_are_known_without_a_model_library():
    blocked = "".join(f"sys.modules[{name!r}] = None; " for name in ("torch", "transformers"))
    code = f"import sys; {blocked}from kit.model.families import FAMILIES; print(len(FAMILIES))"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)
    assert done.stdout.strip() == str(len(FAMILIES)), done.stderr


@pytest.mark.parametrize(
    ("family", "engine", "serving", "gpu", "refused"),
    [
        ("gemma3", "vllm", "adapters", False, "on a CPU"),
        ("gemma3", "vllm", "adapters", True, None),
        ("gemma3", "transformers", "merged", False, None),
        ("llava_onevision", "vllm", "adapters", True, "no LoRA adapters"),
        ("llava_onevision", "vllm", "merged", False, None),
        ("llava", "vllm", "adapters", False, None),
    ],
)
def test_an_engine_that_does_not_serve_the_family_is_refused(family, engine, serving, gpu, refused):
    if refused is None:
        check_engine(FAMILIES[family], engine, serving, gpu=gpu)
        return
    with pytest.raises(ModelError, match=refused) as caught:
        check_engine(FAMILIES[family], engine, serving, gpu=gpu)
    assert "transformers" in caught.value.remedy


def test_hidden_states_are_those_of_transformers_and_no_later_layer_is_computed(
    base, name, batcher, records
):
    """The state of each layer, beside `output_hidden_states` of the whole model."""
    model = adapted(base, name)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data.normal_(std=0.05)
    batch = batcher(records[:3])
    decoder = base.get_decoder()
    with torch.no_grad():
        whole = model(**batch.inputs, output_hidden_states=True, use_cache=False).hidden_states
    length = batch.answer_ids.shape[1]
    ran = []
    handles = [
        module.register_forward_hook(lambda *_, number=number: ran.append(number))
        for number, module in enumerate([*decoder.layers, decoder.norm, base.lm_head])
    ]
    for layer in range(len(decoder.layers)):
        found = answer_hidden(model, batch, layer)
        assert ran == list(range(layer + 1))
        ran.clear()
        last = layer + 1 == len(decoder.layers)  # transformers gives it after the norm
        expected = whole[layer + 1][:, -length - 1 : -1]
        assert torch.allclose(decoder.norm(found) if last else found, expected, atol=1e-5)
        assert found.requires_grad
        ran.clear()
    for handle in handles:
        handle.remove()
    with without(model, "trained"):
        off = answer_hidden(model, batch, 0)
    assert not off.requires_grad
    assert not torch.allclose(off, whole[1][:, -length - 1 : -1], atol=1e-3)
    recomputed(model, batch)


def recomputed(model, batch):
    """Check that recomputed activations give the gradient of a layer's state."""

    def gradients():
        answer_hidden(model, batch, 0).square().sum().backward()
        found = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        for parameter in model.parameters():
            parameter.grad = None
        return found

    model.train()
    direct = gradients()
    assert direct
    assert all(".layers.0." in name for name in direct)
    model.gradient_checkpointing_enable({"use_reentrant": False})
    model.get_base_model().disable_input_require_grads()
    again = gradients()
    assert again.keys() == direct.keys()
    assert all(torch.allclose(again[name], direct[name], atol=1e-5) for name in direct)
