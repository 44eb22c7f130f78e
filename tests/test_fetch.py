"""One source from a hub or mirrors: right bytes under their names, or a clear error and nothing."""

import errno
import hashlib
import re
import shutil
import threading
from functools import partial
from pathlib import Path

import pytest

from kit.errors import AccessError, ChecksumError, DataError, KitError, StorageError, TransferError
from kit.fetch.settings import Settings
from kit.fetch.sources import bring_listed, bring_unlisted
from tests.fetching import FILES, QUICK, content, digests, pattern, source
from tests.hub_server import LARGE, PIECE, Fault

pytest_plugins = ["tests.hub_fixtures"]

LARGEST = "data/train.shard"
SMALL = "README.md"


@pytest.fixture
def fetch(hub, folder, tmp_path):
    """Bring the toy source against the list of its right files."""

    def call(files=FILES, settings=QUICK, **changes):
        return bring_listed(source(tmp_path, **changes), folder, digests(files), settings)

    return call


@pytest.fixture
def mirrored(hub):
    """The fields of a source with a hub and a mirror behind it."""
    return {"mirrors": (hub.mirror,)}


def quarantined(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "quarantine").glob("*"))


def test_files_of_both_kinds_arrive_and_are_not_brought_again(fetch, hub, folder):
    report = fetch()
    assert content(folder) == FILES
    assert (report.brought, dict(report.hosts)) == (3, {hub.url: 3})
    hub.heal()
    assert fetch().brought == 0
    assert hub.requests == []
    assert [path.name for path in folder.parent.iterdir()] == ["toy"], "nothing is left beside it"


def test_models_and_datasets_have_their_own_addresses(fetch, hub, folder):
    fetch(repo_type="model")
    assert content(folder) == FILES
    assert not [path for _, path, _ in hub.requests if "datasets" in path]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(cut=70_000, times=2),
        Fault(cut=70_000, silent=True, times=2),
        Fault(length=150_000, times=2),
        Fault(status=500, times=2),
        Fault(status=503, times=2),
        Fault(status=429, headers={"Retry-After": "0"}, times=2),
        Fault(stall=30, times=1),
        Fault(cut=70_000, deaf=True, times=2),
    ],
    ids="cut cut-unannounced wrong-length 500 503 429 stalled cut-and-deaf".split(),
)
def test_what_passes_is_survived(fetch, hub, folder, fault):
    hub.spoil(LARGEST, fault)
    fetch()
    assert content(folder) == FILES
    assert quarantined(folder.parents[2]) == []


def test_a_cut_transfer_goes_on_where_it_stopped(fetch, hub):
    hub.spoil(LARGEST, Fault(cut=150_000, times=1))
    fetch()
    assert hub.sent < sum(map(len, FILES.values())) + 20_000
    ranges = [h["range"] for h in hub.gets("/cdn/") if "range" in h]
    assert len(ranges) == 1
    assert 0 < int(re.findall(r"\d+", ranges[0])[0]) <= 150_000


def test_a_long_wait_is_announced(fetch, hub, capsys, monkeypatch):
    waited, wait = [], threading.Event.wait

    def watched(event, seconds=None):
        return wait(event, seconds) if seconds is None or seconds < 5 else waited.append(seconds)

    monkeypatch.setattr(threading.Event, "wait", watched)
    fault = Fault(status=429, headers={"Retry-After": "300"}, times=1)
    hub.spoil(LARGEST, fault)
    fetch(settings=Settings(workers=1, attempts=2))
    assert waited == [300]
    assert f"{LARGEST} from {hub.url}: HTTP 429; again in 300 s" in capsys.readouterr().err


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(fetch, hub, status):
    hub.spoil(LARGEST, Fault(status=status, headers={"Retry-After": "1"}, times=1))
    fetch(settings=Settings(workers=1, attempts=2, pause=0.0, longest_pause=0.0))
    moments = [m for m, (_, path, _) in zip(hub.moments, hub.requests, strict=True)
               if path.startswith("/cdn/") and path.endswith(LARGEST)]  # fmt: skip
    assert moments[1] - moments[0] >= 0.95


