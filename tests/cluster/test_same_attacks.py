"""Attacks, a judge and tuning on nodes that share only an object store: the bytes of one machine.

It needs what `test_ray.py` needs, and a package index for moto's environment.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.artifacts import PROJECT
from tests.cluster.attacked_run import ATTACKS, attacked_run
from tests.cluster.ray_nodes import ON_TWO_NODES
from tests.cluster.store_nodes import StoreNodes
from tests.cluster.test_same_bytes import NAMES, made, on_cluster

pytestmark = ON_TWO_NODES
FILES = [*NAMES, "answers/attacked.parquet", "answers/judged.parquet"]


@pytest.fixture
def tuned() -> Iterator[Path]:
    """The file of the choice, which has to be one of the project."""
    path = PROJECT / "results" / f"tuned-{os.getpid()}.json"
    yield path
    path.unlink(missing_ok=True)


def test_attacks_judge_and_tuning_on_nodes_give_the_bytes_of_one_machine(tuned, tmp_path):
    folders = [tmp_path / name for name in ("local", "ray", "nodes")]
    for folder in folders:
        folder.mkdir()
    local, ray = (attacked_run(folder, str(tuned.relative_to(PROJECT))) for folder in folders[:2])
    for verb in ("all", "tune"):
        code, output = local.call(verb)
        assert code == 0, output
    choice = tuned.read_bytes()
    tuned.unlink()
    with StoreNodes(folders[2]) as apart:
        planned = on_cluster(apart, ray.root, "plan", str(ray.manifest))
        assert "attack: 3 adapters that relearn, one interpreter each" in planned
        assert "attack: pictures of 3 systems in 3 shares" in planned
        on_cluster(apart, ray.root, "all", str(ray.manifest))
        on_cluster(apart, ray.root, "tune", str(ray.manifest))
        for cache in (ray.cache, *apart.caches):
            assert not list((cache / "scratch" / "ray").glob("*"))
            assert not list((cache / "artifacts").glob(".*"))
        assert "all 21 attacks on systems are done" in on_cluster(
            apart, ray.root, "attack", str(ray.manifest)
        )
    assert tuned.read_bytes() == choice
    results = [next(run.results.glob("shrunk-[0-9a-f]*")) for run in (local, ray)]
    for name in FILES:
        assert (results[1] / name).read_bytes() == (results[0] / name).read_bytes(), name
    for pattern, least in (("*/*.safetensors", 4 + 3 + 2), ("*pictures-*/*/*.png", 3 * 4)):
        found = made(local.root, pattern)
        assert len(found) >= least, pattern
        assert made(ray.root, pattern) == found, pattern
    assert len(made(ray.root, "attack-*/attacked.parquet")) == 3 * len(ATTACKS)
    assert sorted(made(ray.root, "*/job.json")) == sorted(made(local.root, "*/job.json"))
    code, output = ray.call("report", str(results[1]), "--to", str(tmp_path / "pages"))
    assert code == 0, output
