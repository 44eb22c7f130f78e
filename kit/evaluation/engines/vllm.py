"""vLLM: one engine over the dequantised base serves every system in continuous batches.

The manifest chooses between two ways of serving. "adapters" serves all LoRA adapters in one batch
and suits a large base. "merged" loads the merged weights of one system after the other into the
running engine; it is faster if LoRA kernels cost more than the model. Both give the same answers.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

from kit.errors import EnvironmentFault
from kit.evaluation.engines import (
    Adapters,
    Answer,
    Change,
    Engine,
    Key,
    Reading,
    Request,
    image_major,
    spoken,
)
from kit.evaluation.engines.held_pictures import HeldPicture, HeldPictures
from kit.evaluation.engines.vllm_settings import (
    describe_engine,
    engine_arguments,
    open_engine,
    require_plain,
    room_to_leave,
    set_environment,
)
from kit.experiment.manifest import Manifest
from kit.experiment.systems import VANILLA
from kit.methods.merger_file import merge_in
from kit.model.base import load_processor
from kit.model.cache import TokenCache
from kit.model.combine import concatenate, merge, rank_of
from kit.model.decoding import end_tokens
from kit.model.memory import release
from kit.model.prompts import PromptEncoder
from kit.pictures.decoding import pixels_of
from kit.result.layout import FULL_UPDATE

MAX_QUESTIONS = 4096  # handed to the engine together
MAX_IMAGE_BYTES = 2_000_000_000  # of the images that are in main memory together
# A decoded image has 3 bytes per pixel, and its float32 input has 12. Qwen's image of 1024 x 1024
# pixels takes 25.7 MB as input, twice that: it has two frames.
BYTES_PER_PIXEL = 28
CLOSING_SECONDS = 30.0  # until a core in a process of its own is killed
FIRST_TOKENS = 20  # whose log-probabilities the canary sees


class VllmEngine:
    """Holds a running vLLM engine; `scratch` is for concatenated adapters."""

    dequantised: ClassVar[bool] = True

    def __init__(self, manifest: Manifest, base: Path, adapters: Adapters, scratch: Path) -> None:
        import torch

        set_environment(manifest)
        self._max_new_tokens = manifest.evaluation.max_new_tokens
        self._base, self._adapters = base, dict(adapters)
        self._merged = manifest.evaluation.serving == "merged"
        self._scratch = scratch
        processor = load_processor(base, manifest.model)
        self._pictures = HeldPictures()
        self._tokens = TokenCache(PromptEncoder(processor).compact)
        self._ends = end_tokens(base, processor)
        adapted = [] if self._merged else [name for name in adapters if adapters[name]]
        self._numbers = {name: number for number, name in enumerate(sorted(adapted), start=1)}
        ranks = [rank_of(adapters[name]) for name in adapted]
        room = room_to_leave(base, manifest.model.quantization, _largest_updates(adapters))
        self.leaves_room = room is not None
        arguments = engine_arguments(manifest, base, ranks, room or 0)
        self._engine: Any = open_engine(arguments)
        self.record = describe_engine(manifest, arguments)
        if not torch.cuda.is_available():
            torch.set_num_threads(manifest.compute.threads)
        self._changes: dict[str, Change] = {}
        self._served: tuple[tuple[Path, ...], str] = ((), "")

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer greedily, in the order of `image_major` within a served group."""
        return [
            Answer(
                request.record_id,
                request.system,
                spoken(said.outputs[0].text),
                tuple(said.outputs[0].token_ids),
                "eos" if said.outputs[0].finish_reason == "stop" else "length",
            )
            for request, said in self._run(requests, self._greedy(self._max_new_tokens))
        ]

    def read(self, requests: Sequence[Request]) -> dict[Key, Reading]:
        """Return prompts and the likeliest first tokens with their log-probabilities, nats."""
        found = {}
        for request, said in self._run(requests, self._greedy(1, logprobs=FIRST_TOKENS)):
            choices = said.outputs[0].logprobs[0]
            first = {token: choice.logprob for token, choice in choices.items()}
            key = request.system, request.record_id
            found[key] = Reading(tuple(said.prompt_token_ids), first)
        return found

    def change_weights(self, system: str, change: Change) -> None:
        if not self._merged:
            raise EnvironmentFault(
                f"{system} cannot be served: it has changed weights, not adapters",
                expected="an engine that serves merged weights",
                found="evaluation.serving = 'adapters'",
                remedy="set evaluation.serving = 'merged'",
            )
        self._changes[system] = change

    def close(self) -> None:
        self._engine.llm_engine.engine_core.shutdown(timeout=CLOSING_SECONDS)
        self._engine = None
        release()

    def _greedy(self, max_tokens: int, logprobs: int | None = None) -> Any:
        """Return settings that take the likeliest token; all that could change a logit is off."""
        from vllm import SamplingParams

        settings = SamplingParams(
            temperature=0.0,
            max_tokens=max_tokens,
            seed=0,
            stop_token_ids=self._ends,
            logprobs=logprobs,
        )
        require_plain(settings)
        return settings

    def _run(self, requests: Sequence[Request], sampling: Any) -> list[tuple[Request, Any]]:
        done: list[tuple[Request, Any]] = []
        if not self._merged:
            # Two batches: on a CPU, vLLM gives a request without an adapter another one's.
            bare = [request for request in requests if request.system not in self._numbers]
            adapted = [request for request in requests if request.system in self._numbers]
            self._concatenate({request.system for request in adapted})
            for group in (bare, adapted):
                done += self._generate(image_major(group), sampling) if group else []
            return done
        for system, asked in groupby(sorted(requests, key=lambda r: r.system), lambda r: r.system):
            self._serve_merged(system)
            done += self._generate(image_major(asked), sampling)
        return done

    def _generate(self, requests: list[Request], sampling: Any) -> list[tuple[Request, Any]]:
        done: list[tuple[Request, Any]] = []
        for asked in in_portions(requests):
            paths = (request.record.image for request in asked)
            pictures = self._pictures.hold(path for path in paths if path is not None)
            outputs = self._engine.generate(
                [self._prompt(request, pictures) for request in asked],
                sampling,
                lora_request=[self._lora(request.system) for request in asked],
                use_tqdm=False,
            )
            done += zip(asked, outputs, strict=True)
        return done

    def _concatenate(self, systems: set[str]) -> None:
        """Write the adapters that are served now; the disk cannot hold all of a large base."""
        kept = {*systems, VANILLA}  # every canary compares with vanilla
        for folder in self._scratch.iterdir():
            if folder.name not in kept:
                shutil.rmtree(folder)
        for system in sorted(systems):
            if not (self._scratch / system).exists():
                concatenate(self._adapters[system], self._scratch / system)

    def _serve_merged(self, system: str) -> None:
        folders = self._adapters[system]
        served = folders, system if system in self._changes else ""
        if served == self._served:
            return
        from safetensors.torch import load_file

        weights: dict[str, Any] = {}
        for shard in sorted(self._base.glob("*.safetensors")):
            weights.update(load_file(shard))
        weights.update(merge(folders, weights, merge_in))
        if system in self._changes:
            weights.update(self._changes[system](weights))
        # Reload through vLLM: only it knows which weights are packed for its kernels.
        self._engine.collective_rpc(
            "reload_weights", kwargs={"weights_iterator": iter(weights.items())}
        )
        # The reload empties the runner's cache of image embeddings; the scheduler must know.
        self._engine.llm_engine.engine_core.reset_encoder_cache()
        self._engine.reset_prefix_cache()
        self._served = served

    def _prompt(self, request: Request, pictures: Mapping[Path, HeldPicture]) -> dict[str, Any]:
        """Return a prompt as tokens: the engine must not tokenise it in its own way."""
        path = request.record.image
        ids = self._tokens(request.record.question, with_image=path is not None)
        if path is None:
            return {"prompt_token_ids": ids}
        # With a name, the engine need not hash all pixels for every question.
        return {
            "prompt_token_ids": ids,
            "multi_modal_data": {"image": pictures[path].image},
            "multi_modal_uuids": {"image": pictures[path].name},
        }

    def _lora(self, system: str) -> Any:
        if system not in self._numbers:
            return None
        from vllm.lora.request import LoRARequest

        return LoRARequest(system, self._numbers[system], str(self._scratch / system))


def _largest_updates(adapters: Adapters) -> int:
    """Return the bytes of the full updates of the system that has most of them."""
    files = ([folder / FULL_UPDATE for folder in folders] for folders in adapters.values())
    sizes = (sum(file.stat().st_size for file in each if file.is_file()) for each in files)
    return max(sizes, default=0)


def in_portions(requests: Sequence[Request]) -> Iterator[list[Request]]:
    """Yield the requests that are handed to the engine together: their images are in memory.

    Args:
        requests: in the order of `image_major`.
    """
    portion: list[Request] = []
    held, last = 0, None
    for request in requests:
        path = request.record.image
        added = 0 if path is None or path == last else pixels_of(path) * BYTES_PER_PIXEL
        if portion and (len(portion) == MAX_QUESTIONS or held + added > MAX_IMAGE_BYTES):
            yield portion
            portion, held = [], 0
        portion.append(request)
        held, last = held + added, path
    if portion:
        yield portion


ENGINE: type[Engine] = VllmEngine
