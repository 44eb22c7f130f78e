"""A timestamp proves when a signature existed, and an expired key needs that proof."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.cli.verbs import verbs
from kit.errors import EnvironmentFault, SignatureError, TransferError
from kit.result.layout import ENVELOPE, SIGNING_FILES, SUMS, TIMESTAMP
from kit.signing.allowed_signers import AUTHOR, TrustedKey
from kit.signing.envelope import open_envelope, seal
from kit.signing.keys import public_line
from kit.signing.period import Period
from kit.signing.sign import sign
from kit.signing.statement import build, read
from kit.signing.timestamp import AUTHORITIES, read_authorities, read_timestamp
from kit.signing.timestamp_request import add_timestamp
from kit.signing.trust import GIVEN, trusted_keys
from kit.verification.text import describe
from kit.verification.verify import verify
from tests.sigstore.timestamp_authority import NAME, Authority
from tests.toys.signed_result import KEY, edit_json

OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
TODAY = datetime.now(UTC)
YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)
NEXT_YEAR = TODAY + timedelta(days=365)


@pytest.fixture(scope="module")
def clock(tmp_path_factory):
    with Authority(tmp_path_factory.mktemp("authority")) as running:
        yield running


@pytest.fixture(scope="module")
def response(clock):
    return clock.stamp(b"data")


@pytest.fixture
def stamped(damaged, clock):
    """Return a copy of the signed result, with a timestamp of today."""
    add_timestamp(damaged, clock.url, clock.roots)
    return damaged


def listed(start=None, end=None, key=KEY):
    return [TrustedKey(key.public_key(), AUTHOR, "author, allowed_signers:3", Period(start, end))]


def checked(result, clock, keys, now=NEXT_YEAR):
    return verify(result, trusted=keys, authorities=clock.roots, now=now)


def refused(result, clock, keys, now=NEXT_YEAR):
    with pytest.raises(SignatureError) as caught:
        checked(result, clock, keys, now)
    return str(caught.value)


def test_an_expired_key_still_vouches_for_what_it_signed_in_its_period(stamped, clock):
    found = checked(stamped, clock, listed(YESTERDAY, TOMORROW))
    assert found.role == AUTHOR
    first = found.messages[0]
    assert "the period is over, but the signature existed on " in first
    assert f"{TODAY:%Y-%m-%d}" in first
    assert f"UTC, says {NAME} (manifest.intoto.json.tsr)" in first


def test_without_a_timestamp_the_same_signature_is_refused(damaged, clock):
    text = refused(damaged, clock, listed(YESTERDAY, TOMORROW))
    assert "has expired, and nothing proves that it signed before" in text
    assert f"no manifest.intoto.json.tsr; this machine's clock says {NEXT_YEAR:%Y-%m-%d}" in text
    assert "the result may well be honest" in text


def test_a_timestamp_from_after_the_period_proves_nothing(stamped, clock):
    text = refused(stamped, clock, listed(None, YESTERDAY))
    assert "has expired, and nothing proves that it signed before" in text
    assert f"the signature existed on {TODAY:%Y-%m-%d}" in text


def test_the_clock_of_this_machine_does_not_outweigh_a_timestamp(stamped, clock):
    """A clock that was set back must not bring an expired key to life."""
    past = TODAY - timedelta(days=5)
    assert "has expired" in refused(stamped, clock, listed(None, YESTERDAY), now=past)


def test_a_signature_from_before_the_period_does_not_count(stamped, clock):
    text = refused(stamped, clock, listed(TOMORROW, None))
    assert "the signature is older than the period of its key" in text


def test_the_time_of_a_signature_by_a_current_key_is_shown_too(stamped, clock):
    first = checked(stamped, clock, listed()).messages[0]
    assert f"; the signature existed on {TODAY:%Y-%m-%d}" in first
    assert "the period is over" not in first


def test_a_thief_of_an_expired_key_cannot_use_the_timestamp_of_another_signature(stamped, clock):
    """The thief signs a statement that is old and has a timestamp under another key."""
    old = (stamped / TIMESTAMP).read_bytes()
    sign(stamped, key=OTHER)
    assert not (stamped / TIMESTAMP).exists(), "signing with another key removes it"
    (stamped / TIMESTAMP).write_bytes(old)
    text = refused(stamped, clock, listed(YESTERDAY, TOMORROW, OTHER))
    assert "found: it is not a timestamp of this" in text


def test_a_timestamp_of_the_statement_alone_proves_nothing(damaged, clock):
    payload = open_envelope((damaged / ENVELOPE).read_bytes()).payload
    (damaged / TIMESTAMP).write_bytes(clock.stamp(payload))
    assert "it is not a timestamp of this manifest.intoto.json" in refused(damaged, clock, listed())


def test_an_authority_that_is_not_trusted_proves_nothing(stamped, tmp_path):
    stranger = Authority(tmp_path / "stranger")
    text = refused(stamped, stranger, listed(YESTERDAY, TOMORROW))
    assert "found: no trusted authority certifies its signer" in text
    assert "--timestamp-authority FILE" in text
    with pytest.raises(SignatureError, match="cannot be accepted"):
        verify(stamped, trusted=listed())


def test_a_response_with_two_certificates_of_its_signer_is_refused(tmp_path):
    """Otherwise the second could lend its purpose to the first: the library reads either."""
    authority = Authority(tmp_path / "authority")
    twin = authority.certificate_with_the_same_number()
    response = authority.stamp(b"data", extra=[twin])
    assert response.count(b"clock.example") == 2, "both are in the response"
    with pytest.raises(SignatureError, match="2 certificates of its signer; 1 is expected"):
        read_timestamp(response, b"data", authority.roots)


def test_a_response_without_the_certificate_of_its_signer_is_refused(clock):
    with pytest.raises(SignatureError, match="cannot be accepted"):
        read_timestamp(clock.stamp(b"data", certificate=False), b"data", clock.roots)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_changed_byte_moves_the_time_or_the_message(clock, response, data):
    place = data.draw(st.integers(0, len(response) - 1))
    bad = bytearray(response)
    bad[place] ^= data.draw(st.integers(1, 255))
    try:
        found = read_timestamp(bytes(bad), b"data", clock.roots)
    except SignatureError:
        return
    # A few bytes (how an algorithm is spelt) are not signed. The time is.
    assert found == read_timestamp(response, b"data", clock.roots)
    with pytest.raises(SignatureError):
        read_timestamp(bytes(bad), b"other", clock.roots)


@pytest.mark.parametrize(
    "content", [b"", b"0", b"\x30\x03\x02\x01\x02", b"-----BEGIN", b"x" * 9999]
)
def test_bytes_that_are_no_timestamp_are_refused(damaged, clock, content):
    (damaged / TIMESTAMP).write_bytes(content)
    text = refused(damaged, clock, listed())
    assert "the timestamp manifest.intoto.json.tsr cannot be accepted" in text
    assert "or delete manifest.intoto.json.tsr" in text
    (damaged / TIMESTAMP).unlink()
    assert checked(damaged, clock, listed()).role == AUTHOR, "the remedy works"


def test_signing_again_keeps_the_timestamp_of_the_same_signature_and_no_other(stamped):
    before = (stamped / TIMESTAMP).read_bytes()
    sign(stamped, key=KEY)
    assert (stamped / TIMESTAMP).read_bytes() == before
    edit_json(stamped / "run.json", kit_version="9.9.9")
    sign(stamped, key=KEY)
    assert not (stamped / TIMESTAMP).exists()


def test_no_list_of_signed_files_names_the_timestamp(stamped):
    sign(stamped, key=KEY)
    assert TIMESTAMP in SIGNING_FILES
    assert TIMESTAMP not in (stamped / SUMS).read_text()
    statement = build({TIMESTAMP: "0" * 64, SUMS: "0" * 64}, "x", {})
    with pytest.raises(SignatureError, match="a file is named"):
        read(statement, "x")


# Asking an authority.


@pytest.mark.parametrize("answer", [b"", b"<html>no</html>", b"x" * 70_000])
def test_an_answer_that_is_no_timestamp_is_refused_and_nothing_is_written(damaged, clock, answer):
    clock.answer = answer
    try:
        with pytest.raises(SignatureError, match="cannot be accepted"):
            add_timestamp(damaged, clock.url, clock.roots)
    finally:
        clock.answer = None
    assert not (damaged / TIMESTAMP).exists()


def test_an_answer_to_an_earlier_request_is_refused(damaged, clock):
    clock.answer = clock.stamp((damaged / ENVELOPE).read_bytes())
    try:
        with pytest.raises(SignatureError, match="answers another request"):
            add_timestamp(damaged, clock.url, clock.roots)
    finally:
        clock.answer = None


def test_an_authority_that_does_not_answer_is_an_error_of_transfer(damaged, clock):
    with pytest.raises(TransferError, match="did not answer") as caught:
        add_timestamp(damaged, "http://127.0.0.1:9", clock.roots)
    assert caught.value.exit_code == 15


def test_the_verbs_make_and_check_a_timestamp(damaged, clock, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    words = ["sign", str(damaged), "--timestamp", clock.url]
    authority = ["--timestamp-authority", str(clock.roots)]
    done = CliRunner().invoke(verbs, [*words, *authority], catch_exceptions=False)
    assert re.search(rf"timestamp: the signature existed on .* says {NAME}", done.stdout)
    done = CliRunner().invoke(verbs, ["verify", str(damaged), *authority], catch_exceptions=False)
    assert done.exit_code == 0
    assert f"says {NAME} (manifest.intoto.json.tsr)" in done.stdout
    done = CliRunner().invoke(verbs, ["sign", str(damaged), "--timestamp", "ftp://x"])
    assert done.exit_code == 2
    assert "begins with http:// or https://" in done.output


def test_a_timestamp_can_be_added_to_a_signed_result_without_its_key(
    damaged, clock, tmp_path, monkeypatch
):
    """So the reference can outlive the period of its author's key."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    before = (damaged / ENVELOPE).read_bytes()
    words = ["sign", str(damaged), "--timestamp-only", "--timestamp-authority", str(clock.roots)]
    assert CliRunner().invoke(verbs, words).exit_code == 2, "it needs --timestamp URL"
    done = CliRunner().invoke(verbs, [*words, "--timestamp", clock.url], catch_exceptions=False)
    assert done.exit_code == 0
    assert (damaged / ENVELOPE).read_bytes() == before
    assert not (tmp_path / "config").exists(), "no key was made or read"
    assert checked(damaged, clock, listed(YESTERDAY, TOMORROW)).role == AUTHOR
    (damaged / ENVELOPE).unlink()
    with pytest.raises(SignatureError, match="is not signed"):
        add_timestamp(damaged, clock.url, clock.roots)


