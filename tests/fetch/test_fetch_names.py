"""Which names a fetch writes, and which files a pattern matches."""

from functools import partial

import pytest

from kit.errors import ChecksumError, DataError, KitError
from kit.fetch.sources import fetch_unlisted
from tests.hub.faults import Fault
from tests.hub.fetching import FILES, LARGEST, QUICK, content, pattern, source

pytest_plugins = ["tests.hub.fixtures"]


UNSAFE = {
    "climbing": {"../evil": b"x"},
    "hidden climbing": {"a/../../evil": b"x"},
    "absolute": {"/etc/evil": b"x"},
    "backslash": {"a\\b": b"x"},
    "control character": {"a\x1b[2Jb": b"x"},
    "letter case": {"Data.bin": b"x", "data.bin": b"y"},
    "folders by letter case": {"Data/a": b"x", "data/b": b"y"},
    "white space at the end": {"data/a ": b"x"},
    "white space before": {" a": b"x"},
    "longer than a file system allows": {"x" * 256: b"x"},
    "normal form": {"u\u0308.bin": b"x"},
    "file and folder": {"a": b"x", "a/b": b"y"},
}


@pytest.mark.parametrize("files", UNSAFE.values(), ids=UNSAFE.keys())
@pytest.mark.parametrize("listed", [True, False], ids=["list", "tree"])
def test_names_that_could_be_written_elsewhere_are_refused(
    fetch, hub, folder, files, listed, tmp_path
):
    hub.add("owner/toy", files)
    call = (
        partial(fetch, files)
        if listed
        else partial(fetch_unlisted, source(tmp_path), folder, QUICK)
    )
    with pytest.raises(DataError) as caught:
        call()
    assert None not in (caught.value.expected, caught.value.found, caught.value.remedy)
    assert "\x1b" not in str(caught.value)
    assert hub.sent == 0
    assert not folder.exists()
    assert not list(tmp_path.rglob("evil"))


def test_patterns_choose_and_a_pattern_for_nothing_is_an_error(hub, folder, tmp_path):
    report = fetch_unlisted(source(tmp_path, files=("data/*.shard",)), folder, QUICK)
    assert set(content(folder)) == {LARGEST} == set(report.digests)
    with pytest.raises(DataError, match="matches") as caught:
        fetch_unlisted(source(tmp_path, files=("*.csv",)), folder, QUICK)
    assert "README.md" in str(caught.value)


def test_patterns_need_a_repository_that_lists_its_files(hub, folder, tmp_path):
    alone = source(tmp_path, repo=None, revision=None, mirrors=(hub.mirror,), files=("data/*",))
    with pytest.raises(KitError, match="could list"):
        fetch_unlisted(alone, folder, QUICK)


def test_a_folder_may_be_called_like_the_part_of_a_file(fetch, folder):
    files = {"a": pattern(5_000), "a.part/b": pattern(6_000, 1), "c/a": pattern(7_000, 2)}
    fetch(files)
    assert content(folder) == files


@pytest.mark.parametrize("letter", ["x", "ü", "漢"])
def test_names_as_long_as_a_file_system_allows_are_downloaded(fetch, folder, letter):
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


def test_a_name_that_the_tree_has_twice_is_refused(hub, folder, tmp_path):
    """Two workers would write into the same part."""
    hub.repos["owner/toy"].told["README.md"] = {"path": LARGEST}
    with pytest.raises(DataError, match="twice") as caught:
        fetch_unlisted(source(tmp_path), folder, QUICK)
    assert LARGEST in str(caught.value)
    assert "remedy" in str(caught.value)
    assert hub.gets("/resolve/") == []


def test_a_name_that_the_manifest_has_twice_is_downloaded_once(hub, folder, alone):
    fetch_unlisted(alone(hub.mirror, files=(LARGEST, LARGEST)), folder, QUICK)
    assert content(folder) == {LARGEST: FILES[LARGEST]}
    assert len(hub.gets("/mirror/")) == 1
