"""A Ray cluster of two nodes, for all tests of this folder that need one."""

import os
import shutil
from collections.abc import Iterator

import pytest

from kit.cluster.private_cache import FOLDER
from tests.cluster.ray_nodes import TwoNodes, environment
from tests.cluster.s3_server import Door, moto
from tests.cluster.small_disk import SmallDisk


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3 server; this process can import obstore from Ray's environment."""
    os.environ["PEBENCH_RAY"] = str(environment())
    with moto(tmp_path_factory.mktemp("moto") / "log") as address:
        yield address


@pytest.fixture
def door(server: str) -> Iterator[Door]:
    """The way to it, which passes everything on until a test adds faults."""
    with Door(server) as between:
        yield between


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SmallDisk, SmallDisk]]:
    """A shared cache on a small disk, and its folder of artifacts on another one."""
    folder = tmp_path_factory.mktemp("small")
    with SmallDisk(folder) as whole, SmallDisk(folder / "artifacts") as artifacts:
        yield whole, artifacts


@pytest.fixture(scope="session")
def nodes(
    tmp_path_factory: pytest.TempPathFactory, small: tuple[SmallDisk, SmallDisk]
) -> Iterator[TwoNodes]:
    """Two nodes, which see the small disks, too."""
    environment()
    with TwoNodes(tmp_path_factory.mktemp("cache"), cpus=2) as both:
        yield both


@pytest.fixture
def empty(nodes: TwoNodes) -> TwoNodes:
    """The two nodes, with a shared cache that holds nothing."""
    for name in ("artifacts", FOLDER):
        shutil.rmtree(nodes.cache / name, ignore_errors=True)
    (nodes.cache / "artifacts").mkdir()
    return nodes


@pytest.fixture
def disks(nodes: TwoNodes, small: tuple[SmallDisk, SmallDisk]) -> tuple[SmallDisk, SmallDisk]:
    """The small disks, empty."""
    for disk in small:
        disk.accept()
        for path in disk.folder.iterdir():
            if path.is_file():
                path.unlink()
            elif path.name != "artifacts":
                shutil.rmtree(path)
    return small