def test_a_date_in_retry_after_is_understood():
    from datetime import UTC, datetime, timedelta
    from email.utils import format_datetime

    import httpx2

    from kit.fetch.transfer import retry_after

    def asked(value: str) -> float | None:
        return retry_after(httpx2.Response(503, headers={"Retry-After": value}))

    soon = asked(format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True))
    assert soon is not None
    assert 30 < soon <= 40
    past = asked("Wed, 21 Oct 2015 07:28:00 GMT")
    assert past == 0
    assert asked("soon") is None
    assert asked("7") == 7


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(cut=0), Fault(stall=30)])
def test_a_host_that_goes_on_failing_is_named(fetch, hub, folder, fault):
    hub.spoil(LARGEST, fault)
    with pytest.raises(TransferError, match=re.escape(LARGEST)) as caught:
        fetch()
    assert hub.url in str(caught.value)
    assert "remedy" in str(caught.value)
    assert LARGEST not in content(folder)


def test_what_arrived_before_a_failure_is_kept_and_gone_on_with(fetch, hub, folder):
    hub.spoil(LARGEST, Fault(cut=100_000, times=1))
    hub.spoil(LARGEST, Fault(status=500))
    with pytest.raises(TransferError):
        fetch()
    hub.heal()
    fetch()
    assert content(folder) == FILES
    assert hub.sent <= 120_000 + 5_100


@pytest.mark.parametrize("name", [LARGEST, SMALL])
def test_a_corrupt_file_of_the_right_size_goes_to_the_quarantine(
    fetch, hub, folder, name, tmp_path
):
    hub.spoil(name, Fault(flip=True))
    with pytest.raises(ChecksumError) as caught:
        fetch()
    assert name not in content(folder)
    (kept,) = quarantined(tmp_path)
    wrong = FILES[name][:-1] + bytes([FILES[name][-1] ^ 1])
    assert kept.read_bytes() == wrong
    found = hashlib.sha256(wrong).hexdigest()
    assert re.fullmatch(
        rf"{re.escape(name.replace('/', '~'))}\.{found[:8]}\.\d{{8}}T\d+", kept.name
    )
    for part in (name, digests(FILES)[name], found, str(kept), "remedy", hub.url):
        assert part in str(caught.value)


def test_a_part_that_was_damaged_is_brought_again_from_its_beginning(fetch, hub, folder):
    hub.spoil(LARGEST, Fault(cut=100_000, times=1))
    hub.spoil(LARGEST, Fault(status=500))
    with pytest.raises(TransferError):
        fetch()
    (part,) = folder.with_name("toy.parts").rglob("*.shard.part")
    part.write_bytes(b"\0" * part.stat().st_size)
    hub.heal()
    fetch()
    assert content(folder) == FILES


def test_a_file_that_changed_on_the_host_is_not_stitched_together(hub, folder, tmp_path):
    """A list would notice; without a list and a digest the hosts' ETag is all there is."""
    name = "plain.bin"
    hub.plain[name] = pattern(120_000, 5)
    wanted = source(tmp_path, repo=None, revision=None, mirrors=(hub.mirror,), files=(name,))
    hub.spoil(name, Fault(cut=60_000, times=1), mirror=True)
    hub.spoil(name, Fault(status=500), mirror=True)
    with pytest.raises(TransferError):
        bring_unlisted(wanted, folder, QUICK)
    hub.heal()
    hub.plain[name] = pattern(120_000, 6)
    report = bring_unlisted(wanted, folder, QUICK)
    assert content(folder) == {name: hub.plain[name]}
    assert report.digests == digests(content(folder))


@pytest.mark.parametrize(
    "fault", [Fault(status=404), Fault(status=500), Fault(status=403), Fault(flip=True)]
)
def test_a_mirror_takes_over(fetch, hub, folder, mirrored, fault):
    hub.spoil(LARGEST, fault)
    report = fetch(**mirrored)
    assert content(folder) == FILES
    assert dict(report.hosts) == {hub.url: 2, hub.mirror: 1}


def test_mirrors_are_tried_in_their_order(fetch, hub, folder):
    hub.spoil(LARGEST, Fault(status=404))
    report = fetch(mirrors=(f"{hub.url}/gone", hub.mirror + "/"))
    assert content(folder) == FILES
    assert dict(report.hosts) == {hub.url: 2, hub.mirror: 1}


