"""The first minutes on a card, tried on a CPU: a step that fails or is killed ends nothing else."""

import dataclasses
import json
import subprocess
import sys

import pytest
import torch

from kit.artifacts import PROJECT
from kit.experiment.manifest import ModelSection
from kit.model.base import load_base, load_processor
from kit.model.batches import Batcher
from tests.bench import first_minutes
from tests.bench.minutes import models, nf4, padding, profile
from tests.bench.minutes.notes import Notes, failures
from tests.bench.random_models import write_random_base
from tests.model.test_models import NOWHERE

FAMILIES = padding.FAMILIES


def started(tmp_path, *asked):
    """Run the benchmark in a new process; return it and what it wrote."""
    output = tmp_path / "found.json"
    command = [sys.executable, "-m", "tests.bench", "first_minutes", "--output", str(output)]
    done = subprocess.run([*command, *asked], cwd=PROJECT, capture_output=True, text=True)
    return done, json.loads(output.read_text())


def main(monkeypatch, tmp_path, *asked):
    """Run it in this process, its steps in others; return its exit code and what it wrote."""
    output = tmp_path / "found.json"
    given = ["first_minutes", "--scale", "tiny", "--output", str(output), *asked]
    monkeypatch.setattr(sys, "argv", given)
    return first_minutes.main(), json.loads(output.read_text())


@pytest.mark.slow
@pytest.mark.extended
def test_every_step_ends_well_on_a_cpu(tmp_path):
    done, found = started(tmp_path, "--scale", "tiny")
    assert done.returncode == 0, done.stderr
    steps = {name: step["found"] for name, step in found["steps"].items()}
    assert list(steps) == list(first_minutes.PARTS)
    assert {step["ended"] for step in found["steps"].values()} == {"finished"}
    assert steps["machine"]["import torch"]["version"] == torch.__version__
    assert len(steps["nf4"]) == len(nf4.SHAPES["tiny"]) * len(nf4.ROWS["tiny"])
    assert all(len(steps["padding"][family]["records"]) == 3 for family in FAMILIES)
    trained = steps["training"]
    assert {name.split(",")[0] for name in trained} == {
        "model", "grad_ascent", "grad_diff", "dpo", "kl_min", "balanced_grad_diff",
    }  # fmt: skip
    for name, cost in (item for item in trained.items() if item[0] != "model"):
        assert cost["seconds_per_step"] > 0
        assert cost["micro_batch_size"] == int(name.split()[1])
    assert len(steps["bfloat16"]) == 1 + 2 * 3
    for dtype in ("float32", "bfloat16"):
        parts = steps["profile"][dtype]["parts_s"]
        assert {*profile.PARTS, "bitsandbytes::dequantize_4bit"} <= set(parts)
        assert all(0 < parts[name] <= parts["forward"] for name in profile.PARTS)
    assert steps["qwen"]["vision"]["seconds_per_image"] > 0
    assert steps["qwen"]["dpo, 1 at once, recomputed"]["gradient_checkpointing"] is True
    assert steps["answers"]["generate"]["tokens_per_second"] > 0
    assert steps["answers"]["score, 32 at once"]["records"] == 32


def test_a_step_that_takes_too_long_is_killed_and_no_step_begins_without_time(
    monkeypatch, tmp_path
):
    code, found = main(monkeypatch, tmp_path, "--seconds", "2", "--steps", "nf4", "machine")
    assert code == 1
    ended = [step["ended"] for step in found["steps"].values()]
    assert ended == ["killed: it took longer than 2 s", "not run: no time is left"]


