"""Training on a GPU: equal bits twice, memory that ends, recomputing, and what it all records."""

from pathlib import Path

import pytest
import torch

from kit.experiment.manifest import ModelSection
from kit.methods.registry import build
from kit.model import determinism
from kit.model.base import load_base, load_processor
from kit.model.batches import Batcher
from kit.model.determinism import record_nondeterminism
from kit.model.lora import add_adapter
from kit.model.memory import GpuMeter
from kit.training.fitting import MicroBatchSizer
from kit.training.loop import train
from tests.bench.random_models import write_random_base
from tests.model.test_models import LANGUAGE, NOWHERE
from tests.toys.policy import trained_on
from tests.training.test_training import section

pytestmark = pytest.mark.gpu
SECTION = ModelSection(source=NOWHERE, compute_dtype="bfloat16", lora_modules=LANGUAGE)


@pytest.fixture(scope="module", params=["llava", "qwen2_5_vl"])
def folder(request, tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp(request.param)
    write_random_base(made, request.param, "tiny")
    return made


def trained(folder, records, out, **changed):
    """Train a fresh adapter for a few steps; return its weights, the outcome, and what was odd."""
    determinism.enable()
    torch.manual_seed(0)
    model = add_adapter(load_base(folder, SECTION), "t", modules=LANGUAGE, rank=4, alpha=4)
    batcher = Batcher(load_processor(folder), torch.device("cuda"))

    def steps(number, size):
        for start in range(0, len(records), size):
            batch = batcher(records[start : start + size])
            yield trained_on(model, batch)

    settings = section(**{"steps": 4, "micro_batch_size": 4, **changed})
    with record_nondeterminism() as odd:
        outcome = train(model, build("retain_finetune", {}), settings, steps, out, name="t")
    weights = {n: p.detach().cpu() for n, p in model.named_parameters() if p.requires_grad}
    return weights, outcome, odd


def equal(one, two):
    return all(torch.equal(one[name], two[name]) for name in one)


def test_two_runs_on_one_card_give_equal_bits(folder, records, tmp_path):
    one, first, odd = trained(folder, records, tmp_path)
    two, second, _ = trained(folder, records, tmp_path)
    assert equal(one, two), f"operations without a deterministic form: {sorted(odd)}"
    assert first.peak_memory_bytes == second.peak_memory_bytes > 0


def test_recomputing_activations_changes_no_bit_and_takes_less(folder, records, tmp_path):
    plain, kept, _ = trained(folder, records, tmp_path)
    again, dropped, _ = trained(folder, records, tmp_path, gradient_checkpointing="always")
    assert equal(plain, again)
    assert dropped.peak_memory_bytes <= kept.peak_memory_bytes


def test_free_memory_decides_the_micro_batch_where_the_manifest_does_not(folder, records, tmp_path):
    _, outcome, _ = trained(folder, records, tmp_path, micro_batch_size=None)
    assert outcome.micro_batch_size == 4, "the smallest models fit whole"


def test_memory_that_ends_halves_the_micro_batch_until_it_fits():
    """Real allocations of a quarter of the card a record: four do not fit."""
    free = GpuMeter().free()
    fitting = MicroBatchSizer(torch.nn.Linear(1, 1), section(batch_size=8, micro_batch_size=8), "t")

    def attempt(size):
        held = [torch.empty(int(0.3 * free), dtype=torch.uint8, device="cuda") for _ in range(size)]
        return len(held)

    assert fitting.run(attempt) == 2
    assert GpuMeter().free() > 0.9 * free, "what failed was given back"


def test_the_meter_sees_what_a_pass_takes():
    size = 64 << 20
    assert GpuMeter().taken(lambda: torch.empty(size, dtype=torch.uint8, device="cuda")) >= size


def test_the_record_names_card_and_switches():
    determinism.enable()
    said = determinism.state({"x"})
    assert said["device"] == torch.cuda.get_device_name()
    assert said["deterministic_algorithms"]
    assert said["cublas_workspace_config"] == ":4096:8"
