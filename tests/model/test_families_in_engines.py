"""Every supported family in both engines: the same prompts, and the same answers with adapters."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from kit.evaluation.engines import engine_class
from kit.experiment.manifest import Manifest, ModelSection
from kit.model.base import export_base, load_base
from kit.model.families import FAMILIES
from kit.model.lora import add_adapter, save_adapter
from kit.stages.workers import isolated
from tests.evaluation.test_engines import (
    RECORDS,
    SYSTEMS,
    paint_pictures,
    requests,
    smoke,
)  # fmt: skip
from tests.model.test_models import NOWHERE
from tests.toys.families import write_family

SECTION = ModelSection(source=NOWHERE, compute_dtype="float32")
IN_VLLM = [name for name, family in FAMILIES.items() if family.vllm_cpu]


def make_inputs(folder: Path, name: str) -> None:
    """Write base, its source and two random adapters; pictures of three shapes."""
    write_family(name, folder / "source")
    export_base(folder / "source", SECTION, folder / "base")
    for number in (1, 2):
        torch.manual_seed(number)
        base = load_base(folder / "source", SECTION)
        modules = FAMILIES[name].lora_modules
        model = add_adapter(base, "trained", modules=modules, rank=8, alpha=16)
        for place, parameter in model.named_parameters():
            if "lora_B" in place:
                torch.nn.init.normal_(parameter, std=0.2)
        save_adapter(model, "trained", folder / f"adapter{number}")
    paint_pictures(folder)
    for number in range(RECORDS):
        with Image.open(folder / f"{number}.png") as image:
            resized = image.resize([(64, 64), (150, 64), (64, 220)][number % 3])
        resized.save(folder / f"{number}.png")


def said_by(engine: str, serving: str, folder: Path):
    """Return what an engine reads and answers; called in a process of its own."""
    adapters = {
        name: tuple(folder / f"adapter{number}" for number in range(1, count + 1))
        for name, count in SYSTEMS.items()
    }
    scratch = folder / f"scratch-{engine}"
    scratch.mkdir()
    source = "source" if engine == "transformers" else "base"
    opened = engine_class(engine)(of_family(serving), folder / source, adapters, scratch)
    asked = requests(folder)
    read = {key: reading.prompt for key, reading in opened.read(asked).items()}
    answers = {(a.system, a.record_id): (a.ids, a.stop) for a in opened.answer(asked)}
    return read, answers


def of_family(serving: str) -> Manifest:
    manifest = smoke(serving=serving, max_new_tokens=12)
    model = manifest.model.model_copy(update={"lora_modules": None})
    return manifest.model_copy(update={"model": model})


def compared(name: str, folder: Path) -> None:
    isolated(make_inputs, folder, name)
    serving = "adapters" if FAMILIES[name].vllm_lora else "merged"
    expected, wanted = isolated(said_by, "transformers", serving, folder)
    read, said = isolated(said_by, "vllm", serving, folder)
    assert read == expected, "vLLM reads the tokens that training used"
    assert said.keys() == wanted.keys()
    different = [key for key in wanted if said[key] != wanted[key]]
    assert len(different) <= 1, "a near tie at most"
    assert len(set(wanted.values())) > len(wanted) / 2, "answers that could differ"
    for number in map(str, range(RECORDS)):
        assert len({wanted[system, number] for system in SYSTEMS}) == len(SYSTEMS)


@pytest.mark.slow
@pytest.mark.extended
@pytest.mark.parametrize("name", IN_VLLM)
def test_vllm_reads_and_answers_as_the_4_bit_base_with_stacked_adapters(tmp_path, name):
    """tests/evaluation/test_engines.py does so each time, with the embedded LLaVA."""
    compared(name, tmp_path)


def test_what_vllm_serves_otherwise_on_a_cpu_is_known():
    assert set(FAMILIES) - set(IN_VLLM) == {"gemma3"}
