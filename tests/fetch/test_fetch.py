"""Fetch one source from a hub: right bytes under their names, or a clear error and no files."""

import hashlib
import re
import threading
from datetime import datetime

import httpx2
import pytest

from kit.errors import ChecksumError, TransferError
from kit.fetch.patience import retry_after
from kit.fetch.settings import Settings
from tests.hub.faults import PIECE, Fault
from tests.hub.fetching import FILES, LARGEST, QUICK, SMALL, content, digests, pattern, quarantined

pytest_plugins = ["tests.hub.fixtures"]


def test_files_of_both_kinds_arrive_and_are_not_downloaded_again(fetch, hub, folder):
    report = fetch()
    assert content(folder) == FILES
    assert (report.downloaded, dict(report.hosts)) == (3, {hub.url: 3})
    hub.heal()
    assert fetch().downloaded == 0
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
def test_temporary_failures_are_survived(fetch, hub, folder, fault):
    hub.spoil(LARGEST, fault)
    fetch()
    assert content(folder) == FILES
    assert quarantined(folder.parents[2]) == []


def test_a_cut_transfer_resumes_where_it_stopped(fetch, hub):
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
    assert f"{LARGEST} from {hub.url}: HTTP 429; trying again in 300 s" in capsys.readouterr().err


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(fetch, hub, status):
    hub.spoil(LARGEST, Fault(status=status, headers={"Retry-After": "1"}, times=1))
    fetch(settings=Settings(workers=1, attempts=2, pause=0.0, longest_pause=0.0))
    moments = [m for m, (_, path, _) in zip(hub.moments, hub.requests, strict=True)
               if path.startswith("/cdn/") and path.endswith(LARGEST)]  # fmt: skip
    assert moments[1] - moments[0] >= 0.95


def test_a_date_in_retry_after_is_understood(monkeypatch):
    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2030, 1, 1, 12, tzinfo=tz)

    monkeypatch.setattr("kit.fetch.patience.datetime", Clock)

    def asked(value: str) -> float | None:
        return retry_after(httpx2.Response(503, headers={b"Retry-After": value.encode("latin-1")}))

    assert asked("Tue, 01 Jan 2030 12:00:40 GMT") == 40
    assert asked("Tue, 01 Jan 2030 11:59:59 GMT") == 0
    assert asked("soon") is None
    assert asked("²") is None, "a digit for Unicode"
    assert asked("9" * 5000) is None, "more digits than Python reads"
    assert asked("7") == 7


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(cut=0), Fault(stall=30)])
def test_a_host_that_keeps_failing_is_named(fetch, hub, folder, fault):
    hub.spoil(LARGEST, fault)
    with pytest.raises(TransferError, match=re.escape(LARGEST)) as caught:
        fetch()
    assert hub.url in str(caught.value)
    assert "remedy" in str(caught.value)
    assert LARGEST not in content(folder)


def test_bytes_before_a_failure_are_kept_and_the_next_call_resumes(fetch, hub, folder):
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


def test_a_damaged_part_is_downloaded_again_from_its_beginning(fetch, hub, folder):
    hub.spoil(LARGEST, Fault(cut=100_000, times=1))
    hub.spoil(LARGEST, Fault(status=500))
    with pytest.raises(TransferError):
        fetch()
    (part,) = folder.with_name("toy.parts").rglob("*.shard.part")
    part.write_bytes(b"\0" * part.stat().st_size)
    hub.heal()
    fetch()
    assert content(folder) == FILES


def test_a_damaged_file_is_quarantined_and_downloaded_again(fetch, hub, folder, tmp_path):
    fetch()
    (folder / SMALL).write_bytes(b"something of the user's?")
    hub.heal()
    assert fetch().downloaded == 1
    assert content(folder) == FILES
    assert [path.read_bytes() for path in quarantined(tmp_path)] == [b"something of the user's?"]
    assert hub.sent == len(FILES[SMALL])


def test_wrong_sizes_in_the_tree_do_not_matter_where_there_is_a_list(fetch, hub, folder):
    hub.repos["owner/toy"].told[LARGEST] = {"size": len(FILES[LARGEST]) + 7}
    hub.repos["owner/toy"].told[SMALL] = {"size": 3}
    fetch()
    assert content(folder) == FILES


def test_a_host_without_range_that_is_cut_now_early_now_late_is_given_up(fetch, hub):
    """Compared with the attempt before, every second one would be progress, and it never ended."""
    for _ in range(10):
        hub.spoil(LARGEST, Fault(cut=100_000, deaf=True, times=1))
        hub.spoil(LARGEST, Fault(cut=60_000, deaf=True, times=1))
    with pytest.raises(TransferError, match="3 times in a row"):
        fetch()


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
