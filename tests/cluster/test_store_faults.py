"""Faults of a real S3 server and of the way to it: what is repeated, what ends, and what is said.

The server is moto's, in a process of its own; a door before it answers some requests itself.
"""

import secrets
import time

import pytest

from kit.cluster.object_store import ObjectStore
from kit.cluster.objects import require_url
from kit.cluster.refusals import refusal
from kit.errors import (
    AccessError,
    EnvironmentFault,
    KitError,
    ManifestError,
    StorageError,
    TransferError,
)
from tests.cluster import s3_server
from tests.cluster.s3_server import BUCKET, KEY, SECRET, TOKEN, Door, Fault, moto
from tests.cluster.test_object_store import NAME, held, make

RETRY_S = 3.0
server_is_needed = pytest.mark.store


@pytest.fixture
def url(door: Door, monkeypatch) -> str:
    """The address of an empty store behind the door."""
    for name, value in s3_server.variables(door.url).items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{secrets.token_hex(4)}"


@pytest.fixture
def machine(url, tmp_path):
    """Make a machine with a cache of its own."""

    def made(name: str, where: str = url) -> ObjectStore:
        (tmp_path / name).mkdir(exist_ok=True)
        return ObjectStore(where, tmp_path / name, retry_s=RETRY_S)

    return made


def text_of(error: KitError) -> str:
    """Return all that is said; no key is in it."""
    said = error.message
    assert not any(secret in said for secret in (KEY, SECRET, TOKEN))
    return said


@server_is_needed
@pytest.mark.parametrize(
    "fault",
    [
        Fault("PUT", times=3, status=503, code="SlowDown"),
        Fault("GET", times=2, status=500, code="InternalError"),
        Fault("/bytes/", times=2, status=503, code="ServiceUnavailable"),
        Fault("GET /experiments/", times=2, cut=True),
        Fault("GET /experiments/", times=2, lost=True),
        Fault("PUT", times=2, slow_s=0.5),
    ],
    ids=["503 at writing", "500 at reading", "503 at bytes", "cut answers", "no answers", "slow"],
)
def test_a_failure_of_a_moment_is_not_noticed(machine, door, fault):
    one, other = machine("one"), machine("other")
    make(one)
    door.faults.append(fault)
    other.bring(one.give([NAME]))
    assert fault.times == 0, "it has happened"
    assert held(other) == held(one)


@server_is_needed
@pytest.mark.parametrize(
    ("status", "code", "kind", "said"),
    [
        (507, "InsufficientStorage", StorageError, "507 InsufficientStorage: the store is full"),
        (403, "QuotaExceeded", StorageError, "403 QuotaExceeded: the store is full"),
        (403, "AccessDenied", AccessError, "403 AccessDenied"),
        (403, "InvalidAccessKeyId", AccessError, "403 InvalidAccessKeyId"),
        (503, "ServiceUnavailable", TransferError, "503 ServiceUnavailable"),
    ],
)
def test_a_store_that_refuses_is_named_with_operation_and_reason_and_the_work_goes_on_later(
    machine, door, url, status, code, kind, said
):
    one = machine("one")
    make(one)
    door.faults = [Fault("PUT", status=status, code=code)]
    began = time.monotonic()
    with pytest.raises(kind) as caught:
        one.give([NAME])
    assert time.monotonic() - began < 20 * RETRY_S, "bounded"
    assert caught.value.what.startswith(f"{url}: cannot write bytes/")
    assert caught.value.found == said
    assert "run the same command again" in text_of(caught.value)
    assert held(one)["weights"] == b"weights", "nothing is lost"
    door.faults = []
    other = machine("other")
    other.bring(machine("one").give([NAME]))
    assert held(other) == held(one)


