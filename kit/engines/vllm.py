"""vLLM: one engine over the dequantised base serves every adapter in continuous batches."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kit.artifacts import cache_root
from kit.batches import open_image
from kit.engines import Answer, Request
from kit.manifest import Manifest

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # the maximum ranks that vLLM accepts


class VllmEngine:
    """Holds the engine; open it in a process of its own."""

    def __init__(self, manifest: Manifest, base: Path, adapters: Mapping[str, Path], rank: int):
        import torch

        on_gpu = torch.cuda.is_available()
        os.environ.setdefault("VLLM_CACHE_ROOT", str(cache_root() / "vllm"))
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        # One process: its seed and its scheduling are then those of this run alone.
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        os.environ["HF_HUB_OFFLINE"] = "1"
        from vllm import LLM

        section = manifest.evaluation
        self._max_new_tokens = section.max_new_tokens
        self._adapters = {name: index + 1 for index, name in enumerate(sorted(adapters))}
        self._folders = dict(adapters)
        self._engine: Any = LLM(
            model=str(base),
            dtype=manifest.model.compute_dtype,
            enforce_eager=not on_gpu,
            max_model_len=section.max_model_len,
            max_num_seqs=section.max_sequences,
            seed=0,
            limit_mm_per_prompt={"image": 1},
            enable_lora=True,
            max_loras=min(section.max_adapters, len(adapters)),
            max_lora_rank=min(size for size in RANKS if size >= rank),
            disable_log_stats=True,
        )

    def answer(self, requests: Sequence[Request], adapter_of: Mapping[str, str]) -> list[Answer]:
        """Answer greedily; `adapter_of` maps a system to the adapter it is served with."""
        from vllm import SamplingParams

        sampling = SamplingParams(temperature=0.0, max_tokens=self._max_new_tokens, seed=0)
        outputs = self._run(requests, adapter_of, sampling)
        return [
            Answer(
                request.record_id,
                request.system,
                output.text.strip(),
                len(output.token_ids),
                "eos" if output.finish_reason == "stop" else "length",
            )
            for request, output in zip(requests, outputs, strict=True)
        ]

    def first_logprobs(
        self, requests: Sequence[Request], adapter_of: Mapping[str, str]
    ) -> list[tuple[int, float]]:
        """Return the most likely first token and its log-probability, for the canary."""
        from vllm import SamplingParams

        sampling = SamplingParams(temperature=0.0, max_tokens=1, seed=0, logprobs=1)
        outputs = self._run(requests, adapter_of, sampling)
        firsts = [(output.token_ids[0], output.logprobs[0]) for output in outputs]
        return [(token, choices[token].logprob) for token, choices in firsts]

    def _run(
        self, requests: Sequence[Request], adapter_of: Mapping[str, str], sampling: Any
    ) -> list[Any]:
        prompts = [self._prompt(request) for request in requests]
        loras = [self._lora(adapter_of.get(request.system)) for request in requests]
        outputs = self._engine.generate(prompts, sampling, lora_request=loras, use_tqdm=False)
        return [output.outputs[0] for output in outputs]

    @staticmethod
    def _prompt(request: Request) -> dict[str, Any]:
        if request.image is None:
            return {"prompt": request.prompt}
        image = open_image(request.image)
        return {"prompt": request.prompt, "multi_modal_data": {"image": image}}

    def _lora(self, name: str | None) -> Any:
        from vllm.lora.request import LoRARequest

        if name is None:
            return None
        return LoRARequest(name, self._adapters[name], str(self._folders[name]))
