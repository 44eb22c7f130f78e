"""transformers: the 4-bit base with its stacked adapters, exactly as it was trained.

It is the engine for machines without vLLM.
"""

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import torch
import transformers

from kit.errors import EnvironmentFault
from kit.evaluation.engines import Adapters, Answer, Change, Engine, Key, Reading, Request, spoken
from kit.experiment.manifest import Manifest
from kit.methods.merger_file import merge_in
from kit.model import determinism
from kit.model.base import device, load_base, load_processor
from kit.model.batches import BATCH, Batcher, padding_token
from kit.model.decoding import end_tokens, greedy, require_plain, use_only
from kit.model.lora import load_adapter
from kit.model.memory import HalvingBatches, release


class TransformersEngine:
    """Greedy generation in batches, one system after the other."""

    dequantised: ClassVar[bool] = False

    def __init__(self, manifest: Manifest, base: Path, adapters: Adapters, scratch: Path) -> None:
        torch.set_num_threads(manifest.compute.threads)
        determinism.enable()
        self._adapters = dict(adapters)
        self._base: Any = load_base(base, manifest.model)
        processor = load_processor(base, manifest.model)
        self._tokenizer = processor.tokenizer
        self._batcher = Batcher(processor, device())
        self._batches = HalvingBatches(BATCH, "questions")
        self._ends = end_tokens(base, processor)
        limit = manifest.evaluation.max_new_tokens
        self._greedy = greedy(self._ends, padding_token(self._tokenizer), limit)
        use_only(self._base, self._greedy)
        self._checked = False
        # The second look needs a base of its own.
        self.leaves_room = not torch.cuda.is_available()
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
                model = load_adapter(model, f"adapter{number}", folder, merge_in)
            answers += self._batches.run(partial(self._batch, model), list(group))
            if model is not self._base:
                self._base = model.unload()
        return answers

    def read(self, requests: Sequence[Request]) -> dict[Key, Reading]:
        """Return the prompts alone: adapters are stacked as in training and need no probe."""
        found = {}
        for request in requests:
            prompt = self._batcher.prompts([request.record]).inputs["input_ids"][0]
            found[request.system, request.record_id] = Reading(tuple(prompt.tolist()), None)
        return found

    def change_weights(self, system: str, change: Change) -> None:
        raise EnvironmentFault(
            f"{system} cannot be served: this engine stacks adapters on the 4-bit base",
            expected="an engine that serves merged weights",
            found="evaluation.engine = 'transformers'",
            remedy="set evaluation.engine = 'vllm', or remove attacks on weights from [attack]",
        )

    def close(self) -> None:
        self._base = None
        release()

    def _batch(self, model: Any, requests: Sequence[Request]) -> list[Answer]:
        inputs = self._batcher.prompts([request.record for request in requests]).inputs
        if not self._checked:
            first = self._batcher.prompts([requests[0].record]).inputs
            require_plain(model, first, self._greedy)
            self._checked = True
        with torch.no_grad():
            whole = model.generate(**inputs, generation_config=self._greedy)
        generated = whole[:, inputs["input_ids"].shape[1] :].tolist()
        return [self._said(request, ids) for request, ids in zip(requests, generated, strict=True)]

    def _said(self, request: Request, ids: list[int]) -> Answer:
        end = next((place for place, token in enumerate(ids) if token in self._ends), None)
        stop = "length" if end is None else "eos"
        ids = ids if end is None else ids[: end + 1]
        text = spoken(self._tokenizer.decode(ids, skip_special_tokens=True))
        return Answer(request.record_id, request.system, text, tuple(ids), stop)


ENGINE: type[Engine] = TransformersEngine
