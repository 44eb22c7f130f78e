"""Only listed bytes are data: whatever else lies in a folder, loaders do not see it."""

import os
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.artifacts import cache_root
from kit.digests import format_checksums, sha256_file
from kit.errors import DataError
from kit.sources import datasets
from kit.sources.listed_files import is_sidecar, link_listed, unlisted_files
from tests.toys.dataset import manifest, write_dataset

STRAYS = (
    "real_world/train-00001-of-00002.parquet",
    "backup/forget10/train-00000-of-00001.parquet",
    "images/Somebody/00.png",
    "general.csv",
    "model.safetensors.index.json",
)
SIDECARS = (
    "real_world/._x.parquet",
    "__MACOSX/real_world/x.parquet",
    ".ipynb_checkpoints/forget10/x.parquet",
    "images/Thumbs.db",
    "Desktop.ini",
    ".DS_Store",
    ".cache/huggingface/download/x.incomplete",
)


def put(folder, *names, data=b"a stray"):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def seen(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def write_list(folder, target):
    names = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    digests = {name: sha256_file(folder / name) for name in names}
    target.write_text(format_checksums(digests), encoding="utf-8")
    return set(names)


@given(
    listed=st.sets(st.sampled_from([*STRAYS, *SIDECARS, "a.csv", "b/c.png"])),
    there=st.sets(st.sampled_from([*STRAYS, *SIDECARS, "a.csv", "b/c.png"])),
)
def test_links_are_the_listed_files_that_exist_without_sidecars(tmp_path_factory, listed, there):
    folder = tmp_path_factory.mktemp("source")
    put(folder, *there)
    put(folder / "links", "left from an earlier list")
    link_listed(folder, listed, folder / "links")
    assert seen(folder / "links") == {name for name in listed & there if not is_sidecar(name)}
    kept = os.stat(folder / "links").st_ino
    link_listed(folder, listed, folder / "links")
    assert os.stat(folder / "links").st_ino == kept, "links that are right are not made again"


def test_what_no_list_names_is_found_and_sidecars_are_no_matter(tmp_path):
    put(tmp_path, "a.csv", *STRAYS, *SIDECARS)
    assert unlisted_files(tmp_path, {"a.csv"}) == sorted(STRAYS)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """An experiment whose data is a folder of the user; the base is a folder, too."""
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    put(tmp_path / "base", "config.json", "model.safetensors", data=b"{}")
    write_list(tmp_path / "base", tmp_path / "base.sha256")
    write_dataset(tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "pope")
    for path in (tmp_path / "data").rglob("*.png"):
        path.unlink()
    write_list(tmp_path / "data", tmp_path / "data.sha256")
    made = manifest()
    data, base = (
        source.model_copy(
            update={
                "embedded": None,
                "folder": str(tmp_path / name),
                "checksums": str(tmp_path / f"{name}.sha256"),
            }
        )
        for source, name in ((made.sources[0], "data"), (made.model.source, "base"))
    )
    model = made.model.model_copy(update={"source": base})
    return made.model_copy(update={"sources": (data,), "model": model})


def fetched(experiment):
    said = []
    datasets.fetch(experiment, said.append)
    return said


def folders(experiment):
    """Return what loaders of data and of the base find."""
    return seen(datasets.places(experiment)["pebench"].path), seen(datasets.base_folder(experiment))


def test_strays_beside_data_and_base_are_named_once_and_seen_by_no_loader(own, tmp_path):
    before = (seen(tmp_path / "data"), seen(tmp_path / "base"))
    put(tmp_path / "data", *STRAYS[:3], *SIDECARS)
    put(tmp_path / "base", "adapter_config.json", "model.safetensors.index.json", "._config.json")
    said = fetched(own)
    assert folders(own) == before
    (line,) = (line for line in said if line.startswith("fetch: pebench: 3 files in"))
    assert "NOT used" in line
    assert all(name in line for name in STRAYS[:3])
    (line,) = (line for line in said if line.startswith("fetch: base: 2 files in"))
    assert "adapter_config.json" in line


def test_a_stray_that_comes_after_the_fetch_is_seen_by_no_stage(own, tmp_path):
    before = (seen(tmp_path / "data"), seen(tmp_path / "base"))
    fetched(own)
    put(tmp_path / "data", *STRAYS[:3])
    put(datasets.places(own)["pebench"].path, "general/train-00000-of-00001.parquet")
    put(datasets.base_folder(own), "adapter_config.json")
    datasets.verify_sources(own)
    assert folders(own) == before


def test_a_linked_folder_beside_the_links_is_not_kept(tmp_path):
    """A walk does not enter it, but a loader that looks for tables in `full/` would."""
    put(tmp_path / "data", "full/a.parquet")
    put(tmp_path / "elsewhere", "b.parquet")
    links = tmp_path / "links"
    link_listed(tmp_path / "data", ["full/a.parquet"], links)
    (links / "more").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    link_listed(tmp_path / "data", ["full/a.parquet"], links)
    assert sorted(path.name for path in links.iterdir()) == ["full"]


def test_folders_with_equal_lists_have_links_of_their_own(own, tmp_path):
    fetched(own)
    (source,) = own.sources
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    other = own.model_copy(
        update={"sources": (source.model_copy(update={"folder": str(tmp_path / "copy")}),)}
    )
    fetched(other)
    shutil.rmtree(tmp_path / "copy")
    table = datasets.places(own)["pebench"].path / "PEBench.csv"
    assert os.readlink(table) == str(tmp_path / "data" / "PEBench.csv")
    assert table.read_bytes()


def test_a_listed_file_that_is_gone_is_refused_and_its_link_does_not_stay(own, tmp_path):
    fetched(own)
    (tmp_path / "data" / "real.csv").unlink()
    with pytest.raises(DataError, match=r"real\.csv is missing"):
        datasets.verify_sources(own)
    assert not (datasets.places(own)["pebench"].path / "real.csv").is_file()


def test_links_lie_in_the_cache_and_the_folder_of_the_user_is_not_written(own, tmp_path):
    before = seen(tmp_path / "data")
    fetched(own)
    assert seen(tmp_path / "data") == before
    assert datasets.places(own)["pebench"].path.is_relative_to(cache_root())
