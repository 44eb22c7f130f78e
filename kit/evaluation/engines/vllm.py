"""vLLM: one engine over the dequantised base serves every system in continuous batches.

Two ways of serving, chosen in the manifest: "adapters" keeps all LoRA adapters in one batch, which
is meant for a large base; "merged" puts each system's merged weights into the running engine in
turn, which is faster where LoRA kernels cost more than the model does. Both give the same answers.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from PIL.Image import Image

from kit.evaluation.engines import Answer, Request, image_major, spoken
from kit.evaluation.engines.vllm_settings import arguments, described, opened, set_environment
from kit.experiment.manifest import Manifest
from kit.model.batches import open_image
from kit.model.combine import concatenate, merge, rank_of

AT_ONCE = 4096  # questions handed to the engine together: their images are in memory
LIKELIEST = 20  # first tokens whose log-probabilities the canary sees
Adapters = Mapping[str, tuple[Path, ...]]
"""System -> the adapter folders whose sum it is served with; an empty tuple is the base."""


class VllmEngine:
    """Holds the engine; open it in a process of its own.

    Args:
        base: folder of the dequantised base.
        adapters: every system that will be asked.
        scratch: empty folder for concatenated adapters.
    """

    def __init__(self, manifest: Manifest, base: Path, adapters: Adapters, scratch: Path) -> None:
        import torch

        set_environment(manifest)
        self._max_new_tokens = manifest.evaluation.max_new_tokens
        self._base, self._adapters = base, dict(adapters)
        self._merged = manifest.evaluation.serving == "merged"
        self._scratch = scratch
        adapted = [] if self._merged else [name for name in adapters if adapters[name]]
        self._numbers = {name: number for number, name in enumerate(sorted(adapted), start=1)}
        chosen = arguments(manifest, base, [rank_of(adapters[name]) for name in adapted])
        self._engine = opened(chosen)
        self.record = described(manifest, chosen)
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

    def first_logprobs(
        self, requests: Sequence[Request]
    ) -> dict[tuple[str, str], dict[int, float]]:
        """Return (system, record id) -> the likeliest first tokens and their log-probabilities."""
        from vllm import SamplingParams

        sampling = SamplingParams(temperature=0.0, max_tokens=1, seed=0, logprobs=LIKELIEST)
        firsts = {}
        for request, output in self._run(requests, sampling):
            choices = output.logprobs[0]
            firsts[request.system, request.record_id] = {
                token: choice.logprob for token, choice in choices.items()
            }
        return firsts

    def _run(self, requests: Sequence[Request], sampling: Any) -> list[tuple[Request, Any]]:
        done: list[tuple[Request, Any]] = []
        if not self._merged:
            # Not in one batch: on a CPU a request without an adapter is given another's there.
            bare = [request for request in requests if request.system not in self._numbers]
            adapted = [request for request in requests if request.system in self._numbers]
            self._concatenate({request.system for request in adapted})
            for group in (bare, adapted):
                done += self._generate(image_major(group), sampling) if group else []
            return done
        for system, group in groupby(sorted(requests, key=lambda r: r.system), lambda r: r.system):
            self._serve_merged(self._adapters[system])
            done += self._generate(image_major(group), sampling)
        return done

    def _generate(self, requests: list[Request], sampling: Any) -> list[tuple[Request, Any]]:
        done: list[tuple[Request, Any]] = []
        for start in range(0, len(requests), AT_ONCE):
            asked = requests[start : start + AT_ONCE]
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
        """Keep on disk what is served now: all adapters of a large base would fill it."""
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
        # vLLM's own reload: it knows which weights it has packed for its kernels.
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
