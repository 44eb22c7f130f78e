"""Files appear whole or not at all; one process at a time; a full disk says so."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.artifacts import (
    PROJECT,
    Artifact,
    cache_root,
    exclusive,
    project_path,
    require_space,
    results_root,
    storage_error,
    write_bytes,
    write_json,
)
from kit.cli.options import require_creatable
from kit.errors import BusyError, MissingStageError, StorageError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def artifact():
    return Artifact("unlearn", "person-npo-s1", "0123456789abcdef" * 4)


@pytest.mark.parametrize("place", ["new", "none/yet/new", "file/new", "file/none/new", "link/new"])
def test_what_cannot_be_made_is_known_before_the_work(tmp_path, place):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    before = sorted(tmp_path.rglob("*"))
    if place.startswith(("file", "link")):
        with pytest.raises(StorageError, match=f"{place} cannot be written") as caught:
            require_creatable(tmp_path / place)
        assert f"found: {tmp_path / place.partition('/')[0]}: " in caught.value.message
        assert "expected: a path in a folder that you can write" in caught.value.message
    else:
        require_creatable(tmp_path / place)
    assert sorted(tmp_path.rglob("*")) == before, "nothing is left of the trial"


def test_a_write_that_fails_keeps_the_old_file_and_leaves_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "rows.json"
    write_bytes(path, b"old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_bytes(path, b"new and longer")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["rows.json"]


def test_a_reader_of_the_old_file_keeps_the_old_bytes(tmp_path):
    path = tmp_path / "file"
    write_bytes(path, b"old")
    with path.open("rb") as reader:
        write_bytes(path, b"new")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"


def test_a_value_that_json_cannot_hold_leaves_the_old_file(tmp_path):
    path = tmp_path / "deep" / "file.json"
    write_json(path, {"b": 1, "a": "ä"})
    assert path.read_text(encoding="utf-8") == '{\n "a": "ä",\n "b": 1\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"loss": float("nan")})
    assert json.loads(path.read_text(encoding="utf-8")) == {"b": 1, "a": "ä"}


HOLD = """
import sys
from kit.artifacts import exclusive
with exclusive("run"):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder():
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    return process


def take(name):
    with exclusive(name):
        pass


def test_a_second_process_is_told_who_holds_the_lock():
    with holder() as process:
        with pytest.raises(BusyError) as caught:
            take("run")
        assert caught.value.found == f"process {process.pid}"
        assert caught.value.exit_code == 8
        take("another")
        process.stdin.close()
    take("run")


def test_a_lock_is_free_once_its_holder_was_killed():
    with holder() as process:
        process.kill()
    take("run")


def test_a_lock_is_free_after_an_error_within_it():
    with pytest.raises(KeyError), exclusive("run"):
        raise KeyError
    take("run")


def test_an_artifact_is_done_only_once_it_is_published(artifact):
    assert not artifact.done
    artifact.partial.mkdir(parents=True)
    (artifact.partial / "weights").write_bytes(b"1")
    assert not artifact.done
    with pytest.raises(MissingStageError, match="person-npo-s1 does not exist yet") as caught:
        artifact.job()
    assert "unlearn" in caught.value.remedy
    artifact.publish({"steps": 3})
    assert artifact.done
    assert not artifact.partial.exists()
    assert (artifact.path / "weights").read_bytes() == b"1"
    assert artifact.job() == {"steps": 3, "digest": artifact.digest, "name": "person-npo-s1"}


def test_publishing_again_replaces_the_folder_as_a_whole(artifact):
    for content in ("old", "new"):
        artifact.partial.mkdir(parents=True)
        (artifact.partial / content).touch()
        artifact.publish({})
    assert sorted(path.name for path in artifact.path.iterdir()) == ["job.json", "new"]


def test_another_digest_is_another_folder(artifact, cache):
    other = Artifact(artifact.stage, artifact.name, "f" * 64)
    assert other.path != artifact.path
    assert other.partial != artifact.partial
    assert cache in artifact.path.parents


def test_the_places_follow_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("PEBENCH_RESULTS", str(tmp_path))
    assert results_root() == tmp_path
    monkeypatch.delenv("PEBENCH_RESULTS")
    monkeypatch.setenv("PEBENCH_CACHE", "")
    assert results_root() == PROJECT / "results"
    assert cache_root() == PROJECT / ".cache"
    assert project_path("checksums/x") == PROJECT / "checksums" / "x"
    assert project_path(str(tmp_path)) == tmp_path


def test_a_tilde_that_a_shell_has_left_is_the_home_folder_and_no_folder_of_that_name(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("PEBENCH_CACHE", "~/cache")
    monkeypatch.setenv("PEBENCH_RESULTS", "~")
    assert cache_root() == Path("/home/ada/cache")
    assert results_root() == Path("/home/ada")
    monkeypatch.setenv("PEBENCH_CACHE", "~old/cache")
    assert cache_root() == Path("~old/cache"), "a folder whose name begins so stays one"


@pytest.mark.parametrize(
    ("number", "said", "remedy"),
    [
        (errno.ENOSPC, "the disk is full", "free some space"),
        (errno.EDQUOT, "the disk is full", "free some space"),
        (errno.EACCES, "cannot be written", "make it writable"),
        (errno.EROFS, "cannot be written", "make it writable"),
    ],
)
def test_a_failed_write_is_explained(monkeypatch, number, said, remedy):
    monkeypatch.setenv("PEBENCH_CACHE", "/data")
    error = storage_error(OSError(number, os.strerror(number), "/data/rows.parquet"))
    assert error.what == f"/data/rows.parquet: {said}"
    assert error.found == os.strerror(number)
    assert error.remedy.startswith(remedy)
    assert error.exit_code == 7


@pytest.mark.parametrize(
    ("path", "named"),
    [("/data", True), ("/data/x", True), ("/made/x", True), ("/database/x", False), (None, True)],
)
def test_the_remedy_names_the_variables_only_where_they_would_help(monkeypatch, path, named):
    monkeypatch.setenv("PEBENCH_CACHE", "/data")
    monkeypatch.setenv("PEBENCH_RESULTS", "/made")
    error = storage_error(OSError(errno.ENOENT, "No such file or directory", path))
    assert ("PEBENCH_CACHE" in error.remedy) is named
    assert error.what.startswith(path or "/data or /made")


def test_too_little_room_is_found_before_the_first_byte(tmp_path):
    require_space(tmp_path, 1)
    with pytest.raises(StorageError, match="not enough space") as caught:
        require_space(tmp_path, 10**18)
    assert "PEBENCH_CACHE" in caught.value.remedy
    assert list(tmp_path.glob(".probe*")) == []


def test_a_place_that_cannot_be_written_is_found_before_the_first_byte(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        require_space(tmp_path / "file" / "below", 1)
