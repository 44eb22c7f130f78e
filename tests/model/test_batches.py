"""Answer positions, with a real processor: the place where most published code has its bugs."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from kit.benchmarks.records import Concept, Record
from kit.errors import DataError, ModelError
from kit.model.batches import Batcher
from kit.model.chat import answer_text, chat_prompt
from kit.pictures.decoding import open_image

torch.set_num_threads(1)


@pytest.fixture
def batcher(processor):
    return Batcher(processor, torch.device("cpu"))


def supervised(batch, row):
    return batch.answer_ids[row][batch.answer_mask[row] > 0]


def test_the_supervised_tokens_are_the_answer_and_the_end_token(batcher, processor, records):
    batch = batcher(records)
    for row, record in enumerate(records):
        text = processor.tokenizer.decode(supervised(batch, row))
        assert text == f" {record.answer}{processor.tokenizer.eos_token}"


def test_the_supervised_tokens_are_the_last_ones_of_the_input(batcher, records):
    batch = batcher(records)
    for row in range(len(records)):
        answer = supervised(batch, row)
        assert torch.equal(batch.inputs["input_ids"][row, -len(answer) :], answer)
        assert batch.inputs["attention_mask"][row, -len(answer) :].all()


def test_no_image_placeholder_and_no_padding_is_ever_supervised(batcher, processor, records):
    batch = batcher(records)
    placeholder = processor.tokenizer.convert_tokens_to_ids("<image>")
    assert (batch.inputs["input_ids"] == placeholder).sum() == 3 * 16, "images are expanded"
    for row in range(len(records)):
        answer = supervised(batch, row)
        assert not (answer == placeholder).any()
        assert not (answer == processor.tokenizer.pad_token_id).any()


def test_a_prompt_is_what_the_processor_makes_of_image_and_text(batcher, processor, records):
    batch = batcher(records[:1])
    prompt = chat_prompt(processor, records[0].question, with_image=True)
    assert prompt.count("<image>") == 1
    expected = processor(images=Image.open(records[0].image), text=prompt, return_tensors="pt")
    found = batch.inputs["input_ids"][0][: -len(supervised(batch, 0))]
    assert torch.equal(found, expected["input_ids"][0])
    assert torch.equal(batch.inputs["pixel_values"], expected["pixel_values"])


def test_images_keep_the_order_of_their_records(batcher, records):
    alone = [batcher([record]).inputs["pixel_values"][0] for record in records[:3]]
    together = batcher([records[2], records[3], records[0]]).inputs["pixel_values"]
    assert torch.equal(together, torch.stack([alone[2], alone[0]]))
    assert not torch.equal(alone[0], alone[2])


def test_a_batch_of_text_alone_has_no_image_inputs(batcher, records):
    assert set(batcher(records[3:]).inputs) == {"input_ids", "attention_mask"}


def test_a_batch_names_its_records_in_order(batcher, records):
    assert batcher(records[::-1]).record_ids == ("text", "r2", "r1", "r0")


def test_padding_is_on_the_left_and_out_of_attention(batcher, processor, records):
    batch = batcher(records)
    for row, mask in zip(batch.inputs["input_ids"], batch.inputs["attention_mask"], strict=True):
        length = int(mask.sum())
        assert mask[-length:].all()
        assert (row[:-length] == processor.tokenizer.pad_token_id).all()


def test_what_is_kept_of_a_record_is_not_changed_by_its_next_use(batcher, records):
    first = batcher(records[:2])
    first.inputs["pixel_values"].zero_()
    first.inputs["input_ids"].zero_()
    again = batcher(records[:2])
    assert again.inputs["pixel_values"].abs().sum() > 0
    assert again.inputs["input_ids"].abs().sum() > 0


def test_the_same_question_with_another_answer_is_another_answer(batcher, processor, records):
    changed = Record("x", Concept.PERSON, records[0].question, "Vera Zeman", records[0].image)
    batch = batcher([records[0], changed])
    texts = [processor.tokenizer.decode(supervised(batch, row)) for row in (0, 1)]
    assert texts == [" Ada Sato</s>", " Vera Zeman</s>"]


class Rewriting:
    """A processor whose template wraps the whole dialogue once there is an answer."""

    def __init__(self, tokenizer, template):
        self.tokenizer, self._template = tokenizer, template

    def apply_chat_template(self, messages, add_generation_prompt=False):
        return self._template(messages, add_generation_prompt)


def said(messages):
    return messages[-1]["content"][0]["text"]


@pytest.mark.parametrize(
    "template",
    [
        pytest.param(lambda m, g: "Q:" if g else f"<turns=2>Q: {said(m)}", id="rewritten prompt"),
        pytest.param(lambda m, g: "Q:" if g else f"Q: {said(m).lower()}", id="rewritten answer"),
        pytest.param(lambda m, g: "Q:", id="no answer"),
    ],
)
def test_a_template_that_does_not_append_the_answer_is_refused(processor, template):
    with pytest.raises(ModelError, match="does not append the answer"):
        answer_text(Rewriting(processor.tokenizer, template), "Who?", "Ada Sato", with_image=False)


@pytest.mark.parametrize("ending", ["", "</s>", "</s>\n", "\n"])
def test_an_answer_ends_in_one_end_token_whatever_the_template_adds(processor, ending):
    template = Rewriting(processor.tokenizer, lambda m, g: "Q:" if g else f"Q: {said(m)}{ending}")
    assert answer_text(template, "Who?", "Ada Sato", with_image=False) == " Ada Sato</s>"


def damaged(folder: Path, source: Path, kind: str) -> Path:
    path = folder / "picture.png"
    if kind == "truncated":
        whole = source.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "a web page":
        path.write_text("<html>404</html>")
    elif kind == "empty":
        path.touch()
    return path


@pytest.mark.parametrize("kind", ["missing", "truncated", "a web page", "empty"])
def test_an_image_that_cannot_be_read_is_named_with_the_remedy(tmp_path, pictures, kind):
    path = damaged(tmp_path, pictures[0], kind)
    with pytest.raises(DataError) as caught:
        open_image(path)
    assert str(path) in caught.value.what
    assert "run.sh fetch" in caught.value.remedy


def test_a_picture_with_a_palette_or_transparency_becomes_rgb(tmp_path):
    Image.new("P", (4, 4)).save(tmp_path / "palette.png")
    Image.new("RGBA", (4, 4)).save(tmp_path / "clear.png")
    assert {open_image(path).mode for path in tmp_path.iterdir()} == {"RGB"}
