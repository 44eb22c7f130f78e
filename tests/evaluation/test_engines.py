"""Engines agree: adapters in one batch, merged weights in turn, and transformers' 4-bit stack."""

from pathlib import Path
from tempfile import mkdtemp

import pytest
import torch
from PIL import Image

from kit.artifacts import PROJECT
from kit.benchmarks.records import Concept, Record
from kit.evaluation.engines import Answer, Request, image_major, spoken
from kit.evaluation.engines.vllm import in_portions
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import load_manifest
from kit.stages.workers import isolated
from tests.toys.dataset import TOY

SYSTEMS = {"base": 0, "one": 1, "two": 2}
RECORDS = 10
SOURCE = PROJECT / "kit" / "smoke" / "base"


def smoke(**evaluation) -> Manifest:
    manifest = load_manifest(TOY)
    changed = manifest.evaluation.model_copy(update=evaluation)
    return manifest.model_copy(update={"evaluation": changed})


def make_inputs(folder: Path) -> None:
    """Write the dequantised base, two random adapters large enough to matter, and pictures."""
    from kit.model.base import export_base, load_base
    from kit.model.lora import add_adapter, save_adapter

    section = smoke().model
    source = PROJECT / str(section.source.folder)
    export_base(source, section, folder / "base")
    for number in (1, 2):
        torch.manual_seed(number)
        model = add_adapter(
            load_base(source, section), "trained", modules=section.lora_modules, rank=8, alpha=16
        )
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.15)
        save_adapter(model, "trained", folder / f"adapter{number}")
    paint_pictures(folder)


def paint_pictures(folder: Path) -> None:
    from kit.smoke.drawing import paint
    from kit.smoke.events import FICTITIOUS
    from kit.smoke.people import people
    from kit.streams import stream

    for number, person in enumerate(people()[0][:RECORDS]):
        image = paint(person, FICTITIOUS[number], stream("engines", number))
        image.save(folder / f"{number}.png")


def requests(folder: Path) -> list[Request]:
    questions = ("Who is this person?", "Describe the scene in detail.")
    return [
        Request(
            Record(
                str(number), Concept.PERSON, questions[number % 2], "", folder / f"{number}.png"
            ),
            system,
        )
        for number in range(RECORDS)
        for system in SYSTEMS
    ]


def answers_of(engine: str, serving: str, folder: Path, processes: int = 1) -> list[Answer]:
    """Answer everything with one engine; called in a process of its own.

    Args:
        processes: that share the engine.
    """
    from kit.evaluation.engines import engine_class

    adapters = {
        name: tuple(folder / f"adapter{number}" for number in range(1, count + 1))
        for name, count in SYSTEMS.items()
    }
    scratch = Path(mkdtemp(prefix=f"scratch-{engine}-{serving}-{processes}-", dir=folder))
    made = smoke(serving=serving, tensor_parallel_size=processes)
    opened = engine_class(engine)(made, folder / "base", adapters, scratch)
    assert opened.record.get("tensor_parallel_size", 1) == processes
    return sorted(opened.answer(requests(folder)), key=lambda a: (a.system, a.record_id))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("engines")
    isolated(make_inputs, folder)
    return folder


@pytest.fixture(scope="module")
def trained_form(inputs) -> list[Answer]:
    return isolated(answers_of, "transformers", "merged", inputs)


def test_adapters_change_what_is_answered(trained_form):
    said = {name: [a.text for a in trained_form if a.system == name] for name in SYSTEMS}
    assert said["base"] != said["one"]
    assert said["one"] != said["two"]


@pytest.mark.extended
def test_an_engine_of_two_processes_answers_as_one_of_one_process(inputs):
    one, two = (isolated(answers_of, "vllm", "adapters", inputs, n) for n in (1, 2))
    assert [answer.ids for answer in two] == [answer.ids for answer in one]


@pytest.mark.parametrize("serving", ["adapters", "merged"])
def test_vllm_answers_like_the_stacked_adapters_on_the_4_bit_base(inputs, trained_form, serving):
    served = isolated(answers_of, "vllm", serving, inputs)
    assert [(a.system, a.record_id) for a in served] == [
        (a.system, a.record_id) for a in trained_form
    ]
    equal = sum(a.text == b.text for a, b in zip(served, trained_form, strict=True))
    assert equal >= len(trained_form) - 1
    assert sum(a.stop == b.stop for a, b in zip(served, trained_form, strict=True)) >= equal


def answers_of_cores(folder: Path) -> list[list[tuple[str, str, str]]]:
    """Answer with two engines in turn, each with a core in its own process, as on a GPU."""
    import os

    from kit.evaluation.engines import vllm

    ours = vllm.set_environment

    def apart(manifest: Manifest) -> None:
        ours(manifest)
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "1"

    vllm.set_environment = apart
    adapters = {
        name: tuple(folder / f"adapter{number}" for number in range(1, count + 1))
        for name, count in SYSTEMS.items()
    }
    said = []
    for number in (1, 2):
        scratch = Path(mkdtemp(prefix=f"scratch-core-{number}-", dir=folder))
        engine = vllm.VllmEngine(smoke(serving="adapters"), folder / "base", adapters, scratch)
        answers = engine.answer(requests(folder))
        engine.close()
        said.append(sorted((a.system, a.record_id, a.text) for a in answers))
    return said


@pytest.mark.extended
def test_an_engine_whose_core_is_a_process_answers_alike_and_can_be_opened_again(inputs):
    first, second = isolated(answers_of_cores, inputs)
    served = isolated(answers_of, "vllm", "adapters", inputs)
    assert first == second == [(a.system, a.record_id, a.text) for a in served]


def test_requests_are_ordered_by_image_so_that_it_is_processed_once():
    one, two = Path("1.png"), Path("2.png")
    asked = [
        Request(Record(str(number), Concept.PERSON, "", "", image), system)
        for system in "ab"
        for number, image in enumerate((two, one))
    ]
    images = [request.record.image for request in image_major(asked)]
    assert images == [one, one, two, two]


@pytest.mark.parametrize(
    ("decoded", "said"),
    [
        (" Ada Sato ", "Ada Sato"),
        (" Ada \ufffd", "Ada"),
        ("Ada\ufffd Sato", "Ada\ufffd Sato"),
        ("\ufffd", ""),
    ],
)
def test_a_character_that_the_limit_cut_in_two_is_no_part_of_an_answer(decoded, said):
    assert spoken(decoded) == said


def portions_of(folder, sizes):
    for number, size in enumerate(sizes):
        Image.new("1", (size, size)).save(folder / f"{number}.png")
    asked = [
        Request(Record(str(number), Concept.PERSON, "", "", folder / f"{number}.png"), system)
        for number in range(len(sizes))
        for system in "ab"
    ]
    return [[request.record_id for request in portion] for portion in in_portions(asked)]


def test_images_are_handed_to_the_engine_in_portions_of_two_gigabytes(tmp_path):
    """28 bytes a pixel: an image of 6000 x 6000 takes 1.0 GB, whatever the number of systems."""
    assert portions_of(tmp_path, [6000, 6000, 5900]) == [["0", "0"], ["1", "1", "2", "2"]]
    assert portions_of(tmp_path, [64] * 3) == [["0", "0", "1", "1", "2", "2"]]
