"""The experiment, shrunk, by this machine's processes and by Ray clusters: the same bytes.

One cluster shares a cache folder. The nodes and the driver of the other one share nothing but an
object store. It needs what `test_ray.py` needs, and three times the minutes of
`tests/runs/test_smoke_run.py`.
"""

import subprocess
from pathlib import Path

import pytest

from kit.artifacts import PROJECT
from tests.cluster.ray_nodes import ON_TWO_NODES, TwoNodes
from tests.cluster.s3_server import KEY, SECRET, TOKEN
from tests.cluster.store_nodes import STORE, StoreNodes
from tests.runs.test_smoke_run import new_run
from tests.runs.whole_run import PATIENCE, Run

pytestmark = ON_TWO_NODES
NAMES = ["records.parquet", "sets.parquet", "answers/answers.parquet", "rows.parquet"]


def on_cluster(nodes: TwoNodes, root: Path, *words: str) -> str:
    """Call a verb of the kit on the head, with the cache and the results of a run."""
    places = {
        "PEBENCH_CACHE": root / "cache",
        "PEBENCH_RESULTS": root / "results",
        "XDG_CONFIG_HOME": root / "config",
    }
    store = ["--store", STORE] if isinstance(nodes, StoreNodes) else []
    done = subprocess.run(
        nodes.kit(*words, "--executor", "ray", "--address", nodes.address, *store),
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


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run of one machine."""
    run = new_run(tmp_path_factory.mktemp("local"))
    code, output = run.call()
    assert code == 0, output
    return run


def require_same_bytes(nodes: TwoNodes, ray: Run, local: Run) -> str:
    """Run the experiment on a cluster and compare; return what was said."""
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
    return planned + said


def test_a_cluster_of_two_nodes_gives_the_bytes_of_one_machine(nodes, local, tmp_path):
    require_same_bytes(nodes, new_run(tmp_path), local)


def test_nodes_that_share_only_an_object_store_give_the_bytes_of_one_machine(local, tmp_path):
    (tmp_path / "nodes").mkdir()
    with StoreNodes(tmp_path / "nodes") as apart:
        said = require_same_bytes(apart, new_run(tmp_path), local)
        for cache in apart.caches:
            assert list((cache / "artifacts").glob("*/adapter_model.safetensors"))
            assert list((cache / "data" / "listed").glob("*")), "the data came through the store"
            assert not list((cache / "scratch" / "ray").glob("*"))
    assert said.count(f"store: {STORE} can be read and written") == 2
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for key in (KEY, SECRET, TOKEN):
        assert key not in said
        assert not any(key.encode() in each for each in written)
