"""Every family that the kit supports passes the checks before training, with its own processor."""

import pytest
import torch
from PIL import Image

from kit.benchmarks.records import Concept, Record
from kit.errors import ModelError
from kit.experiment.manifest_file import load_manifest
from kit.model.batches import Batcher
from kit.model.families import FAMILIES
from kit.preflight.lengths import TokenCounter
from kit.preflight.loading import count_features, load_empty, require_features, require_tiles
from kit.preflight.pictures import picture_sizes
from kit.preflight.processors import open_processor, require_processor
from kit.preflight.structure import read_structure
from kit.preflight.weights import read_weights
from tests.bench.random_models import write_random_base
from tests.toys.dataset import TOY

SECTION = load_manifest(TOY).model.model_copy(update={"lora_modules": None})
SHAPES = ((64, 64), (300, 90), (120, 260))


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def base(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    write_random_base(folder, request.param, "tiny")
    return folder


def test_its_weights_modules_and_processor_pass(base):
    structure = read_structure(base, SECTION)
    assert structure.lora == structure.quantized
    assert read_weights(base).values == structure.sizes.quantized + structure.sizes.other
    facts = require_processor(open_processor(base, SECTION), structure.sizes.vocabulary)
    assert facts.image_tokens >= 1
    model = load_empty(base)
    require_features(model, facts.prompt)
    counted = count_features(model, facts.prompt.images)
    tokens = facts.prompt.ids.count(model.config.image_token_id)
    assert counted == (None if model.config.model_type == "idefics3" else tokens)


def test_a_processor_that_cuts_other_tiles_than_the_model_is_refused(base):
    processor, model = open_processor(base, SECTION), load_empty(base)
    require_tiles(model, processor)
    if getattr(model.config, "image_grid_pinpoints", None) is None:
        return  # a family without tiles
    pinpoints = processor.image_processor.image_grid_pinpoints
    processor.image_processor.image_grid_pinpoints = pinpoints[:-1]
    with pytest.raises(ModelError, match="other tiles"):
        require_tiles(model, processor)


def test_lengths_are_those_of_the_tensors_that_the_model_gets(base, tmp_path):
    """Pictures of three shapes, two questions of different length, and one without a picture."""
    processor = open_processor(base, SECTION)
    paths = [tmp_path / f"{width}x{height}.png" for width, height in SHAPES]
    for path, shape in zip(paths, SHAPES, strict=True):
        Image.new("RGB", shape, (200, 30, 30)).save(path)
    counter = TokenCounter(processor, picture_sizes(paths))
    batcher = Batcher(processor, torch.device("cpu"))
    asked = ["Who is this person?", "Is there a sun in the image?"]
    for number, path in enumerate([*paths, paths[0], None]):
        record = Record(f"r{number}", Concept.PERSON, asked[number % 2], "Ada Sato", path)
        whole = batcher([record]).inputs["input_ids"].shape[1]
        assert counter.prompt(record) + counter.answer(record) == whole
