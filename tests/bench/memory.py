"""What one process of each kind holds in main memory, and how that grows with the base's weights.

    ./run.sh bench memory

Loads, exports and serves random bases of two sizes on a CPU, each in a process of its own, and
prints what a process holds whatever the base (its own) and how much more it holds for each byte of
weights (a difference of two sizes, so everything that does not grow cancels). `mapped` are pages of
the weights' files: all processes that read a file share them. kit/doctor/resources.py adds up these
numbers.
"""

import os
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from kit.artifacts import PROJECT
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import load_manifest
from kit.stages.workers import isolated
from tests.bench import random_models

LAYERS = (4, 16)
TIMES = 2  # how far tensors are read ahead of being quantised is chance: the largest counts
# Between the tiny and the published sizes, so that the weights are no small part of a process.
TEXT = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 8,
    "num_key_value_heads": 8, "vocab_size": 2000,
}  # fmt: skip
KINDS = ("trainer", "export", "engine")
MEASURED = ("anonymous", "mapped")


def main() -> int:
    """Measure and print, in bytes of memory and in bytes for each byte of weights."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PEBENCH_CACHE"] = folder
        found = [_measured(Path(folder) / str(layers), layers) for layers in LAYERS]
    (small, few), (large, many) = found
    for kind in KINDS:
        grows = [(many[kind][n] - few[kind][n]) / (large - small) for n in range(2)]
        own = [few[kind][n] - grows[n] * small for n in range(2)]
        for name, each, slope in zip(MEASURED, own, grows, strict=True):
            print(f"{kind}: {name} {each / 1e9:.2f} GB and {slope:.2f} times the weights")
    return 0


def _measured(folder: Path, layers: int) -> tuple[int, dict[str, tuple[int, int]]]:
    """Return the bytes of the weights, and for each kind of process its peaks in bytes."""
    base = folder / "base"
    base.mkdir(parents=True)
    weights = isolated(_write_base, base, layers)
    print(f"{layers} layers: {weights / 1e6:.0f} MB of weights", file=sys.stderr, flush=True)
    peaks = {}
    for kind in KINDS:
        each = [isolated(_WORK[kind], folder) for _ in range(TIMES)]
        peaks[kind] = (max(a for a, _ in each), max(m for _, m in each))
    return weights, peaks


def _write_base(base: Path, layers: int) -> int:
    text = {**TEXT, "num_hidden_layers": layers}
    tiny = {**random_models.TINY["llava"], "text": text}
    with (
        patch.dict(random_models.TINY, llava=tiny),
        patch.dict(random_models.SHARD_BYTES, tiny=150_000_000),
    ):
        return random_models.write_random_base(base, "llava", "tiny")


def _manifest() -> Manifest:
    """Return the small experiment's manifest in the types of a real one."""
    document = load_manifest(PROJECT / "manifests" / "smoke.toml")
    model = document.model.model_copy(update={"compute_dtype": "bfloat16"})
    return document.model_copy(update={"model": model})


def _trainer(folder: Path) -> tuple[int, int]:
    """Load the base as a worker does, and keep an adapter for the engine."""
    from kit.model.base import load_base
    from kit.model.lora import add_adapter, save_adapter

    section = _manifest().model

    def work() -> object:
        model = load_base(folder / "base", section)
        return add_adapter(model, "made", modules=section.lora_modules, rank=16, alpha=16)

    model, peaks = _peaks(work)
    save_adapter(model, "made", folder / "adapter")
    return peaks


def _export(folder: Path) -> tuple[int, int]:
    """Write the dequantised base, as an evaluation does once."""
    from kit.model.base import export_base

    return _peaks(lambda: export_base(folder / "base", _manifest().model, folder / "served"))[1]


def _engine(folder: Path) -> tuple[int, int]:
    """Open an engine and serve one system's merged weights in it, and then another's."""
    from kit.evaluation.engines.vllm import VllmEngine

    adapters = {"one": (folder / "adapter",), "two": (folder / "adapter",) * 2}
    (folder / "scratch").mkdir(exist_ok=True)

    def work() -> object:
        engine = VllmEngine(_manifest(), folder / "served", adapters, folder / "scratch")
        for served in adapters.values():
            engine._serve_merged(served)
        return engine

    return _peaks(work)[1]


_WORK: dict[str, Callable[[Path], tuple[int, int]]] = {
    "trainer": _trainer, "export": _export, "engine": _engine,
}  # fmt: skip


def _peaks(work: Callable[[], Any]) -> tuple[Any, tuple[int, int]]:
    """Return what `work` returns, and this process's peaks of anonymous and mapped memory."""
    most, ended = [0, 0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.005):
            most[:] = map(max, most, _held())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    result = work()
    ended.set()
    watcher.join()
    return result, (most[0], most[1])


def _held() -> tuple[int, int]:
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    anonymous, mapped = (int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile"))
    return anonymous, mapped


if __name__ == "__main__":
    raise SystemExit(main())
