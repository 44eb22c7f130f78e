"""Records ahead of their step: encoded in a thread, and the longest measured first."""

import threading
from dataclasses import replace

import pytest
import torch
from PIL import Image

from kit.artifacts import Artifact
from kit.benchmarks.records import by_id
from kit.errors import DataError
from kit.methods.registry import build
from kit.model import memory
from kit.model.memory import expand_segments
from kit.model.prompts import PromptEncoder
from kit.training import loop, steps
from kit.training.loop import train
from kit.training.prefetch import Prefetcher
from tests.toys.policy import Bigram
from tests.training.test_jobs import (
    equal,
    job,
    new_worker,
    source_of,
    vanilla,
    weights,
    worker,
)
from tests.training.test_training import section, steps_of

__all__ = ["vanilla", "worker"]  # fixtures
torch.set_num_threads(1)
ONE_EACH = {"batch_size": 1, "micro_batch_size": 1}


def encode_ahead(monkeypatch):
    """Encode in a thread, as on a GPU; return the threads in which prompts are encoded."""
    where = []
    encode = PromptEncoder.__call__

    def watched(self, *arguments):
        where.append(threading.current_thread().name.partition("_")[0])
        return encode(self, *arguments)

    monkeypatch.setattr(steps, "_prefetches", lambda device: True)
    monkeypatch.setattr(PromptEncoder, "__call__", watched)
    return where


@pytest.mark.parametrize("method", ["kl_min", "dpo"])
def test_encoding_ahead_changes_no_bit(
    worker, vanilla, tiny_base, processor, pictures, monkeypatch, method
):
    plain = job(method, vanilla, "one", **ONE_EACH)
    worker.run(plain)
    where = encode_ahead(monkeypatch)
    ahead = replace(plain, artifact=Artifact("ahead", "one", "1" * 64))
    new_worker(tiny_base, processor, pictures).run(ahead)
    assert equal(weights(plain.artifact), weights(ahead.artifact))
    assert "prefetch" in where
    assert not [t for t in threading.enumerate() if t.name.startswith("prefetch")]


def test_every_step_after_the_first_finds_its_records_encoded(worker, monkeypatch):
    where = encode_ahead(monkeypatch)
    source = worker.source(job("retain_finetune", **ONE_EACH), None)
    for number in range(4):
        encoded = len(where)
        list(source.steps(number, 1))
        assert ("MainThread" in where[encoded:]) == (number == 0)
    source.close()
    assert "prefetch" in where


def test_an_image_that_cannot_be_read_fails_in_the_step_that_needs_it(
    worker, monkeypatch, tmp_path
):
    where = encode_ahead(monkeypatch)
    given = job("retain_finetune", **ONE_EACH)
    source = worker.source(given, None)
    first, *later = [
        {step.retain.record_ids[0] for step in source.steps(number, 1)} for number in range(4)
    ]
    late = next(iter(later[1] - first - later[0]))
    records = [
        replace(record, image=tmp_path / "none.png") if record.id == late else record
        for record in worker.benchmark.records.values()
    ]
    worker.benchmark = replace(worker.benchmark, records=by_id(records))
    source = worker.source(given, None)
    for number in (0, 1):
        list(source.steps(number, 1))
    with pytest.raises(DataError, match=r"none\.png"):
        list(source.steps(2, 1))
    assert "MainThread" in where


def test_the_thread_is_idle_while_the_main_thread_encodes():
    """Processor and cache are never used by two threads at a time."""
    started, go_on = threading.Event(), threading.Event()

    class Slow:
        def encode(self, records):
            started.set()
            go_on.wait(10)
            return []

    ahead = Prefetcher(Slow())
    ahead.start([])
    started.wait(10)
    waiting = threading.Thread(target=ahead.finish)
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    go_on.set()
    waiting.join(10)
    assert not waiting.is_alive()
    ahead.close()


def test_the_longest_records_are_measured_those_beside_them_included(worker, vanilla, tmp_path):
    records = dict(worker.benchmark.records)
    split = worker.benchmark.splits["both"]
    large = tmp_path / "large.png"
    Image.new("RGB", (640, 480)).save(large)
    wordy, beside = split.forget[2], split.retain[1]
    records[wordy] = replace(records[wordy], answer="one two three four five six seven eight")
    records[beside] = replace(records[beside], answer="nine ten " * 9, image=large)
    worker.benchmark = replace(worker.benchmark, records=by_id(list(records.values())))
    given = job("grad_diff", vanilla)
    source = source_of(worker, given)

    def width(step):
        return sum(batch.inputs["input_ids"].shape[1] for batch in (step.forget, step.retain))

    each = [width(step) for number in range(4) for step in source.steps(number, 1)]
    assert width(source.longest(1)) == max(each) > min(each)
    assert beside in source.longest(2).retain.record_ids
    assert len(source.longest(4).forget.record_ids) == 4


def test_a_gpu_is_measured_with_the_longest_records(tmp_path, monkeypatch):
    """A meter that takes a record's length for bytes; the first records are short."""
    policy, seen = Bigram(), []

    class Meter:
        def free(self):
            return 100

        def taken(self, work):
            work()
            return seen[-1]

    def forward(self, input_ids, **inputs):
        seen.append(input_ids.numel())
        return plain(self, input_ids, **inputs)

    plain = Bigram.forward
    monkeypatch.setattr(Bigram, "forward", forward)
    monkeypatch.setattr(loop, "GpuMeter", Meter)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 0)

    def longest(size):
        step = next(steps_of(policy)(0, size))
        batch = step.retain
        wide = {name: tensor.repeat(1, 10) for name, tensor in batch.inputs.items()}
        step.prepared = {**step.prepared, "retain": replace(batch, inputs=wide)}
        return step

    sizes = {}
    for name, given in (("first", None), ("longest", longest)):
        (tmp_path / name).mkdir()
        settings = section(micro_batch_size=None, steps=1)
        outcome = train(
            policy, build("retain_finetune", {}), settings, steps_of(policy), tmp_path / name,
            name="toy", longest=given,
        )  # fmt: skip
        sizes[name] = outcome.micro_batch_size
    assert sizes == {"first": 4, "longest": 2}


@pytest.mark.parametrize("own", memory.ALLOCATOR)
def test_gpu_memory_grows_in_place_unless_the_user_says_otherwise(monkeypatch, own):
    for name in memory.ALLOCATOR:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(own, "max_split_size_mb:64")
    expand_segments()
    assert {n: v for n in memory.ALLOCATOR if (v := memory.os.environ.get(n))} == {
        own: "max_split_size_mb:64"
    }
    monkeypatch.delenv(own)
    expand_segments()
    assert memory.os.environ["PYTORCH_CUDA_ALLOC_CONF"] == "expandable_segments:True"
    monkeypatch.delenv("PYTORCH_CUDA_ALLOC_CONF")