@server_is_needed
def test_a_missing_bucket_is_named(machine, monkeypatch, door):
    with pytest.raises(StorageError) as caught:
        machine("one", "s3://no-such-bucket/prefix").check()
    said = text_of(caught.value)
    assert "s3://no-such-bucket/prefix: cannot write checks/" in said
    assert f"a bucket no-such-bucket at {door.url.removeprefix('http://')}" in said
    assert "404 NoSuchBucket" in said
    assert s3_server.call(door.url.removeprefix("http://"), "PUT", "/no-such-bucket") == 200
    assert machine("one", "s3://no-such-bucket/prefix").check()


@server_is_needed
def test_an_endpoint_that_does_not_answer_is_named(machine, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://me:secret-word@127.0.0.1:9")
    with pytest.raises(TransferError) as caught:
        machine("one").check()
    said = text_of(caught.value)
    assert "an answer of 127.0.0.1:9" in said
    assert "Connection refused" in said
    assert "secret-word" not in said


@server_is_needed
def test_a_key_that_a_real_server_does_not_know_is_refused_and_never_shown(
    tmp_path, url, monkeypatch
):
    """The first request, which makes the bucket, needs none."""
    with moto(tmp_path / "log", INITIAL_NO_AUTH_ACTION_COUNT="1") as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{address}")
        with pytest.raises(AccessError) as caught:
            ObjectStore(url, tmp_path, retry_s=RETRY_S).check()
    assert "403 InvalidAccessKeyId" in text_of(caught.value)
    assert "AWS_ACCESS_KEY_ID" in text_of(caught.value)


@server_is_needed
def test_a_server_that_ignores_the_condition_is_refused_before_the_first_job(machine, door):
    door.faults = [Fault("PUT", without="if-none-match")]
    with pytest.raises(EnvironmentFault, match="does not protect an object") as caught:
        machine("one").check()
    assert caught.value.found == "the second write was accepted"


@server_is_needed
def test_an_answer_that_was_lost_after_the_first_writer_had_won_is_no_conflict(machine, door):
    one = machine("one")
    make(one)
    door.faults = [Fault("/entries/", times=1), Fault("/entries/", times=1, lost=True)]
    told = one.give([NAME])
    assert [fault.times for fault in door.faults] == [0, 0]
    assert [r[:3] for r in door.requests if "/entries/" in r] == ["GET", "PUT", "PUT", "GET"]
    other = machine("other")
    other.bring(told)
    assert held(other) == held(one)


@server_is_needed
def test_a_folder_of_this_machine_is_a_store_too(tmp_path, server):
    one = ObjectStore(f"file://{tmp_path}/store", tmp_path / "one")
    other = ObjectStore(f"file://{tmp_path}/store", tmp_path / "other")
    assert one.check()
    make(one)
    other.bring(one.give([NAME]))
    assert held(other) == held(one)


@pytest.mark.parametrize("url", ["s3://", "bucket/prefix", "https://x/y", "s3:///x", "gs://b/p"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ManifestError, match="not the address of an object store"):
        require_url(url)


@pytest.mark.parametrize("url", ["s3://key:secret-word@bucket/x", "s3://bucket/x?key=secret-word"])
def test_an_address_with_a_key_is_refused_and_not_repeated(url):
    with pytest.raises(ManifestError, match="contains more than an address") as caught:
        require_url(url)
    assert "secret-word" not in caught.value.message


SAID = (
    "Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token in 1ms - "
    "Server returned non-2xx status code: {status}: {body}"
)


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (SAID.format(status="403 Forbidden", body="denied"), AccessError, "no key in the environm"),
        (
            "Error performing PUT http://x/a in 1s - HTTP error: error sending request\n"
            "inner: Http(HttpError { kind: Timeout, source: TimedOut })",
            TransferError,
            "no answer in time",
        ),
        (
            "Server returned non-2xx status code: 301 Moved: <Code>PermanentRedirect</Code>",
            AccessError,
            "301 PermanentRedirect",
        ),
    ],
)
def test_each_reason_has_its_words(said, kind, words):
    error = refusal("s3://bucket/x", "write", "a", said)
    assert type(error) is kind
    assert words in error.message
    assert "s3://bucket/x: cannot write a" in error.message
