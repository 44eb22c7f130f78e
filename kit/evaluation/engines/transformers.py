"""transformers: the 4-bit base with its stacked adapters, exactly as it was trained.

It is the second engine of the agreement check, and the engine for machines without vLLM.
"""

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import torch
import transformers

from kit.evaluation.engines import Adapters, Answer, Engine, FirstLogprobs, Request, spoken
from kit.experiment.manifest import Manifest
from kit.model import determinism
from kit.model.base import device, load_base, load_processor
from kit.model.batches import BATCH
from kit.model.images import open_image
from kit.model.lora import load_adapter
from kit.model.memory import HalvingBatches


class TransformersEngine:
    """Greedy generation in batches, one system after the other."""

    dequantised: ClassVar[bool] = False

    def __init__(self, manifest: Manifest, base: Path, adapters: Adapters, scratch: Path) -> None:
        torch.set_num_threads(manifest.compute.threads)
        determinism.enable()
        self._adapters = dict(adapters)
        self._base: Any = load_base(base, manifest.model)
        self._processor = load_processor(base)
        self._processor.tokenizer.padding_side = "left"
        self._max_new_tokens = manifest.evaluation.max_new_tokens
        self._batches = HalvingBatches(BATCH, "questions")
        tokenizer = self._processor.tokenizer
        # As in vLLM, every end token of the published settings ends an answer. Their other values
        # are ignored: Qwen's repetition penalty, for example, would change the decoding.
        published = self._base.generation_config.eos_token_id
        ends = published if isinstance(published, list) else [published]
        self._ends = sorted({*ends, tokenizer.eos_token_id} - {None})
        self._greedy = transformers.GenerationConfig(
            do_sample=False,
            max_new_tokens=self._max_new_tokens,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=self._ends,
        )
        self.record: dict[str, object] = {
            "engine": "transformers",
            "version": transformers.__version__,
            "dtype": manifest.model.compute_dtype,
            **determinism.state(),
        }

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer greedily, system by system."""
        answers: list[Answer] = []
        for system, group in groupby(sorted(requests, key=lambda r: r.system), lambda r: r.system):
            model = self._base
            for number, folder in enumerate(self._adapters[system]):
                model = load_adapter(model, f"adapter{number}", folder)
            answers += self._batches.run(partial(self._batch, model), list(group))
            if model is not self._base:
                self._base = model.unload()
        return answers

    def first_logprobs(self, requests: Sequence[Request]) -> FirstLogprobs | None:
        """Return None: adapters are stacked as in training, so their effect needs no probe."""
        return None

    def _batch(self, model: Any, requests: Sequence[Request]) -> list[Answer]:
        tokenizer = self._processor.tokenizer
        images = [open_image(request.image) for request in requests if request.image]
        inputs = self._processor(
            images=images or None,
            text=[request.prompt for request in requests],
            add_special_tokens=False,
            padding=True,
            return_tensors="pt",
        ).to(device())
        with torch.no_grad():
            whole = model.generate(**inputs, generation_config=self._greedy)
        generated = whole[:, inputs["input_ids"].shape[1] :].tolist()
        return [
            _answer(request, ids, tokenizer, self._ends)
            for request, ids in zip(requests, generated, strict=True)
        ]


def _answer(request: Request, ids: list[int], tokenizer: Any, ends: list[int]) -> Answer:
    end = next((position for position, token in enumerate(ids) if token in ends), None)
    stop = "length" if end is None else "eos"
    ids = ids if end is None else ids[: end + 1]
    text = tokenizer.decode(ids, skip_special_tokens=True)
    return Answer(request.record_id, request.system, spoken(text), len(ids), stop)


ENGINE: type[Engine] = TransformersEngine
