"""Which key, which role, which period: a refused signer is named with the reason."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit.errors import SignatureError
from kit.signing.allowed_signers import AUTHOR, LISTED, REVOKED, TrustedKey
from kit.signing.envelope import open_envelope, seal, signer_of
from kit.signing.keys import fingerprint, keygen, public_line
from kit.signing.trust import GIVEN, REVOKED_KEYS, RUNNER, trusted_keys
from tests.toys.signed_result import KEY

NEXT = Ed25519PrivateKey.from_private_bytes(bytes(32))
LINE, NEXT_LINE = public_line(KEY.public_key()), public_line(NEXT.public_key())
OLD, OVERLAP, NEW = (datetime(2026, month, 15, tzinfo=UTC) for month in (1, 6, 12))
OURS = 'namespaces="pebench-results@v1"'
ROTATION = (
    f'author@lab {OURS},valid-before="20260701Z" {LINE}'
    f'author@lab {OURS},valid-after="20260501Z",valid-before="20280101Z" {NEXT_LINE}'
)


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def lists(tmp_path):
    """Write the two lists; return a function from a time to the known keys."""

    def known(signers, revoked="", now=OVERLAP, given=None):
        (tmp_path / "allowed_signers").write_text(signers, encoding="utf-8")
        (tmp_path / "revoked_keys").write_text(revoked, encoding="utf-8")
        return trusted_keys(
            given, signers=tmp_path / "allowed_signers", revoked=tmp_path / "revoked_keys", now=now
        )

    return known


def signer(key, known) -> TrustedKey:
    return signer_of(open_envelope(seal(b"{}", key)), known)


def refused(key, known) -> str:
    with pytest.raises(SignatureError) as caught:
        signer(key, known)
    assert caught.value.exit_code == 10
    return str(caught.value)


def test_while_two_periods_overlap_both_keys_count(lists):
    for key in (KEY, NEXT):
        found = signer(key, lists(ROTATION))
        assert (found.role, found.refusal) == (AUTHOR, "")
    assert found.period == "valid from 2026-05-01 00:00 UTC until 2028-01-01 00:00 UTC"
    assert found.source == "author@lab, allowed_signers:2"


def test_before_the_rotation_the_next_key_does_not_count_yet(lists):
    assert signer(KEY, lists(ROTATION, now=OLD)).role == AUTHOR
    text = refused(NEXT, lists(ROTATION, now=OLD))
    assert "it is not valid yet, only from 2026-05-01 00:00 UTC" in text
    assert (
        f"author (author@lab, allowed_signers:2), fingerprint {fingerprint(NEXT.public_key())}"
        in text
    )


def test_after_the_rotation_the_old_key_has_expired(lists):
    assert signer(NEXT, lists(ROTATION, now=NEW)).role == AUTHOR
    text = refused(KEY, lists(ROTATION, now=NEW))
    assert "it has expired: it was valid until 2026-07-01 00:00 UTC" in text
    assert "signed with the present key" in text


def test_a_key_that_is_renewed_on_another_line_counts(lists):
    renewed = ROTATION + f'author@lab valid-after="20260601Z" {LINE}'
    assert signer(KEY, lists(renewed, now=NEW)).source == "author@lab, allowed_signers:3"


def test_a_key_for_another_purpose_is_named(lists):
    assert "listed for 'file', not for" in refused(KEY, lists(f'x namespaces="file" {LINE}'))


def test_a_revoked_key_counts_in_no_role_and_the_reason_is_told(lists, tmp_path):
    (tmp_path / "given.pub").write_text(LINE, encoding="utf-8")
    revoked = f"# lost keys\n{LINE.strip()} 2026-06-01 laptop stolen\n"
    for signers, given in (("", None), (f"author {LINE}", None), ("", tmp_path / "given.pub")):
        text = refused(KEY, lists(signers, revoked, given=given))
        assert "it was revoked (revoked_keys:2: pebench-runner 2026-06-01 laptop stolen)" in text
    assert signer(NEXT, lists(f"author {NEXT_LINE}", revoked)).role == AUTHOR


def test_a_revoked_key_of_this_machine_does_not_count_either(lists):
    public, _ = keygen()
    known = lists("", f"{public_line(public)}")
    assert {key.role for key in known} == {RUNNER, REVOKED}
    assert all(key.refusal for key in known)


def test_an_expired_key_counts_again_for_whoever_gives_it_by_hand(lists, tmp_path):
    (tmp_path / "given.pub").write_text(LINE, encoding="utf-8")
    assert signer(KEY, lists(ROTATION, now=NEW, given=tmp_path / "given.pub")).role == GIVEN


@pytest.mark.parametrize("line", ["revoked", "ssh-ed25519 AAAA", "ssh-rsa AAAAB3NzaC1yc2E=", "KRL"])
def test_a_revocation_that_cannot_be_read_is_an_error_and_never_skipped(lists, line):
    with pytest.raises(SignatureError, match="revoked_keys:1 is not a public key"):
        lists("", line)


def test_the_committed_revocations_can_be_read():
    assert REVOKED_KEYS.is_file()
    assert {key.role for key in trusted_keys()} <= {AUTHOR, LISTED, REVOKED}


def test_an_unknown_signer_is_told_how_many_keys_count(lists):
    text = refused(Ed25519PrivateKey.generate(), lists(ROTATION, now=NEW))
    assert "one of 1 trusted keys" in text
