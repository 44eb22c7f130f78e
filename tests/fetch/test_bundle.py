"""Export and import: a machine without network gets all fetched sources, or nothing changes."""

import io
import os
import tarfile
import time
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from kit.cli.verbs import verbs
from kit.digests import format_checksums
from kit.errors import ChecksumError, DataError, KitError, ManifestError, StorageError
from kit.fetch.bundle import export, import_
from kit.fetch.settings import Settings
from kit.sources import bundles, datasets
from kit.sources.places import place
from tests.hub.fetching import FILES, commit_list, content, digests, source, write
from tests.toys.dataset import manifest

LIST = "toy/SHA256SUMS"


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    """A manifest whose data is the toy source, committed and fetched."""
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    commit_list(tmp_path)
    made = manifest().model_copy(update={"sources": (source(tmp_path),)})
    write(place(made.sources[0]).path, FILES)
    return made


@pytest.fixture
def elsewhere(experiment, tmp_path, monkeypatch):
    """The same project on a machine that has fetched nothing; returns its cache."""
    archive = tmp_path / "toy.tar"
    export(bundles.exportable_sources(experiment), archive, print)
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "other"))
    return tmp_path / "other"


def bring(experiment, archive: Path) -> None:
    import_(archive, partial(bundles.import_target, experiment), print)


def entries(files: dict[str, bytes] = FILES, listed: dict[str, str] | None = None):
    """Return the plain entries of a bundle, name -> bytes."""
    text = format_checksums(digests(files) if listed is None else listed).encode()
    return {LIST: text, **{f"toy/files/{name}": data for name, data in files.items()}}


