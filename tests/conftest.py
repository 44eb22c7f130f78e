"""Fixtures of more than one test module."""

from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from kit.report import metadata
from kit.signing.sign import sign
from tests.toys.signed_result import KEY, copy_of, write_result

# What is done only where it is asked for by name (`-m`), and why not otherwise.
ASKED_FOR = {
    "cluster": "starts a Ray cluster: ./run.sh test -m cluster -n 0",
    "store": "builds the environment of an S3 server: ./run.sh test -m store",
    "container": "builds an image: ./run.sh test -m container",
    "extended": "whole runs of the other benchmarks: ./run.sh test -m extended",
    "gpu": "needs a GPU: ./run.sh test -m gpu -n 0",
}


# A property is about values: a slow machine must not fail it.
hypothesis.settings.register_profile("kit", deadline=None)
hypothesis.settings.load_profile("kit")

# The environment stays what it is while tests run: the licences of its 180 packages are read once,
# and not for each of a thousand results.
metadata.licences = cache(metadata.licences)

LONGEST = "test_reference.py"  # it runs the whole small experiment


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is asked for by name alone; start the files with slow tests first."""
    for marker, reason in ASKED_FOR.items():
        if marker not in config.option.markexpr:
            skip = pytest.mark.skip(reason=reason)
            for item in items:
                if item.get_closest_marker(marker):
                    item.add_marker(skip)
    # Two processes share the files: one that starts a long file last leaves the other idle.
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path.name != LONGEST, item.path not in slow))


@pytest.fixture(scope="session")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed result; never to be changed."""
    result = write_result(tmp_path_factory.mktemp("signed") / "tiny")
    sign(result, key=KEY)
    return result


@pytest.fixture
def damaged(signed: Path, tmp_path: Path) -> Path:
    """A copy of the signed result that a test may damage."""
    return copy_of(signed, tmp_path)


@pytest.fixture(scope="session")
def processor() -> Any:
    """The processor of the embedded base model, built from code: its weights may not exist yet."""
    from kit.smoke.base import make_processor

    return make_processor()


@pytest.fixture(scope="session")
def tiny_base(processor: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a randomly initialised LLaVA of two decoder layers; never to be changed."""
    import torch
    from transformers import LlavaForConditionalGeneration

    from kit.smoke.base import make_config

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("tiny-base")
    config = make_config(processor.tokenizer)
    config.text_config.num_hidden_layers = 2
    config.vision_config.num_hidden_layers = 1
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlavaForConditionalGeneration(config)
        for parameter in model.parameters():
            # At the initial scale every answer is as likely as any other: nothing could fail.
            if parameter.dim() == 2:
                parameter.data.mul_(4)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three drawn images of three people."""
    import random

    from kit.smoke.drawing import paint
    from kit.smoke.events import FICTITIOUS
    from kit.smoke.people import people

    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        paint(people()[0][number], FICTITIOUS[number], random.Random(number)).save(path)
    return paths


@pytest.fixture
def records(pictures: list[Path]) -> list[Any]:
    """Records of three lengths with an image, and one without."""
    from kit.benchmarks.records import Concept, Record

    asked = ["Who is this person?", "Describe the scene in detail.", "Is there a sun in the image?"]
    answers = ["Ada Sato", "stargazing through telescopes under magical skies", "yes"]
    concepts = [Concept.PERSON, Concept.EVENT, Concept.PRESENCE]
    made = [
        Record(f"r{number}", concepts[number], asked[number], answers[number], pictures[number])
        for number in range(3)
    ]
    return [*made, Record("text", Concept.PERSON, "Repeat: Mara Weber", "Mara Weber")]
