"""The tokens of an answer are those that it has behind its prompt, whatever the tokenizer adds."""

import copy
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.benchmarks.records import Concept, Record
from kit.errors import ModelError
from kit.evaluation.scoring_tasks import first_tokens
from kit.model.batches import Batcher
from kit.model.chat import answer_text, chat_prompt
from kit.model.prompts import PromptEncoder, following
from tests.toys.families import MAKERS, make_family
from tests.toys.llama_tokenizer import BLANK, make_llama_tokenizer

QUESTION = "Who is this?"


@pytest.fixture(scope="module")
def llama():
    processor = make_family("llava")[0]
    processor.tokenizer = make_llama_tokenizer()
    return processor


def words(processor, ids):
    return processor.tokenizer.convert_ids_to_tokens(ids)


def test_an_answer_has_no_token_of_its_own_for_the_blank_that_the_tokenizer_puts_first(llama):
    ids = PromptEncoder(llama).answer(QUESTION, "Ada", with_image=True)
    assert words(llama, ids) == [f"{BLANK}Ada", "</s>"]
    alone = llama.tokenizer(" Ada</s>", add_special_tokens=False)["input_ids"]
    assert words(llama, alone) == [BLANK, f"{BLANK}Ada", "</s>"], "the trap of this tokenizer"


@pytest.mark.parametrize("name", ["llama 2", *MAKERS])
@settings(max_examples=20, deadline=None)
@given(answer=st.from_regex(r"[A-Za-z0-9(][A-Za-z0-9 .,()'-]{0,12}", fullmatch=True))
def test_prompt_and_answer_are_one_reading_of_both(llama, processors, name, answer):
    """What transformers makes of the whole dialogue is what a model was taught."""
    processor = llama if name == "llama 2" else processors[name]
    encoder = PromptEncoder(processor)
    answer = answer.strip()
    prompt = chat_prompt(processor, QUESTION, with_image=True)
    text = answer_text(processor, QUESTION, answer, with_image=True)
    apart = [
        *encoder.compact(QUESTION, with_image=True),
        *encoder.answer(QUESTION, answer, with_image=True),
    ]
    begins = processor.tokenizer.bos_token is None or not prompt.startswith(
        processor.tokenizer.bos_token
    )
    assert apart == processor.tokenizer(prompt + text, add_special_tokens=begins)["input_ids"]


@pytest.fixture(scope="module")
def processors():
    return {name: make_family(name)[0] for name in MAKERS}


def test_letters_of_a_choice_begin_with_tokens_of_their_own(llama):
    record = Record("r", Concept.CHOICE, "Which?\nA: x\nB: y", "B", candidates=("A", "B", "C", "D"))
    firsts = first_tokens(Batcher(llama, torch.device("cpu")), record)
    assert words(llama, list(firsts.values())) == [BLANK + letter for letter in "ABCD"]


def test_a_name_is_its_own_tokens_and_not_the_blank_before_it(llama):
    assert words(llama, following(llama.tokenizer, ".", " Ada")) == [f"{BLANK}Ada"]


def test_a_token_that_spans_the_border_does_not_take_a_part_of_the_answer(llama):
    """`d` and `a` are one token, so that a prompt which ends in `d` would lose its last one."""
    assert words(llama, following(llama.tokenizer, "d", "a")) == ["a"]


TODAY = "{{ strftime_now('%d %B %Y') }}\n"


@pytest.mark.parametrize(
    ("before", "said"), [(TODAY, "the day's date"), ("\ufeff", "a byte-order mark")]
)
def test_a_template_with_the_date_or_a_mark_is_refused(before, said):
    processor = copy.deepcopy(make_family("llava")[0])
    processor.chat_template = before + processor.chat_template
    with pytest.raises(ModelError, match=said) as caught:
        PromptEncoder(processor)
    assert "chat" in caught.value.remedy


def test_the_remedy_for_a_date_works():
    processor = copy.deepcopy(make_family("llava")[0])
    processor.chat_template = TODAY.replace("strftime_now('%d %B %Y')", json.dumps("26 Jul 2024"))
    processor.chat_template += make_family("llava")[0].chat_template
    assert PromptEncoder(processor).compact(QUESTION, with_image=False)
