"""What a fetch trusts: the committed list over the hub, and no host about another's bytes."""

import gzip
import re
from pathlib import Path

import pytest

from kit.errors import ChecksumError, TransferError
from kit.fetch.sources import fetch_unlisted
from tests.hub.faults import Fault
from tests.hub.fetching import (
    FILES,
    LARGEST,
    PLAIN,
    QUICK,
    content,
    digests,
    pattern,
    quarantined,
    source,
)

pytest_plugins = ["tests.hub.fixtures"]


@pytest.mark.parametrize("told", [{"sha256": "0" * 64}, {"size": 200_007}, {"size": 7}])
@pytest.mark.parametrize("deaf", [False, True], ids=["ranges", "deaf"])
def test_the_committed_list_is_trusted_whatever_the_hub_states(fetch, hub, folder, told, deaf):
    hub.repos["owner/toy"].told[LARGEST] = told
    hub.spoil(LARGEST, Fault(deaf=deaf))
    fetch()
    assert content(folder) == FILES


def test_bytes_that_are_wrong_everywhere_are_kept_and_used_nowhere(fetch, hub, folder, tmp_path):
    hub.spoil(LARGEST, Fault(flip=True))
    hub.plain[LARGEST] = pattern(len(FILES[LARGEST]), 9)
    with pytest.raises(ChecksumError, match=re.escape(LARGEST)):
        fetch(mirrors=(hub.mirror,))
    assert LARGEST not in content(folder)
    flipped = FILES[LARGEST][:-1] + bytes([FILES[LARGEST][-1] ^ 1])
    kept = {path.read_bytes() for path in quarantined(tmp_path)}
    assert kept == {flipped, hub.plain[LARGEST]}


def test_wrong_bytes_are_a_graver_error_than_a_host_that_has_nothing(fetch, hub):
    hub.spoil(LARGEST, Fault(flip=True))
    del hub.plain[LARGEST]
    with pytest.raises(ChecksumError):
        fetch(mirrors=(hub.mirror,))


def test_a_part_of_another_host_costs_time_and_not_the_file(fetch, hub, folder, tmp_path):
    """The mirror has another file of the same size, and was cut off halfway."""
    hub.plain[LARGEST] = pattern(len(FILES[LARGEST]), 9)
    hub.spoil(LARGEST, Fault(status=404))
    hub.spoil(LARGEST, Fault(cut=100_000, times=1), mirror=True)
    hub.spoil(LARGEST, Fault(status=500), mirror=True)
    with pytest.raises(TransferError):
        fetch(mirrors=(hub.mirror,))
    hub.heal()
    report = fetch(mirrors=(hub.mirror,))
    assert content(folder) == FILES
    assert hub.mirror not in report.hosts
    assert [h for h in hub.gets("/cdn/") if "range" in h], "the part was not even tried"
    assert quarantined(tmp_path) == [], "the right host is not to blame"


def test_a_host_that_changes_a_file_silently_is_asked_again(fetch, hub, folder):
    """Both versions have the same ETag: the parts seem to fit, but the file is neither version."""
    hub.plain[LARGEST] = FILES[LARGEST]
    before = Fault(body=pattern(200_000, 9), cut=60_000, etag='"x"', times=1)
    hub.spoil(LARGEST, before, mirror=True)
    hub.spoil(LARGEST, Fault(etag='"x"'), mirror=True)
    fetch(repo=None, revision=None, mirrors=(hub.mirror,))
    assert content(folder) == FILES
    assert [h.get("range") is None for h in hub.gets(f"/mirror/{LARGEST}")] == [True, False, True]


@pytest.mark.parametrize("cut", [None, 60_000], ids=["whole", "cut"])
def test_a_coding_that_was_not_requested_is_undone(fetch, hub, folder, cut):
    """Its ranges count encoded bytes, not the file's."""
    hub.spoil(LARGEST, Fault(gzip=True, cut=cut, times=2))
    hub.spoil(LARGEST, Fault(gzip=True))
    fetch()
    assert content(folder) == FILES
    assert all(h["accept-encoding"] == "identity" for h in hub.gets("/cdn/"))


