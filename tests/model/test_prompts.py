"""Prompts have the tokens of `apply_chat_template`, whoever writes the beginning-of-sequence token.

Three tokenizers and templates: no such token (Qwen), one that the tokenizer adds (LLaVA 1.5), and
one that the template writes and the tokenizer would add a second time (Gemma 3).
"""

import json

import pytest
import torch
from PIL import Image
from tokenizers.processors import TemplateProcessing

from kit.errors import DataError, ModelError
from kit.model.base import load_processor
from kit.model.batches import Batcher
from kit.model.chat import answer_end, answer_text, chat_prompt
from kit.model.prompts import PromptEncoder
from kit.pictures.decoding import open_image
from tests.toys.families import make_family

QUESTION = "Who is this person?"
BEGINNINGS = {"none": "llava_onevision", "tokenizer": "llava", "template": "gemma3"}


@pytest.fixture(scope="module", params=list(BEGINNINGS))
def who(request):
    return request.param


@pytest.fixture(scope="module")
def processor(who):
    return make_family(BEGINNINGS[who])[0]


@pytest.fixture
def qwen():
    return make_family("qwen2_5_vl")[0]


def published(processor, path):
    image = [] if path is None else [{"type": "image", "image": open_image(path)}]
    messages = [{"role": "user", "content": [*image, {"type": "text", "text": QUESTION}]}]
    return processor.apply_chat_template(
        messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )


def test_the_three_processors_differ_in_who_writes_the_token(processor, who):
    begin = processor.tokenizer.bos_token
    assert chat_prompt(processor, QUESTION, with_image=True).startswith(begin) == (
        who == "template"
    )
    added = processor.tokenizer("x")["input_ids"][0] == processor.tokenizer.bos_token_id
    assert added == (who != "none")


@pytest.mark.parametrize("with_image", [True, False])
def test_a_prompt_is_what_the_processor_s_own_chat_template_gives(processor, pictures, with_image):
    path = pictures[0] if with_image else None
    expected = published(processor, path)
    found = PromptEncoder(processor)(path, QUESTION)
    assert found.ids == expected["input_ids"][0].tolist()
    assert found.kinds.keys() | found.images.keys() == expected.keys() - {
        "input_ids", "attention_mask",
    }  # fmt: skip
    for name, value in {**found.images, **found.kinds}.items():
        assert torch.equal(torch.as_tensor(value).flatten(), expected[name].flatten())


def test_a_prompt_begins_with_one_such_token_at_most(processor, pictures, who):
    ids = PromptEncoder(processor)(pictures[0], QUESTION).ids
    begin = processor.tokenizer.bos_token_id
    assert ids.count(begin) == (who != "none")
    assert (ids[0] == begin) == (who != "none")


def test_engines_get_the_same_tokens_with_one_placeholder(processor, pictures):
    encoder = PromptEncoder(processor)
    whole = encoder(pictures[0], QUESTION).ids
    compact = encoder.compact(QUESTION, with_image=True)
    head = next(n for n in range(len(compact)) if compact[: n + 1] != whole[: n + 1])
    tail = next(n for n in range(len(compact)) if compact[-n - 1 :] != whole[-n - 1 :])
    # Gemma 3 joins line breaks beside the placeholder to one token.
    assert head + tail >= len(compact) - 2, "they differ in one place"
    assert len(compact) < len(whole)
    assert encoder.compact(QUESTION, with_image=False) == encoder(None, QUESTION).ids


def test_an_answer_is_tokenised_without_a_beginning(processor):
    ids = PromptEncoder(processor).answer(QUESTION, "Ada Sato", with_image=True)
    assert processor.tokenizer.bos_token_id not in ids
    assert ids[-1] == answer_end(processor)


def test_a_turn_that_ends_in_a_token_of_its_own_gets_no_second_end():
    gemma = make_family("gemma3")[0]
    text = answer_text(gemma, QUESTION, "Ada Sato", with_image=False)
    assert text == "Ada Sato<end_of_turn>"
    assert answer_end(gemma) == gemma.tokenizer.convert_tokens_to_ids("<end_of_turn>")


def test_a_tokenizer_without_a_beginning_token_is_no_obstacle(qwen, pictures):
    qwen.tokenizer.bos_token = None
    assert qwen.tokenizer.bos_token_id is None
    ids = PromptEncoder(qwen)(pictures[0], QUESTION).ids
    assert ids == published(qwen, pictures[0])["input_ids"][0].tolist()


def test_a_tokenizer_without_padding_pads_with_its_end_token(qwen, records):
    qwen.tokenizer.pad_token = None
    inputs = Batcher(qwen, torch.device("cpu"))(records).inputs
    filled = inputs["input_ids"][inputs["attention_mask"] == 0]
    assert filled.numel() > 0
    assert (filled == qwen.tokenizer.eos_token_id).all()


