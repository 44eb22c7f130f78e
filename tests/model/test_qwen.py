"""The second family, Qwen2.5-VL: images of any size, positions of three axes, other templates.

The same claims as for LLaVA, on a randomly initialised model with a processor of the real kind.
"""

from pathlib import Path

import pytest
import torch
from bitsandbytes.nn import Linear4bit
from PIL import Image
from transformers import Qwen2_5_VLForConditionalGeneration

from kit.experiment.manifest import ModelSection
from kit.methods.registry import build
from kit.model.base import export_base, load_base, load_processor
from kit.model.batches import Batcher
from kit.model.likelihood import (
    answer_distribution,
    continuation_logprob,
    read_prompts,
    sequence_logprob,
)
from kit.model.lora import add_adapter, save_adapter
from kit.model.prompts import chat_prompt
from kit.stages.workers import isolated
from kit.training.loop import train
from tests.evaluation.test_engines import RECORDS, answers_of
from tests.model.test_models import LANGUAGE, NOWHERE
from tests.toys.policy import trained_on
from tests.toys.qwen import write_qwen
from tests.training.test_training import section as training_section

torch.set_num_threads(1)
SECTION = ModelSection(source=NOWHERE, compute_dtype="float32", lora_modules=LANGUAGE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("qwen")
    write_qwen(made)
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
    """The usual records, their images of different sizes."""
    for number, record in enumerate(records[:3]):
        with Image.open(record.image) as image:
            image.resize((64 + 56 * number, 64)).save(tmp_path / f"{number}.png")
        object.__setattr__(record, "image", tmp_path / f"{number}.png")
    return records


def whole(model, batcher, asked):
    batch = batcher(asked)
    with torch.no_grad():
        return sequence_logprob(answer_distribution(model, batch), batch)


def test_the_supervised_tokens_are_the_answer_and_the_end_token(batcher, processor, records):
    batch = batcher(records)
    for ids, mask, record in zip(batch.answer_ids, batch.answer_mask, records, strict=True):
        assert processor.tokenizer.decode(ids[mask > 0]) == f"{record.answer}<|im_end|>"
    marks = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    tokens = (batch.inputs["input_ids"] == marks).sum(dim=1).tolist()
    assert tokens[0] < tokens[1] < tokens[2], "an image has as many tokens as its size asks for"
    assert tokens[3] == 0


def test_image_tokens_are_named_as_such_and_nothing_else(batcher, processor, records):
    inputs = batcher(records).inputs
    image = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    assert torch.equal(inputs["mm_token_type_ids"], (inputs["input_ids"] == image).long())


def test_a_record_is_scored_as_by_the_model_with_what_its_processor_gives(
    base, batcher, processor, records
):
    """The image's tokens have places of their own; untold, the model would count them as text."""
    record = records[1]
    text = chat_prompt(processor, record.question, with_image=True) + record.answer + "<|im_end|>"
    with Image.open(record.image) as image:
        inputs = processor(images=image.convert("RGB"), text=text, return_tensors="pt")
    answer = batcher.answer_tokens(record, record.answer)
    labels = inputs["input_ids"].clone()
    labels[:, : -len(answer)] = -100

    def summed(given):
        with torch.no_grad():
            return -base(**given, labels=labels).loss.item() * len(answer)

    found = whole(base, batcher, [record]).item()
    assert found == pytest.approx(summed(inputs), abs=1e-4)
    untold = {name: value for name, value in inputs.items() if name != "mm_token_type_ids"}
    assert abs(found - summed(untold)) > 1e-3


@pytest.mark.parametrize("chosen", [[0, 1, 2, 3], [3, 0], [3], [2, 1], [3, 3]])
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
            assert torch.allclose(found, expected, atol=1e-4)


def test_the_score_of_a_record_does_not_depend_on_its_company(base, batcher, records):
    together = whole(base, batcher, records)
    alone = torch.cat([whole(base, batcher, [record]) for record in records])
    assert torch.allclose(together, alone, atol=1e-4)


def test_the_language_model_alone_is_quantised_and_adapted(base):
    quantised = [name for name, m in base.named_modules() if isinstance(m, Linear4bit)]
    assert len(quantised) == 2 * 7
    assert all(".language_model." in name for name in quantised)
    model = add_adapter(base, "trained", modules=LANGUAGE, rank=4, alpha=4)
    adapted = {n.split(".lora_")[0] for n, _ in model.named_parameters() if "lora_" in n}
    assert {name.removeprefix("base_model.model.") for name in adapted} == set(quantised)


def test_the_exported_base_computes_what_the_4_bit_base_computes(
    base, batcher, records, folder, tmp_path
):
    export_base(folder, SECTION, tmp_path / "served")
    served = Qwen2_5_VLForConditionalGeneration.from_pretrained(tmp_path / "served").eval()
    expected = whole(base, batcher, records)
    assert torch.allclose(expected, whole(served, batcher, records), atol=1e-3)


@pytest.mark.parametrize("checkpointing", ["never", "always"])
def test_it_learns_what_it_is_taught(base, batcher, records, tmp_path, checkpointing):
    model = add_adapter(base, "trained", modules=LANGUAGE, rank=8, alpha=16)
    before = whole(model, batcher, records)
    batch = batcher(records)
    settings = training_section(
        steps=40, learning_rate=0.02, gradient_checkpointing=checkpointing, warmup_steps=2
    )
    step = trained_on(model, batch)
    train(
        model, build("retain_finetune", {}), settings, lambda n, size: iter([step]), tmp_path,
        name="t",
    )  # fmt: skip
    assert (whole(model, batcher, records) > 0.2 * before).all()


def make_inputs(folder: Path) -> None:
    """Write base, its source and two random adapters; pictures of three sizes."""
    from tests.evaluation.test_engines import paint_pictures

    write_qwen(folder / "source")
    export_base(folder / "source", SECTION, folder / "base")
    for number in (1, 2):
        torch.manual_seed(number)
        base = load_base(folder / "source", SECTION)
        model = add_adapter(base, "trained", modules=LANGUAGE, rank=8, alpha=16)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.2)
        save_adapter(model, "trained", folder / f"adapter{number}")
    paint_pictures(folder)
    for number in range(RECORDS):
        with Image.open(folder / f"{number}.png") as image:
            resized = image.resize((64 + 28 * (number % 3), 64))
        resized.save(folder / f"{number}.png")


@pytest.mark.slow
def test_vllm_answers_like_the_stacked_adapters_on_the_4_bit_base(tmp_path):
    isolated(make_inputs, tmp_path)
    expected = isolated(answers_of, "transformers", "adapters", tmp_path)
    served = isolated(answers_of, "vllm", "adapters", tmp_path)
    said = [(a.system, a.record_id, a.text, a.stop) for a in served]
    wanted = [(a.system, a.record_id, a.text, a.stop) for a in expected]
    assert sum(one == two for one, two in zip(said, wanted, strict=True)) >= len(wanted) - 1
    assert len({text for _, _, text, _ in wanted}) > len(wanted) / 2, "answers that could differ"
