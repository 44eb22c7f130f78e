"""A limit of pixels reaches every reader of an image: training, scoring and the served base."""

import pytest
from PIL import Image

from kit.errors import ModelError
from kit.experiment.manifest_file import load_manifest
from kit.model.base import export_base, load_processor
from kit.model.pixels import limits_pixels
from kit.model.prompts import PromptEncoder
from tests.toys.dataset import TOY
from tests.toys.families import write_family
from tests.toys.pixels import PIXELS

SECTION = load_manifest(TOY).model.model_copy(update={"lora_modules": None})


def limited(most):
    return SECTION.model_copy(update={"max_pixels": most})


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("qwen")
    write_family("qwen2_5_vl", folder)
    return folder


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "large.png"
    Image.new("RGB", (1200, 900), (10, 200, 30)).save(path)
    return path


def encoded(processor, picture):
    return PromptEncoder(processor)(picture, "Who is this person?")


def test_the_served_base_encodes_a_large_picture_as_training_does(qwen, picture, tmp_path):
    """vLLM reads the processor beside the served base, without the manifest."""
    section = limited(PIXELS)
    export_base(qwen, section, tmp_path / "served")
    trained, served = load_processor(qwen, section), load_processor(tmp_path / "served")
    one, other = encoded(trained, picture), encoded(served, picture)
    assert one.ids == other.ids
    assert all((one.images[name] == other.images[name]).all() for name in one.images)
    free = encoded(load_processor(qwen, SECTION), picture)
    assert len(one.ids) < len(free.ids)
    # 28 x 28 pixels are one token; the rest of the prompt is the same.
    assert one.images["pixel_values"].shape[0] * 14 * 14 <= PIXELS


def test_without_the_key_nothing_changes(qwen, picture):
    assert (
        encoded(load_processor(qwen, SECTION), picture).ids
        == encoded(load_processor(qwen), picture).ids
    )


def test_it_is_refused_where_the_processor_decides_the_size_itself(tiny_base, qwen):
    assert limits_pixels(load_processor(qwen))
    with pytest.raises(ModelError, match=r"max_pixels has no meaning") as caught:
        load_processor(tiny_base, limited(PIXELS))
    assert "leave model.max_pixels out" in caught.value.remedy
