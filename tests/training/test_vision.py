"""Image features of the frozen tower: computed once, equal to those of the pixels, bounded."""

from dataclasses import replace

import pytest
import torch
from PIL import Image

from kit.artifacts import Artifact
from kit.errors import TrainingError
from kit.experiment.manifest import ModelSection
from kit.model.base import load_base, load_processor
from kit.model.batches import Batcher
from kit.model.likelihood import answer_distribution
from kit.training import vision
from kit.training.vision import VisionFeatures
from tests.model.test_models import LANGUAGE, NOWHERE
from tests.toys.families import write_family
from tests.training.test_jobs import equal, job, kill, new_worker, vanilla, weights, worker

__all__ = ["vanilla", "worker"]  # fixtures
torch.set_num_threads(1)
PLENTY = 10_000_000


@pytest.fixture
def base(tiny_base):
    section = ModelSection(source=NOWHERE, compute_dtype="float32", lora_modules=LANGUAGE)
    return load_base(tiny_base, section)


def count_images(base):
    """Return a list that receives how many images go through the tower, pass by pass."""
    seen = []
    tower = base.model.vision_tower
    tower.register_forward_pre_hook(
        lambda module, args, inputs: seen.append(len(inputs.get("pixel_values", *args[:1]))),
        with_kwargs=True,
    )
    return seen


def test_each_image_goes_through_the_tower_once_and_gives_what_its_pixels_give(
    base, processor, records
):
    batcher = Batcher(processor, torch.device("cpu"))
    features = VisionFeatures(base, batcher, PLENTY)
    batch = batcher(records)
    expected = answer_distribution(base, batch)
    seen = count_images(base)
    for _ in range(2):
        found = answer_distribution(base, features(records, batch))
        assert torch.allclose(found, expected, atol=1e-4)
    assert seen == [1, 1, 1]
    assert features(records[3:], batcher(records[3:])).inputs.keys() == batch.inputs.keys() - {
        "pixel_values"
    }


def test_features_are_equal_to_the_last_bit_or_an_error_with_a_remedy(base, processor, records):
    features = VisionFeatures(base, Batcher(processor, torch.device("cpu")), PLENTY)
    features.require_equal(base, records[0])
    (kept,) = features._kept(records[0].image)
    kept[0, 0] += 1e-3
    with pytest.raises(TrainingError, match="change what the model computes") as caught:
        features.require_equal(base, records[0])
    assert "vision_cache_bytes = 0" in caught.value.remedy


def test_a_model_that_takes_no_features_is_an_error(base, processor, records, monkeypatch):
    monkeypatch.setattr(vision, "GIVEN", "no_such_argument")
    features = VisionFeatures(base, Batcher(processor, torch.device("cpu")), PLENTY)
    with pytest.raises(TrainingError) as caught:
        features.require_equal(base, records[0])
    assert "vision_cache_bytes = 0" in caught.value.remedy


@pytest.mark.parametrize(
    ("family", "refused"),
    [("llava_next", None), ("internvl", None), ("qwen3_vl", "deepstack_features")],
)
def test_other_families_take_features_of_mixed_sizes_or_are_refused(
    processor, records, tmp_path, family, refused
):
    write_family(family, tmp_path)
    base = load_base(tmp_path, ModelSection(source=NOWHERE, compute_dtype="float32"))
    for number, size in enumerate([(64, 64), (150, 64)]):
        path = tmp_path / f"{number}.png"
        Image.effect_noise(size, 50).convert("RGB").save(path)
        records[number] = replace(records[number], image=path)
    batcher = Batcher(load_processor(tmp_path), torch.device("cpu"))
    features = VisionFeatures(base, batcher, PLENTY)
    if refused:
        with pytest.raises(TrainingError, match="takes no image features") as caught:
            features.require_equal(base, records[0])
        assert refused in caught.value.found
        return
    features.require_equal(base, records[0])
    batch = batcher(records)
    found = answer_distribution(base, features(records, batch))
    assert torch.allclose(found, answer_distribution(base, batch), atol=1e-4)


def test_no_more_bytes_are_kept_than_are_allowed(base, processor, records):
    features = VisionFeatures(base, Batcher(processor, torch.device("cpu")), 1)
    seen = count_images(base)
    batch = Batcher(processor, torch.device("cpu"))(records)
    for _ in range(2):
        features(records, batch)
    assert seen == [1] * 6
    assert features._kept._used == 0


def test_a_job_learns_the_same_to_rounding_and_resumes_to_the_same_bits(
    worker, vanilla, tiny_base, processor, pictures, monkeypatch
):
    plain = job("kl_min", vanilla)
    worker.run(plain)
    settings = plain.settings.model_copy(update={"vision_cache_bytes": PLENTY})
    made = []
    for folder in ("whole", "killed"):
        artifact = Artifact(folder, plain.name, "1" * 64)
        given = replace(plain, settings=settings, artifact=artifact)
        if folder == "killed":
            kill(new_worker(tiny_base, processor, pictures), given, 3, monkeypatch)
        fresh = new_worker(tiny_base, processor, pictures)
        seen = count_images(fresh.base)
        fresh.run(given)
        assert seen.count(1) >= 3
        made.append(weights(artifact))
    assert equal(*made)
    usual = weights(plain.artifact)
    assert all(torch.allclose(made[0][name], usual[name], atol=2e-3) for name in usual)
