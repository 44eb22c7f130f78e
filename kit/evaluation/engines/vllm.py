"""vLLM: one engine over the dequantised base serves every system in continuous batches.

The manifest chooses between two ways of serving. "adapters" serves all LoRA adapters in one batch
and suits a large base. "merged" loads the merged weights of one system after the other into the
running engine; it is faster if LoRA kernels cost more than the model. Both give the same answers.
"""

import shutil
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

from PIL.Image import Image

from kit.evaluation.engines import (
    Adapters,
    Answer,
    Engine,
    FirstLogprobs,
    Request,
    image_major,
    spoken,
)
from kit.evaluation.engines.vllm_settings import (
    describe_engine,
    engine_arguments,
    open_engine,
    set_environment,
)
from kit.experiment.manifest import Manifest
from kit.model.combine import concatenate, merge, rank_of
from kit.model.images import open_image

MAX_QUESTIONS = 4096  # handed to the engine together: their images are in memory
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
        adapted = [] if self._merged else [name for name in adapters if adapters[name]]
        self._numbers = {name: number for number, name in enumerate(sorted(adapted), start=1)}
        arguments = engine_arguments(manifest, base, [rank_of(adapters[name]) for name in adapted])
        self._engine = open_engine(arguments)
        self.record = describe_engine(manifest, arguments)
        if not torch.cuda.is_available():
            torch.set_num_threads(manifest.compute.threads)
        self._served: tuple[Path, ...] = ()

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer greedily, in the order of `image_major` within a served group."""
        from vllm import SamplingParams

        sampling = SamplingParams(temperature=0.0, max_tokens=self._max_new_tokens, seed=0)
        return [
            Answer(
                request.record_id,
                request.system,
                spoken(output.text),
                len(output.token_ids),
                "eos" if output.finish_reason == "stop" else "length",
            )
            for request, output in self._run(requests, sampling)
        ]

    def first_logprobs(self, requests: Sequence[Request]) -> FirstLogprobs:
        """Return the likeliest first tokens of each answer and their log-probabilities, nats."""
        from vllm import SamplingParams

        sampling = SamplingParams(temperature=0.0, max_tokens=1, seed=0, logprobs=FIRST_TOKENS)
        firsts: FirstLogprobs = {}
        for request, output in self._run(requests, sampling):
            choices = output.logprobs[0]
            firsts[request.system, request.record_id] = {
                token: choice.logprob for token, choice in choices.items()
            }
        return firsts

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
            self._serve_merged(self._adapters[system])
            done += self._generate(image_major(asked), sampling)
        return done

    def _generate(self, requests: list[Request], sampling: Any) -> list[tuple[Request, Any]]:
        done: list[tuple[Request, Any]] = []
        for start in range(0, len(requests), MAX_QUESTIONS):
            asked = requests[start : start + MAX_QUESTIONS]
            image = lru_cache(maxsize=None)(open_image)  # one image for all systems
            outputs = self._engine.generate(
                [_prompt(request, image) for request in asked],
                sampling,
                lora_request=[self._lora(request.system) for request in asked],
                use_tqdm=False,
            )
            done += zip(asked, (output.outputs[0] for output in outputs), strict=True)
        return done

    def _concatenate(self, systems: set[str]) -> None:
        """Write the adapters that are served now; the disk cannot hold all of a large base."""
        for folder in self._scratch.iterdir():
            if folder.name not in systems:
                shutil.rmtree(folder)
        for system in sorted(systems):
            if not (self._scratch / system).exists():
                concatenate(self._adapters[system], self._scratch / system)

    def _serve_merged(self, folders: tuple[Path, ...]) -> None:
        if folders == self._served:
            return
        from safetensors.torch import load_file

        weights: dict[str, Any] = {}
        for shard in sorted(self._base.glob("*.safetensors")):
            weights.update(load_file(shard))
        weights.update(merge(folders, weights))
        # Reload through vLLM: only it knows which weights are packed for its kernels.
        self._engine.collective_rpc(
            "reload_weights", kwargs={"weights_iterator": iter(weights.items())}
        )
        # The reload empties the runner's cache of image embeddings; the scheduler must know.
        self._engine.llm_engine.engine_core.reset_encoder_cache()
        self._engine.reset_prefix_cache()
        self._served = folders

    def _lora(self, system: str) -> Any:
        if system not in self._numbers:
            return None
        from vllm.lora.request import LoRARequest

        return LoRARequest(system, self._numbers[system], str(self._scratch / system))


def _prompt(request: Request, image: Callable[[Path], Image]) -> dict[str, Any]:
    if request.image is None:
        return {"prompt": request.prompt}
    return {"prompt": request.prompt, "multi_modal_data": {"image": image(request.image)}}


ENGINE: type[Engine] = VllmEngine
