"""Limits of a machine: reported before any download, and nothing is lost."""

import errno
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kit.errors import BusyError, StorageError
from kit.stages.attempts import hold_result
from tests.hub.fetching import FILES, LARGEST, content
from tests.toys.dataset import manifest

pytest_plugins = ["tests.hub.fixtures"]

REPOSITORY = Path(__file__).parents[2]
READ_ONLY = OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_a_read_only_cache_is_named_before_any_request(fetch, hub, folder, monkeypatch):
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
    with pytest.raises(StorageError, match="not enough space"):
        fetch()
    assert [path for _, path, _ in hub.requests if "/resolve/" in path] == []


def test_a_disk_without_room_is_refused_before_the_first_byte(fetch, hub, folder, monkeypatch):
    total = sum(map(len, FILES.values()))
    usage = shutil.disk_usage("/")._replace(free=int(total * 1.1))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(StorageError, match="not enough space"):
        fetch()
    assert hub.sent == 0
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=int(total * 1.3)))
    fetch()
    assert content(folder) == FILES


def test_a_disk_that_fills_up_is_named_and_what_arrived_is_kept(fetch, hub, folder, monkeypatch):
    written = Path.open
    full = threading.Event()

    class Full:
        """A file on a disk that has room for 100,000 bytes more."""

        def __init__(self, stream):
            self._stream = stream

        def __enter__(self):
            return self

        def __exit__(self, *caught):
            self._stream.close()

        def __getattr__(self, name):
            return getattr(self._stream, name)

        def write(self, data):
            if self._stream.tell() + len(data) > 100_000:
                full.set()
                raise OSError(errno.ENOSPC, "No space left on device")
            return self._stream.write(data)

    def opened(path, mode="r", *args, **kwargs):
        stream = written(path, mode, *args, **kwargs)
        return Full(stream) if path.name.endswith("shard.part") and "a" in mode else stream

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(StorageError, match="the disk is full") as caught:
        fetch()
    assert full.is_set()
    assert LARGEST in str(caught.value)
    assert LARGEST not in content(folder)
    monkeypatch.setattr(Path, "open", written)
    hub.heal()
    fetch()
    assert content(folder) == FILES
    assert hub.sent < len(FILES[LARGEST]) * 0.8 + 6_000


def test_a_cache_that_cannot_be_written_is_named(fetch, hub, folder, monkeypatch, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="cannot be written"):
        fetch()
    assert hub.sent == 0


def test_a_disk_that_becomes_read_only_keeps_what_arrived(fetch, hub, folder, monkeypatch):
    """As a damaged disk does: all bytes are written, and only the final name is missing."""
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


def test_a_second_process_is_told_which_one_is_at_work(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PEBENCH_RESULTS", str(tmp_path / "results"))
    code = (
        "from kit.stages.attempts import hold_result\n"
        "from tests.toys.dataset import manifest\n"
        "with hold_result(manifest(), 'fetch'):\n"
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
        with pytest.raises(BusyError) as caught, hold_result(manifest(), "fetch"):
            pass
        assert f"process {other.pid}" in str(caught.value)
        other.kill()
    with hold_result(manifest(), "fetch"):
        pass  # a killed process holds nothing
