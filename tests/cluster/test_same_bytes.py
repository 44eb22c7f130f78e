"""The experiment, shrunk, by this machine's processes and by a Ray cluster: the same bytes.

It needs what `test_ray.py` needs, and twice the minutes of `tests/runs/test_smoke_run.py`.
"""

import subprocess
from pathlib import Path

from kit.artifacts import PROJECT
from tests.cluster.ray_nodes import ON_TWO_NODES, TwoNodes
from tests.runs.test_smoke_run import new_run
from tests.runs.whole_run import PATIENCE

pytestmark = ON_TWO_NODES
NAMES = ["records.parquet", "sets.parquet", "answers/answers.parquet", "rows.parquet"]


def on_cluster(nodes: TwoNodes, root: Path, *words: str) -> str:
    """Call a verb of the kit on the head, with the cache and the results of a run."""
    places = {
        "PEBENCH_CACHE": root / "cache",
        "PEBENCH_RESULTS": root / "results",
        "XDG_CONFIG_HOME": root / "config",
    }
    done = subprocess.run(
        nodes.kit(*words, "--executor", "ray", "--address", nodes.address),
        env={**nodes.variables(), **{name: str(place) for name, place in places.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def made(root: Path, pattern: str) -> dict[str, bytes]:
    """Return the files of a run's cache that match a pattern."""
    folder = root / "cache" / "artifacts"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob(pattern)}


def test_a_cluster_of_two_nodes_gives_the_bytes_of_one_machine(nodes, tmp_path):
    for name in ("local", "ray"):
        (tmp_path / name).mkdir()
    local, ray = new_run(tmp_path / "local"), new_run(tmp_path / "ray")
    code, output = local.call()
    assert code == 0, output
    planned = on_cluster(nodes, ray.root, "plan", str(ray.manifest))
    assert "finetune: 2 interpreters, one adapter each" in planned
    said = on_cluster(nodes, ray.root, "all", str(ray.manifest))
    assert "ray: room for 4 pieces of work at a time" in said
    for name in NAMES:
        assert (ray.result / name).read_bytes() == (local.result / name).read_bytes(), name
    weights = made(local.root, "*/*.safetensors")
    assert len(weights) >= 4
    assert made(ray.root, "*/*.safetensors") == weights
    assert sorted(made(ray.root, "*/job.json")) == sorted(made(local.root, "*/job.json"))
    assert not list((ray.cache / "scratch/ray").glob("*"))
    assert str(PROJECT) not in said
