"""The measurement of real sizes works before a GPU is rented; tests/README.md shows its table."""

import json
import subprocess
import sys

import pytest
import torch
from transformers import AutoModelForImageTextToText

from kit.artifacts import PROJECT
from kit.model.families import FAMILIES as ROWS
from tests.bench import resources
from tests.bench.random_models import FAMILIES, real_size

MEASURED = {
    "llava": {
        "scale": "full",
        "devices": [{"name": "Card X", "memory": 80, "driver": "580.1", "capability": "9.0"}],
        "packages": {"torch": "2.13.0", "vllm": "0.32.0"},
        "jobs": {
            "vanilla": {
                "method": "retain_finetune", "seconds_per_step": 1.234, "records_per_step": 16,
                "micro_batch_size": 8, "gradient_checkpointing": False,
                "peak_memory_bytes": 21_440_000_000,
            },
            "retain_only-person": {"method": "retain_finetune"},
            "person-npo-s1": {
                "method": "npo", "seconds_per_step": 2.0, "records_per_step": 16,
                "micro_batch_size": 1, "gradient_checkpointing": True, "peak_memory_bytes": None,
            },
        },
        "evaluation": {
            "systems": 10, "answers": 5000, "seconds": 61.7, "peak_memory_bytes": 70_000_000_000,
        },
        "answers_per_second": {"engine": 41.26, "loop": 1.04},
    }
}  # fmt: skip


def test_the_page_shows_the_committed_measurement_or_says_that_there_is_none():
    page = resources.PAGE.read_text(encoding="utf-8")
    assert page == resources.inserted(page, resources.reference())
    assert ("Not yet measured" in page) == (not resources.REFERENCE.exists())


def test_the_table_shows_what_was_measured():
    lines = resources.table(MEASURED).splitlines()
    assert lines[0] == "On Card X with torch 2.13.0, vllm 0.32.0 (`./run.sh bench --gpu`):"
    assert "| LLaVA 1.5 7B | fine-tuning | 16 | 8 | 1.23 | 21.4 GB |" in lines
    assert "| LLaVA 1.5 7B | npo | 16 | 1, recomputing | 2.00 | unknown |" in lines
    assert lines[6].endswith("| 62 in all | 70.0 GB |")
    assert lines[7] == "", "retain-only is the same work as vanilla"
    assert "41.3 answers a second in the engine, 1.0 one question at a time" in lines[8]


def test_a_measurement_of_tiny_models_never_becomes_the_reference(tmp_path, monkeypatch, capsys):
    tiny = {"llava": {**MEASURED["llava"], "scale": "tiny"}}
    (tmp_path / "tiny.json").write_text(json.dumps(tiny))
    monkeypatch.setattr(sys, "argv", ["resources", str(tmp_path / "tiny.json")])
    assert resources.main() == 1
    assert "not a measurement at full scale" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("family", "parameters"), [("llava", 7_063_427_072), ("qwen2_5_vl", 8_292_166_656)]
)
def test_the_models_have_the_published_number_of_parameters(family, parameters):
    """As the hub counts them in the published weights."""
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(real_size(family))
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


@pytest.mark.slow
@pytest.mark.extended
@pytest.mark.parametrize("family", FAMILIES)
def test_every_stage_runs_on_a_random_base_in_bfloat16(tmp_path, family):
    """The smallest model of each family instead of a 7B one; everything else is as on a GPU."""
    asked = ["--gpu", "--scale", "tiny", "--family", family, "--output", tmp_path / "found.json"]
    command = [sys.executable, "-m", "tests.bench", *map(str, asked)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())[family]
    assert {job["method"] for job in found["jobs"].values()} == {
        "retain_finetune", "npo", "kl_min", "balanced_grad_diff",
    }  # fmt: skip
    assert all(job["seconds_per_step"] > 0 for job in found["jobs"].values())
    assert {job["micro_batch_size"] for job in found["jobs"].values()} == {16}
    evaluation, row = found["evaluation"], ROWS[family]
    served = row.vllm_lora and row.vllm_cpu
    assert evaluation["engine"]["engine"] == ("vllm" if served else "transformers")
    assert evaluation["engine"]["dtype"] == "bfloat16"
    assert evaluation["answers"] > 1000
    assert evaluation["agreement"]["sample"] >= 40
    assert evaluation["agreement"]["largest_nats"] <= evaluation["agreement"]["limit_nats"]
    assert set(found["answers_per_second"]) == ({"engine", "loop"} if served else set())
    assert all(rate > 0 for rate in found["answers_per_second"].values())


def test_full_scale_without_a_gpu_is_refused_before_anything_is_written(tmp_path):
    command = [sys.executable, "-m", "tests.bench", "--gpu", "--output", str(tmp_path / "f.json")]
    env = {"PATH": str(tmp_path), "PYTHONPATH": "."}
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, env=env)
    assert done.returncode == 3
    assert "no GPU is visible" in done.stderr
    assert not (tmp_path / "f.json").exists()