def test_mirrors_alone_are_enough(fetch, hub, folder):
    report = fetch(repo=None, revision=None, mirrors=(hub.mirror,))
    assert content(folder) == FILES
    assert dict(report.hosts) == {hub.mirror: 3}
    assert not [path for _, path, _ in hub.requests if path.startswith("/api")]


def test_mirrors_serve_while_the_hub_is_down(fetch, hub, folder, mirrored):
    hub.repos["owner/toy"].status = 500
    report = fetch(**mirrored)
    assert content(folder) == FILES
    assert dict(report.hosts) == {hub.mirror: 3}


def test_a_hub_that_nobody_answers_for_is_a_transfer_error(fetch, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # the discard port
    with pytest.raises(TransferError, match="owner/toy") as caught:
        fetch()
    assert "remedy" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "page"), [("dataset", "/datasets/owner/toy"), ("model", "/owner/toy")]
)
def test_a_gated_repository_names_its_page_and_the_token(fetch, hub, folder, kind, page):
    hub.repos["owner/toy"].token = "hf_secret"
    with pytest.raises(AccessError) as caught:
        fetch(repo_type=kind)
    assert f"{hub.url}{page}" in str(caught.value)
    assert "HF_TOKEN" in str(caught.value)
    assert content(folder) == {}


def test_a_file_that_is_forbidden_names_the_page_too(fetch, hub):
    hub.spoil(LARGEST, Fault(status=403))
    with pytest.raises(AccessError, match=re.escape(LARGEST)) as caught:
        fetch()
    assert f"{hub.url}/datasets/owner/toy" in str(caught.value)


def test_the_token_goes_to_the_hub_and_to_nobody_else(fetch, hub, folder, mirrored, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.repos["owner/toy"].token = "hf_secret"
    hub.spoil(SMALL, Fault(status=404))
    fetch(**mirrored)
    assert content(folder) == FILES
    assert hub.gets("/resolve/")
    assert all(h["authorization"] == "Bearer hf_secret" for h in hub.gets("/resolve/"))
    for elsewhere in ("/cdn/", "/mirror/"):
        assert hub.gets(elsewhere)
        assert not [h for h in hub.gets(elsewhere) if "authorization" in h]


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (404, "RevisionNotFound", DataError),
        (404, "RepoNotFound", AccessError),
        (403, "", AccessError),
        (500, "", TransferError),
        (429, "", TransferError),
    ],
)
def test_what_the_hub_says_of_a_repository_is_explained(fetch, hub, folder, status, error, kind):
    hub.repos["owner/toy"].status, hub.repos["owner/toy"].error = status, error
    with pytest.raises(kind, match="owner/toy") as caught:
        fetch()
    assert "remedy" in str(caught.value)
    assert content(folder) == {}


UNSAFE = {
    "climbing": {"../evil": b"x"},
    "hidden climbing": {"a/../../evil": b"x"},
    "absolute": {"/etc/evil": b"x"},
    "backslash": {"a\\b": b"x"},
    "control character": {"a\x1b[2Jb": b"x"},
    "letter case": {"Data.bin": b"x", "data.bin": b"y"},
    "folders by letter case": {"Data/a": b"x", "data/b": b"y"},
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
        else partial(bring_unlisted, source(tmp_path), folder, QUICK)
    )
    with pytest.raises(DataError) as caught:
        call()
    assert "remedy" in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert hub.sent == 0
    assert not folder.exists()
    assert not list(tmp_path.rglob("evil"))


def test_patterns_choose_and_a_pattern_for_nothing_is_an_error(hub, folder, tmp_path):
    report = bring_unlisted(source(tmp_path, files=("data/*.shard",)), folder, QUICK)
    assert set(content(folder)) == {LARGEST} == set(report.digests)
    with pytest.raises(DataError, match="matches") as caught:
        bring_unlisted(source(tmp_path, files=("*.csv",)), folder, QUICK)
    assert "README.md" in str(caught.value)


def test_patterns_need_somebody_who_lists(hub, folder, tmp_path):
    alone = source(tmp_path, repo=None, revision=None, mirrors=(hub.mirror,), files=("data/*",))
    with pytest.raises(KitError, match="could list"):
        bring_unlisted(alone, folder, QUICK)


