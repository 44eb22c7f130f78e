"""A manifest names files of the project or beside itself; no line of a foreign file is shown."""

import os
import time
from pathlib import Path

import pytest

from kit.digests import read_checksums
from kit.errors import ChecksumError, ManifestError
from kit.experiment.manifest_file import load_manifest
from tests.toys.dataset import TOY

TEXT = TOY.read_text(encoding="utf-8")
SECRET = "root:x:0:0:root:/root:/bin/bash"


def written(folder: Path, old: str, new: str) -> Path:
    assert old in TEXT
    path = folder / "m" / "mine.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    return path


LIST, FOLDER = 'checksums = "checksums/smoke.sha256"', 'folder = "kit/smoke/base"'


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        (LIST, 'checksums = "../../../../etc/passwd"', "`checksums` of source 'pebench'"),
        (LIST, 'checksums = "/etc/passwd"', "`checksums` of source 'pebench'"),
        (LIST, 'checksums = "/dev/zero"', "`checksums` of source 'pebench'"),
        (FOLDER, 'folder = "/root"', "`folder` of source 'base'"),
        (FOLDER, 'folder = ".."', "`folder` of source 'base'"),
        ("forget_percent = 20", 'forget_percent = 20\nids = "/etc/passwd"', "`split.ids`"),
    ],
)
def test_a_path_outside_the_project_is_refused(tmp_path, old, new, place):
    with pytest.raises(ManifestError, match=f"{place} is outside the project") as caught:
        load_manifest(written(tmp_path, old, new))
    assert "root:" not in str(caught.value)


def test_a_path_beside_the_manifest_is_taken(tmp_path):
    (tmp_path / "m" / "data").mkdir(parents=True)
    beside = f'folder = "{tmp_path / "m" / "data"}"'
    found = load_manifest(written(tmp_path, FOLDER, beside))
    assert found.model.source.folder == str(tmp_path / "m" / "data")


@pytest.mark.parametrize("named", ["/dev/zero", "/etc/passwd", "../other.toml", "pipe.toml"])
def test_what_is_extended_is_a_regular_file_of_the_same_folder(tmp_path, named):
    (tmp_path / "m").mkdir()
    os.mkfifo(tmp_path / "m" / "pipe.toml")
    path = tmp_path / "m" / "mine.toml"
    path.write_text(f'extends = "{named}"\nname = "mine"\n', encoding="utf-8")
    start = time.process_time()
    with pytest.raises(ManifestError, match=r"`extends` is not valid|is no manifest"):
        load_manifest(path)
    assert time.process_time() - start < 1


@pytest.mark.parametrize("kind", ["device", "pipe", "large"])
def test_a_manifest_is_a_regular_file_of_honest_size(tmp_path, kind):
    path = tmp_path / "mine.toml"
    if kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.touch()
        os.truncate(path, 200 << 30)
    with pytest.raises(ManifestError, match="is no manifest"):
        load_manifest(path)


def test_no_line_of_a_file_that_is_no_list_is_shown(tmp_path):
    (tmp_path / "list").write_text(f"{SECRET}\n", encoding="utf-8")
    with pytest.raises(ChecksumError, match="list:1 is not a checksum line") as caught:
        read_checksums(tmp_path / "list")
    assert "/bin/bash" not in str(caught.value)


def test_a_list_that_is_a_device_is_not_read():
    with pytest.raises(ChecksumError, match="is no checksum list"):
        read_checksums(Path("/dev/zero"))
