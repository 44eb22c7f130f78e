"""Attempts never write where another does; what they finish is published once, by digest."""

import os
import shutil
from pathlib import Path

import pytest

from kit.artifacts import Artifact, write_bytes
from kit.cluster.private_cache import PrivateCache
from kit.cluster.shared_folder import tidy

JOB = Artifact("finetune", "vanilla", "ab" * 32)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("data")
    return tmp_path


def opened(shared: Path, token: str) -> PrivateCache:
    cache = PrivateCache(shared, token)
    cache.open()
    return cache


def make(cache: PrivateCache, monkeypatch: pytest.MonkeyPatch, weights: bytes) -> None:
    """Make the job as an interpreter does whose cache this is."""
    with monkeypatch.context() as patched:
        patched.setenv("PEBENCH_CACHE", str(cache.folder))
        write_bytes(JOB.partial / "weights", weights)
        JOB.publish({"seed": 0})


def published(shared: Path) -> bytes:
    return (shared / "artifacts" / JOB.path.name / "weights").read_bytes()


def test_an_interpreter_sees_data_and_finished_artifacts(shared, monkeypatch):
    first = opened(shared, "first")
    make(first, monkeypatch, b"one")
    first.publish()
    second = opened(shared, "second")
    assert (second.folder / "data" / "file").read_text() == "data"
    assert (second.folder / "artifacts" / JOB.path.name / "weights").read_bytes() == b"one"


def test_the_first_of_two_attempts_to_publish_wins_and_the_other_does_no_harm(shared, monkeypatch):
    late, early = opened(shared, "late"), opened(shared, "early")
    make(late, monkeypatch, b"late")
    make(early, monkeypatch, b"early")
    early.publish()
    late.publish()
    late.publish()
    assert published(shared) == b"early"
    assert [path.name for path in (shared / "artifacts").iterdir()] == [JOB.path.name]
    late.close()
    early.close()
    assert published(shared) == b"early"


def test_half_an_artifact_is_never_published(shared, monkeypatch):
    cache = opened(shared, "one")
    with monkeypatch.context() as patched:
        patched.setenv("PEBENCH_CACHE", str(cache.folder))
        write_bytes(JOB.partial / "weights", b"half")
    cache.publish()
    cache.publish_files()
    assert list((shared / "artifacts").iterdir()) == []


def test_a_later_attempt_begins_at_the_newest_checkpoint_of_an_earlier_one(shared, monkeypatch):
    for age, token in enumerate(("newest", "older")):
        cache = opened(shared, token)
        name = f"{JOB.path.name}.partial"
        write_bytes(cache.folder / "artifacts" / name / "checkpoint", token.encode())
        os.utime(cache.folder / "artifacts" / name / "checkpoint", (1000 - age, 1000 - age))
    third = opened(shared, "third")
    third.adopt([JOB.digest, "cd" * 32])
    monkeypatch.setenv("PEBENCH_CACHE", str(third.folder))
    assert (JOB.partial / "checkpoint").read_bytes() == b"newest"
    assert (shared / "scratch/ray/newest/artifacts" / name / "checkpoint").exists()


def test_single_files_are_shared_once_and_never_replaced(shared):
    one, two = opened(shared, "one"), opened(shared, "two")
    for cache in (one, two):
        (cache.folder / "artifacts" / "checked-base.json").write_text(cache.folder.name)
        cache.publish_files()
    assert (shared / "artifacts" / "checked-base.json").read_text() == "one"
    three = opened(shared, "three")
    (three.folder / "artifacts" / "checked-base.json").write_text("changed")
    three.publish_files()
    assert (shared / "artifacts" / "checked-base.json").read_text() == "one"


def test_without_links_between_files_artifacts_are_copied(shared, monkeypatch):
    def refused(*_: object) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(os, "link", refused)
    cache = opened(shared, "one")
    make(cache, monkeypatch, b"one")
    cache.publish()
    assert published(shared) == b"one"


def test_what_interpreters_left_that_were_killed_is_removed_and_nothing_else(shared, monkeypatch):
    killed, ended = opened(shared, "killed"), opened(shared, "ended")
    make(ended, monkeypatch, b"one")
    ended.publish()
    ended.close()
    make(killed, monkeypatch, b"one")
    os.rename(killed.folder / "artifacts" / JOB.path.name, shared / "artifacts/.half.killed")
    (shared / "artifacts/.file.json.killed").touch()
    tidy(shared)
    assert [path.name for path in (shared / "artifacts").iterdir()] == [JOB.path.name]
    assert published(shared) == b"one"
    assert list((shared / "scratch").iterdir()) == []


def test_a_folder_that_is_full_in_the_middle_gives_no_half_of_a_file(shared, monkeypatch):
    (shared / "artifacts" / "checked-base.json").write_text("whole")
    copy = shutil.copyfile

    def half(source, target):
        Path(target).write_text("wh")
        raise OSError(28, "No space left on device")

    cache = PrivateCache(shared, "one")
    monkeypatch.setattr(shutil, "copyfile", half)
    with pytest.raises(OSError, match="No space"):
        cache.open()
    monkeypatch.setattr(shutil, "copyfile", copy)
    cache.open()
    assert (cache.folder / "artifacts" / "checked-base.json").read_text() == "whole"
