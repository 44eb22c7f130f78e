"""vLLM reads the tokens of training, whoever writes the beginning-of-sequence token."""

import json
import shutil
from pathlib import Path

import pytest

from kit.benchmarks.records import Concept, Record
from kit.evaluation.engines import Request
from kit.stages.workers import isolated
from tests.evaluation.test_engines import SOURCE, paint_pictures, smoke

QUESTION = "Who is this person?"
BEGIN = {"tokenizer": True, "template": True, "neither": False}


def write_base(folder: Path, origin: str) -> Path:
    """Copy the small base; its tokenizer or its template adds `<s>` (id 1), or neither does."""
    base = shutil.copytree(SOURCE, folder / origin)
    path = base / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    if origin != "neither":  # also where the template begins with it: it must not be added twice
        tokenizer["post_processor"] = {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "<s>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
            ],
            "pair": [
                {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}
            ],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
        }  # fmt: skip
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    if origin == "template":
        template = next(base.glob("chat_template*"))
        text = template.read_text(encoding="utf-8")
        template.write_text("<s>" + text, encoding="utf-8")
    return base


def read_all(folder: Path) -> dict[str, list[dict[str, list[int]]]]:
    """Return what `read` does for each base; in one process, which imports vLLM once."""
    return {origin: read(folder, origin) for origin in BEGIN}


def read(folder: Path, origin: str) -> list[dict[str, list[int]]]:
    """Return, with and without an image, the prompt of each reader."""
    import torch

    from kit.evaluation.engines.vllm import VllmEngine
    from kit.model.base import export_base, load_processor
    from kit.model.batches import Batcher
    from kit.pictures.decoding import open_image

    base = write_base(folder, origin)
    export_base(base, smoke().model, folder / f"served-{origin}")
    scratch = folder / f"scratch-{origin}"
    scratch.mkdir()
    engine = VllmEngine(smoke(), folder / f"served-{origin}", {"": ()}, scratch)
    processor = load_processor(base)
    batcher = Batcher(processor, torch.device("cpu"))
    found = []
    for image in (folder / "0.png", None):
        record = Record("r", Concept.PERSON, QUESTION, "Ada Sato", image)
        (reading,) = engine.read([Request(record, "")]).values()
        content = [{"type": "image", "image": open_image(image)}] if image else []
        content.append({"type": "text", "text": QUESTION})
        own = processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True, tokenize=True, return_dict=True,
        )  # fmt: skip
        trained = batcher.prompts([record]).inputs["input_ids"][0]
        whole = batcher([record]).inputs["input_ids"][0]
        found.append(
            {
                "served": list(reading.prompt),
                "trained": trained.tolist(),
                "taught": whole.tolist()[: len(trained)],
                "template": list(own["input_ids"][0]),
            }
        )
    engine.close()
    return found


@pytest.mark.slow
def test_training_scoring_the_engine_and_the_model_s_template_have_one_prompt(tmp_path):
    paint_pictures(tmp_path)
    for origin, found in isolated(read_all, tmp_path).items():
        for said in found:
            assert said["served"] == said["trained"] == said["taught"] == said["template"], origin
            assert said["served"].count(1) == BEGIN[origin], "once, and before everything else"
            assert (said["served"][0] == 1) == BEGIN[origin]
