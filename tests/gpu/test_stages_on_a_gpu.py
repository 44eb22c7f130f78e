"""Every stage on a GPU with the smallest models, and the engine's batch invariance."""

import json
import subprocess
import sys

import pytest

from kit.artifacts import PROJECT
from kit.stages.workers import isolated
from tests.evaluation.test_engines import make_inputs, requests, smoke

pytestmark = [pytest.mark.gpu, pytest.mark.slow]


@pytest.mark.parametrize("family", ["llava", "qwen2_5_vl"])
def test_every_stage_runs_on_a_gpu(tmp_path, family):
    command = [sys.executable, "-m", "tests.bench", "--gpu", "--scale", "tiny"]
    asked = ["--family", family, "--output", str(tmp_path / "found.json")]
    done = subprocess.run([*command, *asked], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())[family]
    assert found["devices"]
    assert all(job["peak_memory_bytes"] > 0 for job in found["jobs"].values())
    assert found["evaluation"]["engine"]["device"] != "cpu"
    agreement = found["evaluation"]["agreement"]
    assert agreement["largest_nats"] < agreement["limit_nats"]


def answers(folder, order):
    from kit.evaluation.engines.vllm import VllmEngine

    asked = requests(folder)[::order]
    manifest = smoke(serving="adapters", batch_invariant=True)
    manifest = manifest.model_copy(
        update={"model": manifest.model.model_copy(update={"compute_dtype": "bfloat16"})}
    )
    adapters = {
        "base": (), "one": (folder / "adapter1",), "two": (folder / "adapter1", folder / "adapter2")
    }  # fmt: skip
    scratch = folder / f"scratch{order}"
    scratch.mkdir()
    engine = VllmEngine(manifest, folder / "base", adapters, scratch)
    half = len(asked) // (2 if order < 0 else 1)
    said = engine.answer(asked[:half]) + (engine.answer(asked[half:]) if order < 0 else [])
    return sorted((a.system, a.record_id, a.text) for a in said)


def test_batch_invariant_answers_do_not_depend_on_order_or_company(tmp_path):
    isolated(make_inputs, tmp_path)
    assert isolated(answers, tmp_path, 1) == isolated(answers, tmp_path, -1)