def pack(path: Path, plain: dict[str, bytes], *odd: tarfile.TarInfo, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in plain.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        for entry in odd:
            archive.addfile(entry)
    return path


def odd(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def test_what_was_exported_arrives_and_is_used_without_network(experiment, elsewhere, tmp_path):
    bring(experiment, tmp_path / "toy.tar")
    where = place(experiment.sources[0]).path
    assert where.is_relative_to(elsewhere)
    assert content(where) == FILES
    assert datasets.fetch(experiment, print, Settings(offline=True)) == 0
    datasets.verify_sources(experiment)


def test_the_bytes_of_an_export_follow_from_the_files(experiment, tmp_path):
    exported = bundles.exportable_sources(experiment)
    export(exported, tmp_path / "one.tar", print)
    for path in place(experiment.sources[0]).path.rglob("*"):
        path.touch()
    export(dict(reversed(exported.items())), tmp_path / "two.tar", print)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar", "r:") as archive:
        assert {(e.mtime, e.uid, e.uname) for e in archive} == {(0, 0, "")}


def test_an_export_to_where_nothing_can_be_written_leaves_nothing(experiment, tmp_path):
    with pytest.raises(StorageError):
        export(bundles.exportable_sources(experiment), tmp_path / "no" / "toy.tar", print)
    (place(experiment.sources[0]).path / "README.md").unlink()
    with pytest.raises(KitError):
        export(bundles.exportable_sources(experiment), tmp_path / "toy.tar", print)
    assert not list(tmp_path.glob("*toy.tar*"))


def test_an_export_of_what_the_kit_draws_is_refused_and_nothing_is_written(tmp_path):
    archive = tmp_path / "smoke.tar"
    done = CliRunner().invoke(verbs, ["data", "export", "manifests/smoke.toml", str(archive)])
    assert isinstance(done.exception, ManifestError)
    assert done.exception.found == "pebench, base"
    assert "`./run.sh fetch MANIFEST` on the other machine" in done.exception.remedy
    assert not archive.exists()


BROKEN = {
    "a changed byte": entries(FILES, digests({**FILES, "README.md": b"other"})),
    "a missing file": {k: v for k, v in entries().items() if not k.endswith("README.md")},
    "an unlisted file": {**entries(), "toy/files/more.bin": b"x"},
    "a missing list": {k: v for k, v in entries().items() if k != LIST},
    "a broken list": {**entries(), LIST: b"no list\n"},
    "another list": entries({"README.md": b"not the committed one"}),
    "climbing": {**entries(), "toy/files/../../../evil": b"x"},
    "absolute": {**entries(), "/tmp/evil": b"x"},
    "backslash": {**entries(), "toy/files/a\\b": b"x"},
    "letter case": {**entries(), "toy/files/readme.md": b"x"},
    "elsewhere in it": {**entries(), "toy/more/evil": b"x"},
}


@pytest.mark.parametrize("plain", BROKEN.values(), ids=BROKEN.keys())
def test_an_archive_that_is_not_right_in_every_byte_changes_nothing(
    experiment, elsewhere, tmp_path, plain
):
    with pytest.raises((DataError, ChecksumError)) as caught:
        bring(experiment, pack(tmp_path / "bad.tar", plain))
    assert None not in (caught.value.expected, caught.value.found, caught.value.remedy)
    assert content(elsewhere) == {}
    assert not list(tmp_path.rglob("evil"))


ODD = {
    "symbolic link": odd("toy/files/link", tarfile.SYMTYPE, "/etc/passwd"),
    "hard link": odd("toy/files/link", tarfile.LNKTYPE, "toy/files/README.md"),
    "device": odd("toy/files/null", tarfile.CHRTYPE),
    "pipe": odd("toy/files/pipe", tarfile.FIFOTYPE),
    "folder": odd("toy/files/folder", tarfile.DIRTYPE),
    "an entry twice": odd("toy/files/README.md", tarfile.REGTYPE),
}


@pytest.mark.parametrize("entry", ODD.values(), ids=ODD.keys())
def test_an_entry_that_is_not_a_plain_file_is_refused(experiment, elsewhere, tmp_path, entry):
    with pytest.raises(DataError) as caught:
        bring(experiment, pack(tmp_path / "bad.tar", entries(), entry))
    assert None not in (caught.value.expected, caught.value.found, caught.value.remedy)
    assert content(elsewhere) == {}


@pytest.mark.parametrize("kind", ["cut off", "compressed", "no tar", "not there", "empty"])
def test_an_incomplete_tar_is_refused(experiment, elsewhere, tmp_path, kind):
    bad = tmp_path / "bad.tar"
    if kind == "compressed":
        pack(bad, entries(), mode="w:gz")
    elif kind != "not there":
        whole = (tmp_path / "toy.tar").read_bytes()
        data = {"cut off": whole[: len(whole) // 2], "no tar": b"hello" * 999, "empty": b""}
        bad.write_bytes(data[kind])
    with pytest.raises(DataError, match=r"bad\.tar") as caught:
        bring(experiment, bad)
    assert None not in (caught.value.expected, caught.value.found, caught.value.remedy)
    assert content(elsewhere) == {}


def test_a_failed_import_loses_no_existing_file(experiment, tmp_path):
    with pytest.raises(ChecksumError):
        bring(experiment, pack(tmp_path / "bad.tar", BROKEN["a changed byte"]))
    assert content(place(experiment.sources[0]).path) == FILES


def test_two_sources_come_together_or_not_at_all(experiment, elsewhere, tmp_path):
    other = {name.replace("toy/", "zoo/"): data for name, data in BROKEN["a changed byte"].items()}
    with pytest.raises(ChecksumError):
        bring(experiment, pack(tmp_path / "bad.tar", {**entries(), **other}))
    assert content(elsewhere) == {}


@pytest.mark.parametrize("locked", [True, False])
def test_no_source_is_moved_where_another_is_not_the_committed_one(
    experiment, elsewhere, tmp_path, locked
):
    if not locked:
        (tmp_path / "toy.sha256").unlink()
    (tmp_path / "zoo").mkdir()
    commit_list(tmp_path / "zoo", {"README.md": b"the committed one"})
    zoo = source(tmp_path / "zoo", name="zoo")
    both = experiment.model_copy(update={"sources": (*experiment.sources, zoo)})
    other = entries({"README.md": b"another one"})
    other = {name.replace("toy/", "zoo/"): data for name, data in other.items()}
    with pytest.raises(ChecksumError, match="zoo"):
        bring(both, pack(tmp_path / "bad.tar", {**entries(), **other}))
    assert content(elsewhere) == {}


def test_an_import_repairs_what_is_damaged(experiment, elsewhere, tmp_path):
    where = place(experiment.sources[0]).path
    write(where, {"README.md": b"damaged", "stray": b"x"})
    bring(experiment, tmp_path / "toy.tar")
    assert content(where) == FILES


def test_a_source_that_the_manifest_does_not_have_is_left_out(
    experiment, elsewhere, tmp_path, capsys
):
    other = source(tmp_path, name="other", checksums=str(tmp_path / "other.sha256"))
    (tmp_path / "other.sha256").write_bytes((tmp_path / "toy.sha256").read_bytes())
    both = experiment.model_copy(update={"sources": (*experiment.sources, other)})
    more = {name.replace("toy/", "more/"): data for name, data in entries().items()}
    bring(both, pack(tmp_path / "more.tar", {**entries(), **more}))
    assert "more: not a source of this manifest, left out" in capsys.readouterr().out
    assert content(place(experiment.sources[0]).path) == FILES


def test_an_archive_without_any_source_of_the_manifest_is_an_error(experiment, elsewhere, tmp_path):
    other = source(tmp_path, name="other", checksums=str(tmp_path / "other.sha256"))
    (tmp_path / "other.sha256").write_bytes((tmp_path / "toy.sha256").read_bytes())
    with pytest.raises(DataError, match=r"nothing that this manifest needs(.|\n)*toy"):
        bring(experiment.model_copy(update={"sources": (other,)}), tmp_path / "toy.tar")
    assert content(elsewhere) == {}


def zeros(path: Path) -> None:
    path.write_bytes(bytes(20 * 512))


def lying_size(path: Path) -> None:
    pack(path, entries())
    entry = tarfile.TarInfo("toy/files/large")
    entry.pax_headers = {"size": str(10**14)}
    with tarfile.open(path, "a", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(entry)


def deep(path: Path) -> None:
    pack(path, {**entries(), "toy/files/" + "a/" * 3000 + "b": b"x"})


def many(path: Path) -> None:
    pack(path, {f"toy/files/{number}": b"" for number in range(99)})


HOSTILE = {
    "zeros": (zeros, "has no entries"),
    "a size that lies": (lying_size, "toy/files/large states 100000000000000 bytes"),
    "3,000 folders deep": (deep, "at most 16 folders deep"),
    "a pipe": (os.mkfifo, "no regular file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "no regular file"),
    "a folder": (Path.mkdir, "no regular file"),
    "too many entries": (many, "more than 50 entries"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_archive_made_to_hang_or_to_fill_the_disk_is_refused_at_once(
    experiment, elsewhere, tmp_path, monkeypatch, name
):
    make, reason = HOSTILE[name]
    make(tmp_path / "bad.tar")
    monkeypatch.setattr("kit.fetch.unpacking.MAX_ENTRIES", 50)
    start = time.process_time()
    with pytest.raises(DataError, match=reason) as caught:
        bring(experiment, tmp_path / "bad.tar")
    assert time.process_time() - start < 5
    assert caught.value.exit_code == 5
    assert "bad.tar" in caught.value.what
    assert None not in (caught.value.expected, caught.value.found, caught.value.remedy)
    assert content(elsewhere) == {}


def test_an_unlocked_source_travels_with_its_own_list(experiment, elsewhere, tmp_path):
    (tmp_path / "toy.sha256").unlink()
    bring(experiment, tmp_path / "toy.tar")
    datasets.verify_sources(experiment)
    assert content(place(experiment.sources[0]).path) == FILES


def test_an_import_does_not_replace_another_unlocked_source(experiment, elsewhere, tmp_path):
    (tmp_path / "toy.sha256").unlink()
    bring(experiment, tmp_path / "toy.tar")
    other = {"README.md": b"another revision"}
    with pytest.raises(ChecksumError):
        bring(experiment, pack(tmp_path / "other.tar", entries(other)))
    datasets.verify_sources(experiment)
    assert content(place(experiment.sources[0]).path) == FILES
