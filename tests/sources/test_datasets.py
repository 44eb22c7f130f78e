"""Data and weights are used only if every byte is the listed one."""

import os
import shutil
from pathlib import Path

import pytest

from kit.digests import format_checksums, sha256_file
from kit.errors import ChecksumError, DataError, MissingStageError, ModelError, StorageError
from kit.sources import datasets
from kit.sources.places import place
from tests.toys.dataset import manifest

FILES = {"PEBench.csv": b"file,name\n", "images/Ada Sato/00.png": b"a picture", "world.csv": b"x"}


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def changed(section, **values):
    return section.model_copy(update=values)


def data_folder(manifest) -> Path:
    return place(manifest.sources[0]).path


def fetch(manifest) -> tuple[int, list[str]]:
    """Return how many sources were fetched, and the lines said."""
    said = []
    return datasets.fetch(manifest, said.append), said


def listing(folder: Path, target: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    digests = {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}
    target.write_text(format_checksums(digests), encoding="utf-8")


@pytest.fixture
def drawn(monkeypatch):
    """The files that the drawing program draws; a test may change them."""
    files = dict(FILES)
    monkeypatch.setattr("kit.smoke.world.write_world", lambda folder, form: write(folder, files))
    return files


@pytest.fixture
def embedded(tmp_path, monkeypatch, drawn):
    """A manifest with a dataset of three files and a base model of two."""
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    write(tmp_path / "source", FILES)
    listing(tmp_path / "source", tmp_path / "data.sha256")
    write(tmp_path / "base", {"config.json": b"{}", "model.safetensors": b"weights"})
    listing(tmp_path / "base", tmp_path / "base.sha256")
    made = manifest()
    data = changed(made.sources[0], checksums=str(tmp_path / "data.sha256"))
    base = changed(made.model.source, folder=str(tmp_path / "base"),
                   checksums=str(tmp_path / "base.sha256"))  # fmt: skip
    return changed(made, sources=(data,), model=changed(made.model, source=base))


@pytest.fixture
def external(embedded, tmp_path):
    """The same with a dataset in a folder of the user."""
    own = changed(embedded.sources[0], embedded=None, folder=str(tmp_path / "source"))
    return changed(embedded, sources=(own,))


def content(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_embedded_dataset_is_drawn_once(embedded):
    assert fetch(embedded)[0] == 1
    assert content(data_folder(embedded)) == FILES
    assert fetch(embedded)[0] == 0


@pytest.mark.parametrize("damage", ["flipped", "truncated", "removed"])
def test_a_damaged_file_is_restored(embedded, damage):
    fetch(embedded)
    image = data_folder(embedded) / "images/Ada Sato/00.png"
    if damage == "removed":
        image.unlink()
    else:
        image.write_bytes(b"b picture" if damage == "flipped" else b"a pic")
    assert fetch(embedded)[0] == 1
    assert content(data_folder(embedded)) == FILES


def test_what_a_killed_drawing_left_is_not_used(embedded):
    folder = data_folder(embedded)
    write(folder.with_name(folder.name + ".partial"), {"PEBench.csv": b"half", "stray": b""})
    fetch(embedded)
    assert content(folder) == FILES


@pytest.mark.parametrize("change", ["another byte", "a missing file"])
def test_a_drawing_that_is_not_the_listed_one_is_refused_and_leaves_nothing(
    embedded, drawn, change
):
    if change == "another byte":
        drawn["world.csv"] = b"y"
    else:
        del drawn["world.csv"]
    with pytest.raises((ChecksumError, DataError), match=r"world\.csv") as caught:
        fetch(embedded)
    assert "locked environment" in str(caught.value)
    assert list(data_folder(embedded).parent.glob("data-*")) == []


def test_a_disk_without_room_is_refused_before_the_drawing(embedded, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(StorageError, match="not enough space"):
        fetch(embedded)


def test_a_dataset_of_the_user_is_verified_and_never_changed(external, tmp_path):
    assert fetch(external)[0] == 0
    (tmp_path / "source" / "world.csv").write_bytes(b"y")
    with pytest.raises(ChecksumError, match=r"world\.csv"):
        fetch(external)
    assert (tmp_path / "source" / "world.csv").read_bytes() == b"y"
    os.unlink(tmp_path / "source" / "world.csv")
    with pytest.raises(DataError, match=r"world\.csv is missing") as caught:
        fetch(external)
    assert f"put back the files of {tmp_path / 'source'}" in str(caught.value)
    assert "`./run.sh lock MANIFEST`" in str(caught.value)


def test_a_stage_that_is_called_before_fetch_says_so(embedded):
    with pytest.raises(MissingStageError, match="data is missing") as caught:
        datasets.verify_sources(embedded)
    assert "./run.sh fetch" in str(caught.value)


def test_a_stage_never_works_on_other_bytes(embedded):
    fetch(embedded)
    datasets.verify_sources(embedded)
    (data_folder(embedded) / "world.csv").write_bytes(b"y")
    with pytest.raises(ChecksumError, match=r"world\.csv") as caught:
        datasets.verify_sources(embedded)
    assert "./run.sh fetch" in str(caught.value)


@pytest.mark.parametrize("use", [fetch, datasets.verify_sources])
def test_damaged_and_missing_weights_are_different_errors(embedded, tmp_path, use):
    weights = tmp_path / "base" / "model.safetensors"
    weights.write_bytes(b"weightz")
    with pytest.raises(ChecksumError, match=r"model\.safetensors") as caught:
        use(embedded)
    assert caught.value.exit_code == 4
    weights.unlink()
    with pytest.raises(ModelError, match=r"model\.safetensors is missing") as missing:
        use(embedded)
    assert missing.value.exit_code == 6
    shutil.rmtree(tmp_path / "base")
    with pytest.raises(ModelError, match="no base model"):
        use(embedded)


def test_a_list_without_weights_proves_nothing_and_is_refused(embedded, tmp_path):
    (tmp_path / "base" / "model.safetensors").unlink()
    listing(tmp_path / "base", tmp_path / "base.sha256")
    (tmp_path / "base" / "pytorch_model.bin").write_bytes(b"weights")
    listing(tmp_path / "base", tmp_path / "base.sha256")
    with pytest.raises(ModelError, match="lists no weights") as caught:
        fetch(embedded)
    assert "pytorch_model.bin" in caught.value.found
    assert "save_pretrained" in caught.value.remedy


def test_a_list_that_was_edited_is_refused(embedded, tmp_path):
    path = tmp_path / "data.sha256"
    path.write_text("z" + path.read_text()[1:], encoding="utf-8")
    with pytest.raises(ChecksumError, match="not a checksum line"):
        fetch(embedded)