@pytest.mark.parametrize("name", [LARGEST, SMALL])
def test_without_a_list_the_hubs_own_digests_are_held_against_the_bytes(
    hub, folder, tmp_path, name
):
    assert (len(FILES[name]) >= LARGE) == (name == LARGEST), "one is large for the hub, one is not"
    hub.spoil(name, Fault(flip=True))
    with pytest.raises(ChecksumError, match=re.escape(name)):
        bring_unlisted(source(tmp_path), folder, QUICK)
    assert name not in content(folder)
    assert len(quarantined(tmp_path)) == 1


def test_without_a_list_what_is_there_from_another_revision_is_not_taken(hub, folder, tmp_path):
    """The head of a repository moves; a small file of the same size has no digest in the tree."""
    bring_unlisted(source(tmp_path, revision=None), folder, QUICK)
    hub.repos["owner/toy"].files[SMALL] = b"what this was\n"[: len(FILES[SMALL])]
    report = bring_unlisted(source(tmp_path, revision=None), folder, QUICK)
    assert content(folder)[SMALL] == hub.repos["owner/toy"].files[SMALL]
    assert report.digests == digests(content(folder))


def test_a_disk_without_room_is_refused_before_the_first_byte(fetch, hub, folder, monkeypatch):
    total = sum(map(len, FILES.values()))
    usage = shutil.disk_usage("/")._replace(free=int(total * 1.1))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(StorageError, match="too little room"):
        fetch()
    assert hub.sent == 0
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=int(total * 1.3)))
    fetch()
    assert content(folder) == FILES


def test_a_disk_that_fills_up_is_named_and_what_arrived_is_kept(fetch, hub, folder, monkeypatch):
    written = Path.open
    full = threading.Event()

    class Full:
        """A file on a disk that has room for 100,000 bytes more."""

        def __init__(self, stream):
            self._stream = stream

        def __enter__(self):
            return self

        def __exit__(self, *caught):
            self._stream.close()

        def __getattr__(self, name):
            return getattr(self._stream, name)

        def write(self, data):
            if self._stream.tell() + len(data) > 100_000:
                full.set()
                raise OSError(errno.ENOSPC, "No space left on device")
            return self._stream.write(data)

    def opened(path, mode="r", *args, **kwargs):
        stream = written(path, mode, *args, **kwargs)
        return Full(stream) if path.name.endswith("shard.part") and "a" in mode else stream

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(StorageError, match="the disk is full") as caught:
        fetch()
    assert full.is_set()
    assert LARGEST in str(caught.value)
    assert LARGEST not in content(folder)
    monkeypatch.setattr(Path, "open", written)
    hub.heal()
    fetch()
    assert content(folder) == FILES
    assert hub.sent < len(FILES[LARGEST]) * 0.8 + 6_000


def test_a_cache_that_cannot_be_written_is_named(fetch, hub, folder, monkeypatch, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="cannot be written"):
        fetch()
    assert hub.sent == 0


def test_a_damaged_file_is_kept_apart_and_brought_again(fetch, hub, folder, tmp_path):
    fetch()
    (folder / SMALL).write_bytes(b"something of the user's?")
    hub.heal()
    assert fetch().brought == 1
    assert content(folder) == FILES
    assert [path.read_bytes() for path in quarantined(tmp_path)] == [b"something of the user's?"]
    assert hub.sent == len(FILES[SMALL])


def test_wrong_sizes_in_the_tree_do_not_matter_where_there_is_a_list(fetch, hub, folder):
    hub.repos["owner/toy"].told[LARGEST] = {"size": len(FILES[LARGEST]) + 7}
    hub.repos["owner/toy"].told[SMALL] = {"size": 3}
    fetch()
    assert content(folder) == FILES


def test_one_failure_stops_the_others_and_loses_nothing(fetch, hub, folder):
    many = {f"{n:02d}.bin": pattern(50_000, n) for n in range(12)}
    hub.add("owner/toy", many)
    hub.pace = 0.01
    hub.spoil("00.bin", Fault(status=404))
    with pytest.raises(TransferError, match=r"00\.bin"):
        fetch(many)
    there = content(folder)
    assert len(there) < 11, "the others went on to the end"
    assert all(there[name] == many[name] for name in there)
    already = hub.sent
    hub.heal()
    fetch(many)
    assert content(folder) == many
    lost = 2 * QUICK.workers * PIECE  # on the way when the others were stopped
    assert already + hub.sent <= sum(map(len, many.values())) + lost
