"""vLLM: one engine over the dequantised base serves every system in continuous batches.

Two ways of serving, chosen in the manifest: "adapters" keeps all LoRA adapters in one batch, which
is meant for a large base; "merged" puts each system's merged weights into the running engine in
turn, which is faster where LoRA kernels cost more than the model does. Both give the same answers.
"""

import os
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from kit.artifacts import cache_root
from kit.batches import open_image
from kit.engines import Answer, Request, image_major, spoken
from kit.manifest import Manifest

LIKELIEST = 20  # first tokens whose log-probabilities the canary sees
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # the maximum ranks that vLLM accepts
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

        os.environ.setdefault("VLLM_CACHE_ROOT", str(cache_root() / "vllm"))
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        # One process: its seed and its scheduling are then those of this run alone.
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        os.environ["HF_HUB_OFFLINE"] = "1"
        if not torch.cuda.is_available():
            # vLLM has torch compile one function, which counts; that would need a C++ compiler.
            os.environ["TORCHDYNAMO_DISABLE"] = "1"
        from vllm import LLM

        section = manifest.evaluation
        self._max_new_tokens = section.max_new_tokens
        self._base, self._adapters = base, dict(adapters)
        self._merged = section.serving == "merged"
        self._loras = {} if self._merged else _concatenated(adapters, scratch)
        lora: dict[str, Any] = {}
        if self._loras:
            rank = max(rank for _, rank in self._loras.values())
            lora = {
                "enable_lora": True,
                "max_loras": min(section.max_adapters, len(self._loras)),
                "max_lora_rank": min(size for size in RANKS if size >= rank),
            }
        self._engine: Any = LLM(
            model=str(base),
            dtype=manifest.model.compute_dtype,
            enforce_eager=not torch.cuda.is_available(),
            max_model_len=section.max_model_len,
            max_num_seqs=section.max_sequences,
            seed=0,
            limit_mm_per_prompt={"image": 1},
            disable_log_stats=True,
            use_tqdm_on_load=False,
            **lora,
        )
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
            bare = [request for request in requests if request.system not in self._loras]
            adapted = [request for request in requests if request.system in self._loras]
            for group in (bare, adapted):
                done += self._generate(image_major(group), sampling) if group else []
            return done
        for system, group in groupby(sorted(requests, key=lambda r: r.system), lambda r: r.system):
            self._serve_merged(self._adapters[system])
            done += self._generate(image_major(group), sampling)
        return done

    def _generate(self, requests: list[Request], sampling: Any) -> list[tuple[Request, Any]]:
        outputs = self._engine.generate(
            [_prompt(request) for request in requests],
            sampling,
            lora_request=[self._lora(request.system) for request in requests],
            use_tqdm=False,
        )
        answered = [output.outputs[0] for output in outputs]
        return list(zip(requests, answered, strict=True))

    def _serve_merged(self, folders: tuple[Path, ...]) -> None:
        if folders == self._served:
            return
        from safetensors.torch import load_file

        from kit.adapters import merge

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
        if system not in self._loras:
            return None
        from vllm.lora.request import LoRARequest

        folder, _ = self._loras[system]
        return LoRARequest(system, 1 + sorted(self._loras).index(system), str(folder))


def _concatenated(adapters: Adapters, scratch: Path) -> dict[str, tuple[Path, int]]:
    from kit.adapters import concatenate

    return {
        system: (scratch / system, concatenate(folders, scratch / system))
        for system, folders in adapters.items()
        if folders
    }


def _prompt(request: Request) -> dict[str, Any]:
    if request.image is None:
        return {"prompt": request.prompt}
    image = open_image(request.image)
    return {"prompt": request.prompt, "multi_modal_data": {"image": image}}
