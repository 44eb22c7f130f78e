"""What training saves where a GPU would wait, measured by stand-ins on a CPU.

    ./run.sh bench training [scalars|prefetch|lora]

`scalars`: reference scalars alone, in batches of eight, and taken from the file that jobs share.
`prefetch`: steps whose images are encoded before and during the computation, for which a pause as
long as the encoding stands. `lora`: bytes that are kept for the backward pass with LoRA in float32
and in bfloat16. All models are random and narrow, with LLaVA 1.5's 576 image tokens. Seconds of
computing are processor time of one thread, so a busy machine disturbs them little.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import LlavaForConditionalGeneration

from kit.artifacts import Artifact
from kit.benchmarks.records import Concept, Record
from kit.methods import Needs
from kit.model.batches import Batcher
from kit.model.likelihood import answer_distribution, mean_nll
from kit.model.lora import add_adapter
from kit.smoke.base import make_config, make_processor
from kit.smoke.curriculum import lexicon
from kit.streams import stream
from kit.training.costs import Passes
from kit.training.masters import MasterWeights
from kit.training.prefetch import Prefetcher
from kit.training.preparation.base import Context
from kit.training.preparation.reference_scalars import ReferenceScalars
from kit.training.steps import TOGETHER, TRAINED

SIZE, PATCH = 336, 14
PHOTO = 1024  # pixels of a side, before the processor makes it smaller
RECORDS, STEPS, BATCH = 32, 6, 8
CPU = torch.device("cpu")
WIDE = {  # a quarter of LLaVA 1.5 7B's widths
    "hidden_size": 1024, "intermediate_size": 2752, "num_hidden_layers": 4,
    "num_attention_heads": 8, "num_key_value_heads": 8, "head_dim": 128,
}  # fmt: skip
LANGUAGE = r".*\.language_model\.layers\.\d+\..*_proj"


def main() -> int:
    """Measure what is named, or everything."""
    torch.set_num_threads(1)
    for name in sys.argv[1:] or MEASURED:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["PEBENCH_CACHE"] = folder
            MEASURED[name](Path(folder))
    return 0


def scalars(folder: Path) -> None:
    """Compute the scalars of a forget set in one job, and ask for them in a second job."""
    model, processor = _model(), _processor()
    adapted = add_adapter(model, TRAINED, modules=LANGUAGE, rank=4, alpha=4)
    records = _records(folder, RECORDS, SIZE)
    vanilla = Artifact("finetune", "vanilla", "0" * 64)
    vanilla.path.mkdir(parents=True)
    (vanilla.path / "adapter_model.safetensors").write_bytes(b"random")
    found = {}
    for together in (1, TOGETHER):
        for job in ("first", "second"):
            batcher = Batcher(processor, CPU)
            batcher.encode(records)
            context = Context(
                Needs(reference_scalars=True), 1, tuple(records), (), batcher,
                processor.tokenizer, adapted, TRAINED, Passes(), CPU, vanilla, together,
            )  # fmt: skip
            prepared = ReferenceScalars(context)
            seconds, values = _timed(lambda p=prepared: p.values({"forget": records}))
            found[together] = values["forget_reference"]
            print(f"scalars of {RECORDS} answers, {together} at once, {job} job: {seconds:.2f} s")
    largest = float((found[1] - found[TOGETHER]).abs().max())
    print(f"alone and together differ by {largest:.0e} nats")


def prefetch(folder: Path) -> None:
    """Run steps on photos that no cache holds, one after the other and overlapping."""
    processor = _processor()
    steps = [_records(folder / str(n), BATCH, PHOTO) for n in range(STEPS)]
    started = time.perf_counter()
    Batcher(processor, CPU).encode(steps[0])
    encoding = time.perf_counter() - started
    for ahead in (False, True):
        batcher = Batcher(processor, CPU)
        thread = Prefetcher(batcher)
        started = time.perf_counter()
        for number, records in enumerate(steps):
            thread.finish()
            batcher(records)
            if ahead and number + 1 < STEPS:
                thread.start(steps[number + 1])
            time.sleep(encoding)  # the GPU computes, and Python waits for it
        thread.close()
        each = (time.perf_counter() - started) / STEPS
        when = "while the model computes" if ahead else "before the model computes"
        print(f"a step of {BATCH} images of {PHOTO} pixels, encoded {when}: {each:.2f} s")


def lora(folder: Path) -> None:
    """Count the bytes that autograd keeps for one record."""
    kept = {}
    for dtype in (torch.float32, torch.bfloat16):
        model = _model(WIDE).to(torch.bfloat16)
        adapted = add_adapter(model, TRAINED, modules=LANGUAGE, rank=16, alpha=16)
        MasterWeights(adapted, dtype)
        batch = Batcher(_processor(), CPU)(_records(folder, 1, SIZE))
        batch.inputs["pixel_values"] = batch.inputs["pixel_values"].to(torch.bfloat16)
        kept[dtype] = kept_bytes(
            adapted,
            lambda m=adapted, b=batch: mean_nll(answer_distribution(m, b), b).sum(),
        )
        print(
            f"kept for the backward pass of a record, LoRA in {dtype}: {kept[dtype] / 1e6:.1f} MB"
        )
    print(f"{kept[torch.bfloat16] / kept[torch.float32]:.2f} times as much")


def kept_bytes(model: Any, loss: Callable[[], torch.Tensor]) -> int:
    """Return the bytes that autograd keeps for a loss, without the model's own weights.

    Each storage counts once. The gradient is computed as well, which frees them.
    """
    weights = {each.untyped_storage().data_ptr() for each in model.parameters()}
    seen: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        found = loss()
    total = sum(seen.values())
    found.backward()
    return total


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    found = work()
    return time.process_time() - started, found


def _processor() -> Any:
    processor = make_processor()
    processor.patch_size = PATCH
    sizes = {"shortest_edge": SIZE}, {"height": SIZE, "width": SIZE}
    processor.image_processor.size, processor.image_processor.crop_size = sizes
    processor.image_processor.do_resize = processor.image_processor.do_center_crop = True
    return processor


def _model(text: dict[str, int] | None = None, tower: dict[str, int] | None = None) -> Any:
    torch.manual_seed(1)
    config = make_config(make_processor().tokenizer)
    config.vision_config.image_size, config.vision_config.patch_size = SIZE, PATCH
    config.text_config.max_position_embeddings = 1024
    config._attn_implementation = "sdpa"  # as on a GPU
    for name, value in (text or {}).items():
        setattr(config.text_config, name, value)
    for name, value in (tower or {}).items():
        setattr(config.vision_config, name, value)
    return LlavaForConditionalGeneration(config).eval().requires_grad_(False)


def _records(folder: Path, count: int, size: int) -> list[Record]:
    folder.mkdir(exist_ok=True)
    made = []
    for number in range(count):
        path = folder / f"{number}.jpg"
        Image.effect_noise((size, size), 40 + number).convert("RGB").save(path)
        said = " ".join(stream("bench/training", number).sample(lexicon(), 12))
        made.append(Record(f"r{number}", Concept.FACT, "Describe the scene.", said, path))
    return made


MEASURED: dict[str, Callable[[Path], None]] = {
    "scalars": scalars, "prefetch": prefetch, "lora": lora,
}  # fmt: skip

if __name__ == "__main__":
    raise SystemExit(main())
