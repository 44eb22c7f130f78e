"""`lock` lists what the benchmark reads of a folder, and never replaces a signed result's list."""

import json
import os
import shutil
import tomllib

import pytest

from kit.digests import read_checksums, sha256_file
from kit.errors import ChecksumError, DataError, ManifestError
from kit.experiment.manifest import SourceSection
from kit.fetch.settings import Settings
from kit.sources.locking import check, lock
from kit.sources.own_folders import _files as listed_files
from tests.toys.dataset import PEOPLE, manifest, rewritten, write_dataset

QUICK = Settings(offline=True)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PEBENCH_RESULTS", str(tmp_path / "results"))
    return write_dataset(tmp_path / "data")


@pytest.fixture
def own(root, tmp_path):
    """Return an experiment whose one source is the folder."""

    def made(**changes):
        values = {"name": "pebench", "folder": str(root), "checksums": str(tmp_path / "own.sha256")}
        source = SourceSection.model_validate(values | changes)
        return manifest().model_copy(update={"sources": (source,)})

    return made


def locked(experiment):
    said = []
    lock(experiment, QUICK, said.append)
    return said


def names(root):
    return {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}


def test_the_list_has_exactly_what_the_benchmark_reads(root, own, tmp_path):
    read = names(root)
    (root / "images" / PEOPLE[0] / "portrait.png").write_bytes(b"an image")
    (root / "notes.txt").write_text("of no use", encoding="utf-8")
    (root / "images" / PEOPLE[0] / "._0.png").write_bytes(b"of macOS")
    said = locked(own())
    assert set(read_checksums(tmp_path / "own.sha256")) == read
    assert f"{len(read)} files listed" in said[0]
    assert "2 files are NOT listed" in said[1]
    assert "notes.txt" in said[1]
    assert "._0.png" not in said[1], "what a system wrote is no news"
    assert "is the list of these" in locked(own())[0]


def test_links_that_go_round_and_pipes_are_not_listed(root, tmp_path):
    """A base or a folder of tables is walked: a pipe would be read without end."""
    (root / "around").symlink_to(root)
    os.mkfifo(root / "pipe")
    (root / "gone").symlink_to(tmp_path / "nothing")
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "file").write_bytes(b"linked")
    (root / "beside").symlink_to(tmp_path / "beside")
    source = SourceSection.model_validate(
        {"name": "base", "folder": str(root), "checksums": str(tmp_path / "own.sha256")}
    )
    found = set(listed_files(root, source))
    assert "beside/file" in found
    assert not {"pipe", "gone"} & found
    assert not any(name.startswith("around") for name in found)


def test_without_a_real_and_a_world_set_there_are_fewer_files(root, own, tmp_path):
    (root / "real.csv").unlink()
    shutil.rmtree(root / "pope")
    locked(own())
    listed = set(read_checksums(tmp_path / "own.sha256"))
    assert listed == {name for name in names(root) if not name.startswith("real/")}


def test_a_source_of_pope_alone_lists_its_questions_and_images(root, own, tmp_path):
    (root / "pope" / "val2014" / "unasked.jpg").write_bytes(b"an image")
    locked(own(name="pope", folder=str(root / "pope")))
    assert set(read_checksums(tmp_path / "own.sha256")) == names(root / "pope") - {
        "val2014/unasked.jpg"
    }


def test_a_table_that_cannot_be_read_is_not_listed(root, own, tmp_path):
    rewritten(root, lambda data: data.replace(b"file,name", b"picture,who"))
    with pytest.raises(DataError, match="has no column 'file'"):
        locked(own())
    assert not (tmp_path / "own.sha256").exists()


def test_what_changed_is_said_and_checked(root, own, tmp_path):
    locked(own())
    image = root / "images" / PEOPLE[0] / "0.png"
    image.write_bytes(b"another image")
    rewritten(root, lambda data: data.replace(b"doing event 3", b"resting at event 3"))
    with pytest.raises(ChecksumError) as caught:
        check(own(), print)
    assert caught.value.found.splitlines()[0] == "changed: PEBench.csv"
    said = locked(own())
    assert [line.strip() for line in said[0].splitlines()] == [
        "lock: pebench: changed: PEBench.csv",
        f"changed: images/{PEOPLE[0]}/0.png",
    ]
    check(own(), said.append)
    assert "files agree" in said[-1]
    listed = (tmp_path / "own.sha256").read_text(encoding="utf-8")
    assert sha256_file(image) in listed


@pytest.mark.parametrize("signed", [True, False])
def test_the_list_of_a_signed_result_stays_and_the_remedy_writes_another(
    root, own, tmp_path, signed
):
    locked(own())
    path = tmp_path / "own.sha256"
    before = path.read_bytes()
    result = tmp_path / "results" / "mine-01234567"
    result.mkdir(parents=True)
    for number, damaged in enumerate(['{"sources": 5}', '{"sources": [5]}', "[" * 100_000, "7"]):
        other = tmp_path / "results" / f"damaged-{number}"
        other.mkdir()
        (other / "run.json").write_text(damaged, encoding="utf-8")
    run = {"sources": [{"name": "pebench", "list_digest": sha256_file(path)}]}
    (result / "run.json").write_text(json.dumps(run), encoding="utf-8")
    if signed:
        (result / "SHA256SUMS.sig").write_bytes(b"a signature")
    assert "is the list of these" in locked(own())[0], "an equal list is no change"
    rewritten(root, lambda data: data.replace(b"doing event 3", b"resting at event 3"))
    if not signed:
        locked(own())
        assert path.read_bytes() != before
        return
    with pytest.raises(ChecksumError, match="the list of a signed result") as caught:
        locked(own())
    assert path.read_bytes() == before
    assert "changed: PEBench.csv" in caught.value.found
    other = tomllib.loads(caught.value.remedy.split("`")[1])
    assert other["checksums"].endswith("own-2.sha256")
    assert "files listed" in locked(own(**other))[0]


def test_a_file_that_is_no_list_is_never_overwritten(root, own, tmp_path):
    page, empty, missing = tmp_path / "README.md", tmp_path / "empty", tmp_path / "mine.txt"
    page.write_text("# Mine\n", encoding="utf-8")
    empty.touch()
    for path, found in ((page, "other contents"), (empty, "an empty file"), (root, "a folder")):
        with pytest.raises(ManifestError, match="is no checksum list") as caught:
            locked(own(checksums=str(path)))
        assert found in caught.value.found
    assert page.read_text(encoding="utf-8") == "# Mine\n"
    for _ in range(2):
        locked(own(checksums=str(missing)))
        rewritten(root, lambda data: data.replace(b"doing event 3", b"resting at event 3"))
    assert read_checksums(missing)["PEBench.csv"] == sha256_file(root / "PEBench.csv")


def test_a_folder_that_is_not_there_is_named(root, own):
    shutil.rmtree(root)
    with pytest.raises(DataError, match="does not exist"):
        locked(own())


def test_what_the_kit_draws_or_has_is_never_locked():
    with pytest.raises(ManifestError, match="no source to lock"):
        locked(manifest())
