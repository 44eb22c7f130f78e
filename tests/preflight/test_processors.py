"""A processor that lacks something is refused with what to do, before anything is trained."""

import copy
import shutil

import pytest
from transformers import AutoTokenizer

from kit.errors import ModelError
from kit.experiment.manifest_file import load_manifest
from kit.preflight.processors import open_processor, require_processor
from tests.toys.dataset import TOY
from tests.toys.pixels import qwen_processor

SECTION = load_manifest(TOY).model
VOCABULARY = 2000


def refused(processor, vocabulary=VOCABULARY) -> ModelError:
    with pytest.raises(ModelError) as caught:
        require_processor(processor, vocabulary)
    assert caught.value.exit_code == 6
    assert caught.value.remedy or "chat template" in caught.value.what
    return caught.value


@pytest.fixture
def mine(processor):
    """A processor that a test may change."""
    return copy.deepcopy(processor)


def test_a_whole_processor_passes_and_its_image_tokens_are_counted(processor):
    found = require_processor(processor, VOCABULARY)
    assert (found.image_tokens, found.side) == (16, 64)
    assert "eos '</s>'" in found.describe()
    assert require_processor(qwen_processor(56 * 56, 336 * 336), VOCABULARY).image_tokens == 144


def test_a_tokenizer_without_an_end_token_is_refused(mine):
    mine.tokenizer.eos_token = None
    error = refused(mine)
    assert "eos_token" in error.what
    assert 'set "eos_token" in tokenizer_config.json' in error.remedy


@pytest.mark.parametrize("name", ["bos", "pad"])
def test_a_tokenizer_without_a_beginning_or_padding_token_is_used_as_it_is(mine, name):
    """Padding is out of attention, so any token can fill a batch."""
    setattr(mine.tokenizer, f"{name}_token", None)
    assert f"{name} 'None'" in require_processor(mine, VOCABULARY).describe()


def test_a_processor_without_a_patch_size_is_refused(mine):
    mine.patch_size = None
    assert "patch size" in refused(mine).what


def test_a_base_without_a_chat_template_is_refused(mine):
    mine.chat_template = mine.tokenizer.chat_template = None
    error = refused(mine)
    assert "chat template gives no prompt" in error.what
    assert "chat_template.jinja" in error.remedy


def test_a_template_without_a_placeholder_that_the_processor_expands_is_refused(mine):
    """It writes the list of parts as it is, or another family's placeholder."""
    for said in ("{{ message['content'] }}", "[IMG] {{ message['content'][-1]['text'] }}"):
        mine.chat_template = "{% for message in messages %}" + said + "{% endfor %}"
        if "[IMG]" in said:
            without = "{{ message['content'][-1]['text'] }}"
            part = "{% if message['content'] | length == 2 %}" + said + "{% else %}" + without
            mine.chat_template = "{% for message in messages %}" + part + "{% endif %}{% endfor %}"
        error = refused(mine)
        assert "no placeholder that the processor knows" in error.what
        assert "'<image>'" in error.expected


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("{{ messages[0]['content'] + 'x' }}", "concatenate"),
        ("{% for", "end of"),
    ],
)
def test_a_template_that_fails_is_named_with_its_own_message(mine, template, said):
    mine.chat_template = template
    error = refused(mine)
    assert "chat template gives no prompt" in error.what
    assert said in error.found


def test_a_template_that_leaves_the_image_out_is_refused(mine):
    mine.chat_template = mine.chat_template.replace("<image>\n", "")
    assert "leaves out the image" in refused(mine).what


def test_a_processor_that_fails_on_a_picture_is_named_with_its_own_message(mine, monkeypatch):
    monkeypatch.setattr(type(mine.image_processor), "preprocess", None)
    error = refused(mine)
    assert "cannot encode a picture" in error.what
    assert "NoneType" in error.found


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(processor):
    assert "more tokens than the model" in refused(processor, len(processor.tokenizer) - 1).what


def test_a_folder_without_a_processor_of_images_is_refused(tiny_base, tmp_path):
    AutoTokenizer.from_pretrained(tiny_base).save_pretrained(tmp_path / "words")
    shutil.copy(tiny_base / "config.json", tmp_path / "words")
    for folder in (tmp_path / "words", tmp_path):
        with pytest.raises(ModelError) as caught:
            open_processor(folder, SECTION)
        assert caught.value.remedy