@pytest.mark.slow
def test_a_step_that_fails_is_text_and_the_next_one_runs(monkeypatch, tmp_path, capsys):
    lacking = dataclasses.replace(first_minutes.PARTS["nf4"], packages=("torch", "no_such_package"))
    monkeypatch.setitem(first_minutes.PARTS, "nf4", lacking)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "bitsandbytes.py").write_text("raise OSError('libcudart.so: not found')\n")
    code, found = main(monkeypatch, tmp_path, "--steps", "nf4", "padding", "machine")
    assert code == 1
    steps = found["steps"]
    assert steps["nf4"]["ended"] == "not run: no_such_package missing"
    assert steps["padding"]["ended"] == "failed: exit code 1"
    assert steps["padding"]["log"][-1] == "OSError: libcudart.so: not found"
    assert steps["machine"]["ended"] == "finished"
    assert "libcudart" in steps["machine"]["found"]["import bitsandbytes"]["failed"]
    assert steps["machine"]["found"]["import torch"]["version"] == torch.__version__
    assert "machine/4 bits: OSError: libcudart.so: not found" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_full_scale_without_a_gpu_ends_after_the_first_step(tmp_path):
    done, found = started(tmp_path)
    assert done.returncode == 3
    assert "torch sees no GPU" in done.stderr
    assert list(found["steps"]) == ["machine"]


def test_the_steps_fit_into_twelve_minutes():
    assert (
        sum(part.limit_s for part in first_minutes.PARTS.values()) == first_minutes.SECONDS == 720
    )


def test_what_was_noted_before_a_kill_is_kept_and_a_failure_is_not_the_end(tmp_path):
    notes = Notes(tmp_path / "notes.json")
    notes.note("first", {"seconds": 1})
    assert notes.attempt("second", lambda: 1 / 0) is None
    kept = json.loads((tmp_path / "notes.json").read_text())
    assert kept["first"] == {"seconds": 1}
    assert kept["second"]["failed"] == "ZeroDivisionError: division by zero"
    assert notes.attempt("third", lambda: {"as_expected": False}) == {"as_expected": False}
    assert failures(notes.found, "step") == [
        "step/second: ZeroDivisionError: division by zero", "step/third: not as expected",
    ]  # fmt: skip


@pytest.mark.parametrize("off", [1.0, 1.05])
def test_a_4_bit_layer_that_computes_something_else_is_noticed(off):
    layer = models.quantised(torch.nn.Linear(64, 128, bias=False, dtype=torch.bfloat16))
    forward = layer.forward
    layer.forward = lambda values: off * forward(values)
    assert nf4._compared(layer, 8, 1)["as_expected"] is (off == 1.0)


@pytest.mark.parametrize("seen", [False, True])
def test_padding_that_is_seen_is_noticed(monkeypatch, seen):
    real = padding.answer_distribution

    def blind(model, batch):
        mask = torch.ones_like(batch.inputs["attention_mask"])
        return real(
            model, dataclasses.replace(batch, inputs={**batch.inputs, "attention_mask": mask})
        )

    if seen:
        monkeypatch.setattr(padding, "answer_distribution", blind)
    assert padding._compared("llava", "tiny")["as_expected"] is not seen


@pytest.mark.parametrize("family", FAMILIES)
def test_models_and_batches_are_laid_out_as_the_kit_s_own(family, tmp_path, records):
    write_random_base(tmp_path, family, "tiny")
    section = ModelSection(source=NOWHERE, compute_dtype="bfloat16")
    loaded, (made, described) = load_base(tmp_path, section), models.build(family, "tiny")
    assert described["as_expected"]

    def layout(model):
        return {name: (type(p), p.dtype, p.shape) for name, p in model.named_parameters()}

    assert layout(made) == layout(loaded)
    processor, shown = load_processor(tmp_path), [record for record in records if record.image][:1]
    own = Batcher(processor, torch.device("cpu"))(shown)
    ours = models.make_batch(made.config, [(5, 3)], "tiny")
    assert ours.inputs.keys() == own.inputs.keys()
    assert {n: t.dtype for n, t in ours.inputs.items()} == {
        n: t.dtype for n, t in own.inputs.items()
    }
    image = models._image_token(made.config)
    tokens = int((ours.inputs["input_ids"] == image).sum())
    pixels = ours.inputs["pixel_values"].numel() / tokens
    assert pixels == own.inputs["pixel_values"].numel() / int(
        (own.inputs["input_ids"] == image).sum()
    )