def test_a_file_that_is_compressed_itself_is_taken_as_it_is(hub, fetch, folder):
    """Some hosts declare the file's own compression as a coding of the answer."""
    files = {"table.csv.gz": gzip.compress(pattern(50_000), mtime=0)}
    hub.add("owner/toy", files)
    hub.spoil("table.csv.gz", Fault(headers={"Content-Encoding": "x-gzip"}, cut=20_000, times=1))
    hub.spoil("table.csv.gz", Fault(headers={"Content-Encoding": "gzip"}))
    fetch(files)
    assert content(folder) == files


def test_a_coding_that_cannot_be_undone_is_no_file(hub, folder, alone):
    hub.plain[PLAIN] = pattern(50_000)
    hub.spoil(PLAIN, Fault(headers={"Content-Encoding": "br"}), mirror=True)
    with pytest.raises(TransferError, match="'br'"):
        fetch_unlisted(alone(hub.mirror), folder, QUICK)
    assert content(folder) == {}


@pytest.mark.parametrize("total", ["²", "-7", "9" * 5000, "0x10"])
def test_a_size_that_is_no_number_says_nothing(fetch, hub, folder, total):
    hub.spoil(LARGEST, Fault(cut=60_000, times=1))
    hub.spoil(LARGEST, Fault(headers={"Content-Range": f"bytes 60000-199999/{total}"}, times=1))
    fetch()
    assert content(folder) == FILES


def test_without_a_digest_no_host_continues_the_part_of_another(hub, folder, alone):
    first, second = pattern(120_000, 1), pattern(120_000, 2)
    hub.plain |= {f"one/{PLAIN}": first, f"two/{PLAIN}": second}
    hub.spoil(f"one/{PLAIN}", Fault(cut=60_000, times=1), mirror=True)
    hub.spoil(f"one/{PLAIN}", Fault(status=500), mirror=True)
    wanted = alone(f"{hub.mirror}/one", f"{hub.mirror}/two")
    report = fetch_unlisted(wanted, folder, QUICK)
    assert content(folder) == {PLAIN: second}
    assert dict(report.hosts) == {f"{hub.mirror}/two": 1}


def test_a_kill_between_two_versions_of_a_file_does_not_join_them(hub, folder, alone, monkeypatch):
    """The host has a new version and ignores Range; the kill comes before its first byte."""
    hub.plain[PLAIN] = pattern(120_000, 1)
    hub.spoil(PLAIN, Fault(cut=60_000, times=1), mirror=True)
    hub.spoil(PLAIN, Fault(status=500), mirror=True)
    with pytest.raises(TransferError):
        fetch_unlisted(alone(hub.mirror), folder, QUICK)
    hub.heal()
    hub.plain[PLAIN] = pattern(120_000, 2)
    hub.spoil(PLAIN, Fault(deaf=True, times=1), mirror=True)
    noted = Path.write_text

    def killed(path, *args, **kwargs):
        noted(path, *args, **kwargs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", killed)
        with pytest.raises(KeyboardInterrupt):
            fetch_unlisted(alone(hub.mirror), folder, QUICK)
    fetch_unlisted(alone(hub.mirror), folder, QUICK)
    assert content(folder) == {PLAIN: hub.plain[PLAIN]}


def test_a_file_that_changed_on_the_host_is_not_stitched_together(hub, folder, tmp_path):
    """A list would detect it; without a list or a digest there is only the host's ETag."""
    name = "plain.bin"
    hub.plain[name] = pattern(120_000, 5)
    wanted = source(tmp_path, repo=None, revision=None, mirrors=(hub.mirror,), files=(name,))
    hub.spoil(name, Fault(cut=60_000, times=1), mirror=True)
    hub.spoil(name, Fault(status=500), mirror=True)
    with pytest.raises(TransferError):
        fetch_unlisted(wanted, folder, QUICK)
    hub.heal()
    hub.plain[name] = pattern(120_000, 6)
    report = fetch_unlisted(wanted, folder, QUICK)
    assert content(folder) == {name: hub.plain[name]}
    assert report.digests == digests(content(folder))
