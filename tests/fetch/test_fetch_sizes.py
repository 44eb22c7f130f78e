"""A host that sends more bytes than a file can have is stopped: it could fill the disk."""

import re
import shutil

import pytest

from kit.errors import ChecksumError, StorageError, TransferError
from kit.fetch.sources import fetch_unlisted
from tests.hub.faults import Fault
from tests.hub.fetching import (
    FILES,
    LARGEST,
    PLAIN,
    QUICK,
    SMALL,
    content,
    pattern,
    quarantined,
    source,
)

pytest_plugins = ["tests.hub.fixtures"]

ENDLESS = Fault(more=60_000_000)
BUFFERED = 20_000_000  # bytes that may still be in transit when the reader has gone


@pytest.fixture
def unlisted(hub, folder, tmp_path):
    """Fetch the toy source without a list: the hub's tree states the sizes."""
    return lambda **changes: fetch_unlisted(source(tmp_path, **changes), folder, QUICK)


def refused(call, name):
    with pytest.raises(ChecksumError, match=re.escape(name)) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("name", [LARGEST, SMALL])
@pytest.mark.parametrize("listed", [True, False], ids=["list", "tree"])
def test_an_answer_without_an_end_is_stopped(fetch, unlisted, hub, folder, tmp_path, name, listed):
    hub.spoil(name, ENDLESS)
    error = refused(fetch if listed else unlisted, name)
    assert hub.url in error.what
    assert error.expected == f"at most {len(FILES[name])} bytes"
    assert "mirror" in error.remedy
    assert hub.sent < BUFFERED
    assert name not in content(folder)
    assert quarantined(tmp_path) == [], "nothing is kept of it"


def test_a_mirror_takes_over_from_a_host_that_was_stopped(fetch, hub, folder):
    hub.spoil(LARGEST, ENDLESS)
    report = fetch(mirrors=(hub.mirror,))
    assert content(folder) == FILES
    assert dict(report.hosts) == {hub.url: 2, hub.mirror: 1}


def test_a_mirror_that_states_more_is_not_read_at_all(fetch, hub, folder, tmp_path):
    hub.spoil(LARGEST, Fault(status=404))
    hub.plain[LARGEST] = pattern(300_000, 8)
    error = refused(lambda: fetch(mirrors=(hub.mirror,)), LARGEST)
    assert error.expected == "at most 200000 bytes"
    assert quarantined(tmp_path) == []
    assert not list(folder.parent.rglob("*.shard.part")), "not a byte was written"


def test_a_host_that_is_stopped_after_a_part_of_another_is_asked_again(fetch, hub, folder):
    """The part of the killed call is deleted with the excess, and the host is asked again."""
    hub.plain[LARGEST] = pattern(190_000, 8)
    hub.spoil(LARGEST, Fault(status=404))
    hub.spoil(LARGEST, Fault(cut=180_000, times=1), mirror=True)
    hub.spoil(LARGEST, Fault(status=500), mirror=True)
    with pytest.raises(TransferError):
        fetch(mirrors=(hub.mirror,))
    hub.heal()
    hub.spoil(LARGEST, Fault(more=50_000, times=1))
    fetch()
    assert content(folder) == FILES


def test_a_file_of_unknown_size_leaves_room_on_the_disk(hub, folder, alone, monkeypatch, tmp_path):
    """Only a mirror, and no list: an answer in chunks could be endless."""
    hub.plain[PLAIN] = pattern(20_000)
    hub.spoil(PLAIN, Fault(more=60_000_000, chunked=True), mirror=True)
    usage = shutil.disk_usage("/")._replace(free=600_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    error = refused(lambda: fetch_unlisted(alone(hub.mirror), folder, QUICK), PLAIN)
    assert error.expected == "at most 500000 bytes"
    assert content(folder) == {}


def test_a_file_whose_host_states_more_than_the_disk_has_is_not_begun(
    hub, folder, alone, monkeypatch
):
    hub.plain[PLAIN] = pattern(120_000)
    usage = shutil.disk_usage("/")._replace(free=130_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(StorageError, match="not enough space"):
        fetch_unlisted(alone(hub.mirror), folder, QUICK)
    assert not list(folder.parent.rglob("*.part"))


def test_a_host_that_gives_a_range_in_pieces_is_asked_until_the_end(hub, folder, alone):
    hub.plain[PLAIN] = pattern(120_000)
    hub.spoil(PLAIN, Fault(piece=50_000), mirror=True)
    fetch_unlisted(alone(hub.mirror), folder, QUICK)
    assert content(folder) == {PLAIN: hub.plain[PLAIN]}
    assert [h.get("range") for h in hub.gets("/mirror/")] == [None, "bytes=50000-", "bytes=100000-"]


def test_an_answer_in_chunks_says_its_end(hub, folder, alone):
    hub.plain[PLAIN] = pattern(120_000)
    hub.spoil(PLAIN, Fault(chunked=True, cut=60_000, times=1), mirror=True)
    hub.spoil(PLAIN, Fault(chunked=True), mirror=True)
    fetch_unlisted(alone(hub.mirror), folder, QUICK)
    assert content(folder) == {PLAIN: hub.plain[PLAIN]}


def test_a_file_whose_end_looks_like_a_lost_connection_is_not_pinned(hub, folder, alone):
    hub.plain[PLAIN] = pattern(120_000)
    hub.spoil(PLAIN, Fault(cut=60_000, silent=True), mirror=True)
    with pytest.raises(TransferError, match="does not state the size") as caught:
        fetch_unlisted(alone(hub.mirror), folder, QUICK)
    assert "list" in caught.value.remedy
    assert content(folder) == {}
