"""Lengths are those of the real encoding, and a record or picture that cannot be used is named."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from kit.attacks import registry
from kit.benchmarks.records import Benchmark, Column, Concept, Record, Split
from kit.errors import DataError, ManifestError, ModelError
from kit.experiment.attack import AttackEntry, AttackSection
from kit.model.batches import Batcher
from kit.model.pixels import limit_pixels
from kit.preflight.lengths import TokenCounter
from kit.preflight.pictures import picture_sizes
from kit.preflight.records import measure_records
from tests.toys.engine import smoke
from tests.toys.pixels import qwen_processor

BIG = 12_845_056  # pixels: what Qwen's published processor allows


@pytest.fixture
def gallery(tmp_path):
    """Four pictures of three sizes."""
    sizes = {"a": (64, 64), "b": (64, 64), "wide": (300, 90), "large": (1200, 900)}
    for name, size in sizes.items():
        Image.new("RGB", size, (len(name), 0, 0)).save(tmp_path / f"{name}.png")
    return {name: tmp_path / f"{name}.png" for name in sizes}


@pytest.fixture
def asked(gallery):
    """One question about each picture, and one without."""
    texts = [
        "Who is this person?",
        "Describe the scene in detail.",
        "Is there a sun?",
        "Repeat: Ada",
    ]
    records = [
        Record(name, Concept.PERSON, text, f"Ada {name}", path)
        for (name, path), text in zip(gallery.items(), texts, strict=True)
    ]
    return [*records, Record("text", Concept.PERSON, "Who is Ada Sato?", "nobody knows")]


@pytest.mark.parametrize("most", [784, 50_000, BIG])
def test_lengths_are_those_of_the_tensors_that_the_model_gets(asked, gallery, most):
    processor = qwen_processor(784, most)
    counter = TokenCounter(processor, picture_sizes(gallery.values()))
    batcher = Batcher(processor, torch.device("cpu"))
    for record in asked:
        whole = batcher([record]).inputs["input_ids"].shape[1]
        assert counter.prompt(record) + counter.answer(record) == whole


def test_pictures_of_one_size_are_encoded_once(asked, gallery, monkeypatch):
    encoded = []
    counter = TokenCounter(qwen_processor(), picture_sizes(gallery.values()))
    encoder = counter._encoder
    monkeypatch.setattr(counter, "_encoder", Spy(encoder, encoded))
    for record in asked:
        counter.prompt(record)
    assert len(encoded) == 3


class Spy:
    """Passes everything on and notes which pictures are encoded."""

    def __init__(self, encoder, encoded):
        self._encoder, self._encoded = encoder, encoded

    def __call__(self, image, question):
        self._encoded.append(image)
        return self._encoder(image, question)

    def __getattr__(self, name):
        return getattr(self._encoder, name)


def benchmark(records):
    ids = tuple(record.id for record in records)
    split = Split("person", ids[:1], ids[1:], {("person", Column.EFFICACY): ids})
    return Benchmark("toy", {r.id: r for r in records}, ids, {"person": split})


class ToyPlan:
    """A plan of one system; `instruction` is its text before every question."""

    def __init__(self, max_model_len, instruction=""):
        made = smoke(evaluation={"max_model_len": max_model_len, "max_new_tokens": 16})
        self.manifest = made.model_copy(update={"attack": None})
        self.systems = [ToySystem(instruction)]
        self.attacked = []


class ToySystem:
    def __init__(self, instruction):
        self.target, self.instruction = "person", instruction


def test_a_record_that_fits_passes_and_one_token_less_is_refused_with_remedies_that_work(asked):
    processor = qwen_processor(784, BIG)
    whole = measure_records(ToyPlan(9999), processor, benchmark(asked))
    assert (whole.checked, whole.longest) == (5, "large")
    assert (
        measure_records(ToyPlan(whole.needed), processor, benchmark(asked)).needed == whole.needed
    )
    with pytest.raises(ManifestError) as caught:
        measure_records(ToyPlan(whole.needed - 1), processor, benchmark(asked))
    error = caught.value
    assert "record large is longer" in error.what
    assert f"{whole.needed} tokens" in error.found
    assert f"evaluation.max_model_len = {whole.needed}" in error.remedy
    pixels = int(error.remedy.rpartition("= ")[2])
    limit_pixels(processor, pixels)
    measure_records(ToyPlan(whole.needed - 1), processor, benchmark(asked))


def test_a_record_that_no_result_can_hold_is_refused_before_its_picture_is_decoded(asked, tmp_path):
    long = replace(asked[0], person="Ada" * 200, image=tmp_path / "no picture")
    with pytest.raises(DataError, match="record a cannot be stored in a result"):
        measure_records(ToyPlan(9999), qwen_processor(784, BIG), benchmark([long]))


def test_an_instruction_counts(asked):
    processor = qwen_processor(784, BIG)
    bare = measure_records(ToyPlan(9999), processor, benchmark(asked))
    told = measure_records(ToyPlan(9999, "If asked, say no."), processor, benchmark(asked))
    assert told.needed > bare.needed
    assert told.training == bare.training


class Attacked(ToyPlan):
    """A plan of one system, attacked in one way."""

    def __init__(self, max_model_len, attack, level):
        super().__init__(max_model_len)
        entry = AttackEntry(name="mine", label="Mine", attack=attack, levels=(level,))
        section = AttackSection(max_records=9, entries=(entry,))
        self.manifest = self.manifest.model_copy(update={"attack": section})
        built = registry.build(entry, "")
        self.attacked = [
            SimpleNamespace(system=self.systems[0], target="person", entry=entry, attack=built)
        ]


@pytest.fixture
def attacked(monkeypatch):
    """Jobs of a toy have no digests: they are handed over."""
    monkeypatch.setattr("kit.preflight.records.attack_jobs", lambda plan: plan.attacked)
    return Attacked


def test_a_question_under_attack_counts(asked, attacked):
    """Four examples before the question: about four times as many words."""
    bare = measure_records(ToyPlan(9999), qwen_processor(784, BIG), benchmark(asked))
    plan = attacked(9999, "in_context", 4)
    found = measure_records(plan, qwen_processor(784, BIG), benchmark(asked))
    assert found.needed > bare.needed
    assert found.training == bare.training
    with pytest.raises(ManifestError, match="is longer than the context"):
        measure_records(attacked(bare.needed, "in_context", 4), qwen_processor(784, BIG),
                        benchmark(asked))  # fmt: skip


def test_an_attack_that_can_ask_nothing_is_refused_before_training(asked, attacked):
    """The attack needs another picture of the person, and these people have none."""
    with pytest.raises(ManifestError, match="can be asked under the attack 'mine' at 1") as caught:
        measure_records(attacked(9999, "other_image", 1), qwen_processor(784, BIG),
                        benchmark(asked))  # fmt: skip
    assert "attack.targets" in caught.value.remedy


def with_picture(record: Record, path: Path) -> Record:
    return replace(record, image=path)


@pytest.mark.parametrize("size", [(1, 1), (3, 64)])
def test_a_picture_of_one_pixel_is_refused(asked, tmp_path, size):
    path = tmp_path / "tiny.png"
    Image.new("RGB", size).save(path)
    with pytest.raises(DataError, match=r"tiny.png is too small to show anything"):
        measure_records(ToyPlan(9999), qwen_processor(), benchmark([with_picture(asked[0], path)]))


@pytest.mark.parametrize(("size", "refused"), [((800, 4), False), ((4, 801), True)])
def test_a_strip_that_a_processor_would_scale_to_gigabytes_is_refused(tmp_path, size, refused):
    path = tmp_path / "strip.png"
    Image.new("RGB", size).save(path)
    if refused:
        with pytest.raises(DataError, match=r"strip\.png is a strip") as caught:
            picture_sizes([path])
        assert caught.value.found.startswith("4 x 801 pixels")
    else:
        assert picture_sizes([path]) == {path: size}


def test_a_picture_that_the_processor_refuses_is_named(asked, tmp_path):
    path = tmp_path / "strip.png"
    Image.new("RGB", (4, 2000)).save(path)
    with pytest.raises(DataError) as caught:
        measure_records(ToyPlan(9999), qwen_processor(), benchmark([with_picture(asked[0], path)]))
    assert "strip.png" in caught.value.what
    assert "aspect ratio" in caught.value.found


def test_a_picture_that_becomes_no_token_is_named(asked, processor, tmp_path):
    """The small base's processor enlarges nothing: a strip has no whole patch."""
    path = tmp_path / "strip.png"
    Image.new("RGB", (8, 200)).save(path)
    with pytest.raises(DataError, match=r"strip.png becomes no token"):
        measure_records(ToyPlan(9999), processor, benchmark([with_picture(asked[0], path)]))


def test_a_picture_of_two_hundred_megapixels_is_refused_without_a_traceback(asked, tmp_path):
    path = tmp_path / "huge.png"
    Image.new("1", (20_000, 10_000)).save(path)
    with pytest.raises(DataError) as caught:
        measure_records(ToyPlan(9999), qwen_processor(), benchmark([with_picture(asked[0], path)]))
    assert "huge.png" in caught.value.what
    assert "200,000,000 pixels" in caught.value.found


def test_a_picture_that_is_cut_off_is_refused(asked, gallery, tmp_path):
    path = tmp_path / "half.png"
    data = gallery["wide"].read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"half.png cannot be read"):
        picture_sizes([path])


def test_a_limit_of_pixels_has_no_meaning_for_a_processor_with_a_size_of_its_own(processor):
    with pytest.raises(ModelError) as caught:
        limit_pixels(processor, 10_000)
    assert "leave model.max_pixels out" in caught.value.remedy
