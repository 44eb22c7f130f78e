"""Whom a fetch believes: the committed list before the hub, and no host about another's bytes."""

import re
from pathlib import Path

import pytest

from kit.errors import ChecksumError, DataError, TransferError
from kit.fetch.sources import bring_listed, bring_unlisted
from tests.fetching import FILES, QUICK, content, digests, pattern, source
from tests.hub_server import REVISION, Fault

pytest_plugins = ["tests.hub_fixtures"]

LARGEST = "data/train.shard"
PLAIN = "plain.bin"


@pytest.fixture
def fetch(hub, folder, tmp_path):
    """Bring the toy source against the list of its right files."""

    def call(**changes):
        return bring_listed(source(tmp_path, **changes), folder, digests(FILES), QUICK)

    return call


@pytest.fixture
def alone(hub, tmp_path):
    """Return a source of one file that only mirrors have and no list names."""

    def made(*mirrors, files=(PLAIN,)):
        return source(tmp_path, repo=None, revision=None, mirrors=mirrors, files=files)

    return made


def quarantined(tmp_path: Path) -> set[bytes]:
    return {path.read_bytes() for path in (tmp_path / "cache" / "quarantine").glob("*")}


@pytest.mark.parametrize("told", [{"sha256": "0" * 64}, {"size": 200_007}, {"size": 7}])
@pytest.mark.parametrize("deaf", [False, True], ids=["ranges", "deaf"])
def test_the_committed_list_is_believed_whatever_the_hub_tells(fetch, hub, folder, told, deaf):
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
    assert quarantined(tmp_path) == {flipped, hub.plain[LARGEST]}


def test_wrong_bytes_are_a_graver_error_than_a_host_that_has_nothing(fetch, hub):
    hub.spoil(LARGEST, Fault(flip=True))
    del hub.plain[LARGEST]
    with pytest.raises(ChecksumError):
        fetch(mirrors=(hub.mirror,))


def test_a_part_of_another_host_costs_time_and_not_the_file(fetch, hub, folder, tmp_path):
    """The mirror has another file of the same size, and was cut off half way through it."""
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
    assert quarantined(tmp_path) == set(), "the right host is not to blame"


def test_without_a_digest_no_host_goes_on_with_the_part_of_another(hub, folder, alone):
    first, second = pattern(120_000, 1), pattern(120_000, 2)
    hub.plain |= {f"one/{PLAIN}": first, f"two/{PLAIN}": second}
    hub.spoil(f"one/{PLAIN}", Fault(cut=60_000, times=1), mirror=True)
    hub.spoil(f"one/{PLAIN}", Fault(status=500), mirror=True)
    wanted = alone(f"{hub.mirror}/one", f"{hub.mirror}/two")
    report = bring_unlisted(wanted, folder, QUICK)
    assert content(folder) == {PLAIN: second}
    assert dict(report.hosts) == {f"{hub.mirror}/two": 1}


def test_a_kill_between_two_versions_of_a_file_does_not_join_them(hub, folder, alone, monkeypatch):
    """The host has a new version and does not know Range; the kill comes before its first byte."""
    hub.plain[PLAIN] = pattern(120_000, 1)
    hub.spoil(PLAIN, Fault(cut=60_000, times=1), mirror=True)
    hub.spoil(PLAIN, Fault(status=500), mirror=True)
    with pytest.raises(TransferError):
        bring_unlisted(alone(hub.mirror), folder, QUICK)
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
            bring_unlisted(alone(hub.mirror), folder, QUICK)
    bring_unlisted(alone(hub.mirror), folder, QUICK)
    assert content(folder) == {PLAIN: hub.plain[PLAIN]}


def test_a_name_that_the_tree_has_twice_is_refused(hub, folder, tmp_path):
    """Two workers would write into one part."""
    hub.repos["owner/toy"].told["README.md"] = {"path": LARGEST}
    with pytest.raises(DataError, match="twice") as caught:
        bring_unlisted(source(tmp_path), folder, QUICK)
    assert LARGEST in str(caught.value)
    assert "remedy" in str(caught.value)
    assert hub.gets("/resolve/") == []


def test_a_name_that_the_manifest_has_twice_is_brought_once(hub, folder, alone):
    bring_unlisted(alone(hub.mirror, files=(LARGEST, LARGEST)), folder, QUICK)
    assert content(folder) == {LARGEST: FILES[LARGEST]}
    assert len(hub.gets("/mirror/")) == 1


def test_files_are_asked_for_at_the_commit_and_never_at_a_branch(hub, folder, tmp_path):
    report = bring_unlisted(source(tmp_path, revision=None), folder, QUICK)
    assert report.revision == REVISION
    asked = hub.gets("/resolve/")
    assert len(asked) == len(FILES) == len(hub.gets(f"/resolve/{REVISION}/"))