def test_a_tokenizer_without_an_end_token_is_refused(qwen):
    qwen.tokenizer.eos_token = None
    with pytest.raises(ModelError, match="has no end token"):
        answer_text(qwen, QUESTION, "Ada Sato", with_image=False)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ raise_exception('only system messages') }}", "only system messages"),
        ("{% for message in messages %}", "end of template"),
        ("{{ messages[7]['content'] }}", "no element 7"),
        (None, "chat template"),
    ],
)
def test_a_template_that_gives_no_prompt_is_named_with_what_it_said(qwen, template, said):
    qwen.chat_template = qwen.tokenizer.chat_template = template
    with pytest.raises(ModelError) as caught:
        PromptEncoder(qwen)
    assert said in str(caught.value)
    assert "-Instruct" in caught.value.remedy


def test_a_template_that_leaves_out_the_image_is_refused(qwen):
    words = "{{ message['content'][-1]['text'] }}"
    qwen.chat_template = "{% for message in messages %}" + words + "{% endfor %}"
    with pytest.raises(ModelError, match="leaves out the image"):
        PromptEncoder(qwen)


def test_a_template_that_leaves_out_the_question_is_refused(qwen):
    qwen.chat_template = "{% if messages[0]['content'] | length == 2 %}<|image_pad|>{% endif %}Say!"
    with pytest.raises(ModelError, match="leaves out the question"):
        PromptEncoder(qwen)


@pytest.mark.parametrize("name", ["llava", "qwen2_5_vl", "internvl", "gemma3", "idefics3"])
def test_words_that_stand_for_an_image_are_refused_in_questions_and_answers(name, pictures):
    processor = make_family(name)[0]
    mark = getattr(processor, "boi_token", processor.image_token)
    encoder = PromptEncoder(processor)
    calls = [
        lambda: encoder(pictures[0], f"What is {mark}?"),
        lambda: encoder(None, f"What is {mark}?"),
        lambda: encoder.compact(f"What is {mark}?", with_image=True),
        lambda: encoder.answer(QUESTION, f"It is {mark}.", with_image=True),
    ]
    for call in calls:
        with pytest.raises(DataError, match="stands for an image") as caught:
            call()
        assert repr(mark) in caught.value.what
        assert caught.value.remedy


def test_a_tokenizer_that_adds_an_end_token_works_once_the_remedy_is_followed(tmp_path):
    llava = make_family("llava")[0]
    tokenizer = llava.tokenizer
    ends = [("<s>", tokenizer.bos_token_id), ("</s>", tokenizer.eos_token_id)]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=ends
    )
    llava.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="adds a token behind a prompt") as caught:
        PromptEncoder(load_processor(tmp_path))
    assert "tokenizer.json, take the end token out of post_processor" in caught.value.remedy
    path = tmp_path / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    for name in ("single", "pair"):
        content["post_processor"][name] = [
            part for part in content["post_processor"][name]
            if part.get("SpecialToken", {}).get("id") != "</s>"
        ]  # fmt: skip
    path.write_text(json.dumps(content), encoding="utf-8")
    ids = PromptEncoder(load_processor(tmp_path))(None, QUESTION).ids
    assert ids[0] == tokenizer.bos_token_id
    assert ids[-1] != tokenizer.eos_token_id


def test_an_image_that_the_processor_cannot_take_is_named(qwen, tmp_path):
    Image.new("RGB", (900, 2)).save(tmp_path / "narrow.png")
    with pytest.raises(DataError) as caught:
        PromptEncoder(qwen)(tmp_path / "narrow.png", QUESTION)
    assert str(tmp_path / "narrow.png") in caught.value.what
    assert "900 x 2 pixels: absolute aspect ratio" in str(caught.value)


@pytest.mark.parametrize("name", list(BEGINNINGS.values()))
def test_an_image_of_one_pixel_is_enlarged(name, tmp_path):
    Image.new("RGB", (1, 1), "red").save(tmp_path / "dot.png")
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    encoder = PromptEncoder(make_family(name)[0])
    dot, red = (encoder(tmp_path / f"{n}.png", QUESTION).images for n in ("dot", "red"))
    pixels = dot["pixel_values"].flatten(0, -4)[0]
    assert torch.allclose(pixels, red["pixel_values"].flatten(0, -4)[0], atol=1e-4)


def test_an_image_of_hundreds_of_megapixels_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)  # its limit is twice this
    Image.new("RGB", (64, 64)).save(tmp_path / "large.png")
    with pytest.raises(DataError, match="cannot be read") as caught:
        open_image(tmp_path / "large.png")
    assert str(tmp_path / "large.png") in caught.value.what
    assert (caught.value.found, caught.value.expected) == ("4,096 pixels", "at most 100 pixels")
