"""What a machine cannot hold or does not allow: said before it costs bytes, and nothing is lost."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kit.attempts import working
from kit.errors import BusyError, ChecksumError, StorageError
from kit.fetch.sources import bring_listed
from tests.fetching import FILES, QUICK, content, digests, pattern, source
from tests.hub_server import Fault
from tests.toy_dataset import manifest

pytest_plugins = ["tests.hub_fixtures"]

REPOSITORY = Path(__file__).parents[1]
LARGEST = "data/train.shard"
READ_ONLY = OSError(errno.EROFS, os.strerror(errno.EROFS))


@pytest.fixture
def fetch(hub, folder, tmp_path):
    """Bring files that the hub has."""

    def call(files=FILES):
        hub.add("owner/toy", files)
        return bring_listed(source(tmp_path), folder, digests(files), QUICK)

    return call


def test_a_read_only_cache_is_named_before_any_file_is_asked_for(fetch, hub, folder, monkeypatch):
    def refuse(*args, **kwargs):
        raise READ_ONLY

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(StorageError, match="cannot be written") as caught:
        fetch()
    assert caught.value.exit_code == 7
    assert "PEBENCH_CACHE" in str(caught.value)
    assert hub.gets("/resolve/") == []


def test_a_disk_without_room_asks_for_no_file(fetch, hub, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=sum(map(len, FILES.values())))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(StorageError, match="too little room"):
        fetch()
    assert [path for _, path, _ in hub.requests if "/resolve/" in path] == []


def test_a_disk_that_becomes_read_only_keeps_what_arrived(fetch, hub, folder, monkeypatch):
    """As a damaged one does: every byte is there, and only the final name is missing."""
    replace = os.replace

    def refuse(old, new, **kwargs):
        if Path(new).is_relative_to(folder):
            raise READ_ONLY
        replace(old, new, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(StorageError, match="cannot be written"):
            fetch({LARGEST: FILES[LARGEST]})
    assert content(folder) == {}
    hub.heal()
    fetch({LARGEST: FILES[LARGEST]})
    assert content(folder) == {LARGEST: FILES[LARGEST]}
    assert hub.sent == 0


def test_a_folder_may_be_called_like_the_part_of_a_file(fetch, folder):
    files = {"a": pattern(5_000), "a.part/b": pattern(6_000, 1), "c/a": pattern(7_000, 2)}
    fetch(files)
    assert content(folder) == files


@pytest.mark.parametrize("letter", ["x", "ü", "漢"])
def test_names_as_long_as_a_file_system_allows_are_brought(fetch, folder, letter):
    files = {letter * (255 // len(letter.encode())): pattern(5_000)}
    fetch(files)
    assert content(folder) == files


@pytest.mark.parametrize("letter", ["x", "ü", "漢"])
def test_a_long_name_is_no_obstacle_to_the_quarantine(fetch, hub, folder, letter, tmp_path):
    name = letter * (255 // len(letter.encode()))
    hub.spoil(name, Fault(flip=True))
    with pytest.raises(ChecksumError):
        fetch({name: pattern(5_000)})
    assert content(folder) == {}
    assert len(list((tmp_path / "cache" / "quarantine").iterdir())) == 1


def test_a_second_process_is_told_which_one_is_at_work(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PEBENCH_RESULTS", str(tmp_path / "results"))
    code = (
        "from kit.attempts import working\n"
        "from tests.toy_dataset import manifest\n"
        "with working(manifest(), 'fetch'):\n"
        "    print('at work', flush=True)\n"
        "    input()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code], cwd=REPOSITORY, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    with other:
        assert other.stdout.readline() == "at work\n"
        with pytest.raises(BusyError) as caught, working(manifest(), "fetch"):
            pass
        assert f"process {other.pid}" in str(caught.value)
        other.kill()
    with working(manifest(), "fetch"):
        pass  # a killed process holds nothing