def test_a_file_without_a_root_certificate_names_no_authority(tmp_path, clock):
    for content in (b"", b"hello", (clock.folder / "leaf.pem").read_bytes()):
        (tmp_path / "x.pem").write_bytes(content)
        with pytest.raises(SignatureError, match="does not name the timestamp authorities"):
            read_authorities(tmp_path / "x.pem")
    with pytest.raises(SignatureError, match="does not name the timestamp authorities"):
        read_authorities(tmp_path / "missing.pem")


def test_the_committed_authorities_can_be_read_and_are_roots():
    roots, others = read_authorities(AUTHORITIES)
    assert [root.subject.rfc4514_string() for root in roots] == [
        "CN=sigstore-tsa-selfsigned,O=sigstore.dev"
    ]
    assert not others


def test_an_environment_without_the_library_says_how_to_get_one_that_has_it(
    stamped, clock, monkeypatch
):
    monkeypatch.setattr("kit.signing.timestamp.find_spec", lambda name: None)
    with pytest.raises(EnvironmentFault, match=r"no rfc3161-client(.|\n)*unset PEBENCH_ENV"):
        checked(stamped, clock, listed())


def test_a_result_is_described_with_its_time(stamped, clock):
    assert "the signature existed on" in describe(checked(stamped, clock, listed()))


def test_the_line_in_the_refusal_can_be_given_to_trust(damaged, clock, tmp_path):
    """The remedy is followed word by word."""
    signers = tmp_path / "allowed_signers"
    signers.write_text(f'author valid-before="20200101Z" {public_line(KEY.public_key())}')
    (tmp_path / "revoked").write_text("")
    lists = {"signers": signers, "revoked": tmp_path / "revoked"}
    text = refused(damaged, clock, trusted_keys(**lists))
    line = re.search(r"save the line '(ssh-ed25519 \S+)' as signer.pub and add: --trust", text)
    assert line
    (tmp_path / "signer.pub").write_text(line[1])
    found = checked(damaged, clock, trusted_keys(tmp_path / "signer.pub", **lists))
    assert found.role == GIVEN
    assert (
        "; allowed_signers:1 lists the key as author, expired since 2020-01-01 00:00 UTC"
        in found.messages[0]
    )


def test_sealing_is_deterministic_so_that_a_timestamp_outlives_signing_again():
    assert seal(b"{}", KEY) == seal(b"{}", KEY)
