"""A worker process optimises pictures for attacks on pixels, and stores them for the engine."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from kit.attacks import Around
from kit.attacks.pixels import PixelAttack
from kit.benchmarks.records import Benchmark, Record
from kit.errors import ModelError
from kit.evaluation.asking import asked_records_of, picture_path
from kit.evaluation.attacked_models import each_model
from kit.model.base import load_processor
from kit.model.batches import Batcher
from kit.model.likelihood import answer_distribution, mean_nll
from kit.model.memory import peak_memory
from kit.plan.attacks import AttackJob
from kit.plan.jobs import Plan
from kit.sources.datasets import base_folder

BYTE = 255
TOGETHER = 16  # pictures in one pass


def optimise_pictures(plan: Plan, names: Sequence[str]) -> int:
    """Optimise the pictures of attacks whose answers have these names; return the peak, bytes.

    Runs in a process of its own.

    Raises:
        ModelError: the processor makes no plain pictures of pixels.
    """
    processor = load_processor(base_folder(plan.manifest), plan.manifest.model)
    for job, model, batcher, benchmark in each_model(plan, names):
        _optimise(job, plan, benchmark, model, batcher, processor)
    return peak_memory()


def _optimise(
    job: AttackJob, plan: Plan, benchmark: Benchmark, model: Any, batcher: Batcher, processor: Any
) -> None:
    assert job.pictures is not None
    assert isinstance(job.attack, PixelAttack)
    started, count = time.perf_counter(), 0
    around = Around(benchmark, job.target, job.entry.name)
    for level in job.entry.levels:
        records = asked_records_of(job, plan, benchmark, level)
        count += len(records)
        size = len(records) if job.attack.universal else TOGETHER
        for begin in range(0, len(records), size):
            part = records[begin : begin + size]
            pixels = optimised(part, model, batcher, processor, job.attack, level, around)
            for record, one in zip(part, pixels, strict=True):
                path = picture_path(job.pictures.partial, record.id, level)
                path.parent.mkdir(parents=True, exist_ok=True)
                whole = (one * BYTE).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
                Image.fromarray(np.ascontiguousarray(whole)).save(path, "PNG")
    seconds = round(time.perf_counter() - started, 3)
    job.pictures.publish({"stage": "attack", "pictures": count, "seconds": seconds})


def optimised(
    records: Sequence[Record],
    model: Any,
    batcher: Batcher,
    processor: Any,
    attack: PixelAttack,
    level: float,
    around: Around,
) -> Tensor:
    """Return the records' optimised pictures, [B, 3, H, W] in [0, 1], as the processor sizes them.

    Raises:
        ModelError: the processor makes no plain pictures of pixels.
    """
    batch = batcher(records)
    values = batch.inputs.get("pixel_values")
    images = processor.image_processor
    if values is None or values.dim() != 4 or values.shape[:2] != (len(records), 3):
        raise ModelError(
            "attacks on pixels cannot read this base's pictures",
            expected="pixel_values of one picture each, [pictures, 3, height, width]",
            found=None if values is None else list(values.shape),
            remedy="remove attacks on pixels from [attack] for this family of models",
        )
    mean, std = (
        torch.tensor(each, dtype=torch.float32, device=values.device).view(1, 3, 1, 1)
        for each in (images.image_mean, images.image_std)
    )
    start = (values.float() * std + mean).clamp(0, 1)

    def gradient(pixels: Tensor) -> Tensor:
        wanted = pixels.detach().clone().requires_grad_(True)
        inputs = {**batch.inputs, "pixel_values": ((wanted - mean) / std).to(values.dtype)}
        given = replace(batch, inputs=inputs)
        loss = mean_nll(answer_distribution(model, given), given).sum()
        return torch.autograd.grad(loss, wanted)[0]

    first = first_changes(start, records, level, around, universal=attack.universal)
    return attack.optimise(start, first, gradient, level)


def first_changes(
    pictures: Tensor, records: Sequence[Record], level: float, around: Around, *, universal: bool
) -> Tensor:
    """Return drawn changes within `level` / 255, [B, 3, H, W]; [1, 3, H, W] for one pattern.

    They depend on the attack and the record alone, so they are the same for every system.
    """
    drawn = []
    for name in ["universal"] if universal else [record.id for record in records]:
        stream = torch.Generator().manual_seed(around.seed(name))
        drawn.append(torch.rand(pictures.shape[1:], generator=stream) * 2 - 1)
    return torch.stack(drawn).to(pictures.device) * level / BYTE
