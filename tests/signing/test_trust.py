"""Which key, which role, which period: a refused signer is named with the reason."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit.errors import SignatureError
from kit.signing.allowed_signers import AUTHOR, LISTED, REVOKED, TrustedKey
from kit.signing.envelope import open_envelope, seal
from kit.signing.keys import fingerprint, keygen, public_line
from kit.signing.signers import signer_of
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
    """Write the two lists; return a function that reads the known keys."""

    def known(signers, revoked="", given=None):
        (tmp_path / "allowed_signers").write_text(signers, encoding="utf-8")
        (tmp_path / "revoked_keys").write_text(revoked, encoding="utf-8")
        return trusted_keys(
            given, signers=tmp_path / "allowed_signers", revoked=tmp_path / "revoked_keys"
        )

    return known


@pytest.fixture
def given(tmp_path):
    """Return the file of a key that is given by hand."""
    (tmp_path / "given.pub").write_text(LINE, encoding="utf-8")
    return tmp_path / "given.pub"


def signer(key, known, now=OVERLAP) -> TrustedKey:
    return signer_of(open_envelope(seal(b"{}", key)), known, now=now)


def refused(key, known, now=OVERLAP) -> str:
    with pytest.raises(SignatureError) as caught:
        signer(key, known, now)
    assert caught.value.exit_code == 10
    return str(caught.value)


def test_while_two_periods_overlap_both_keys_count(lists):
    for key in (KEY, NEXT):
        found = signer(key, lists(ROTATION))
        assert (found.role, found.refusal) == (AUTHOR, "")
    assert str(found.period) == "valid from 2026-05-01 00:00 UTC until 2028-01-01 00:00 UTC"
    assert found.source == "author@lab, allowed_signers:2"


def test_before_the_rotation_the_next_key_does_not_count_yet(lists):
    assert signer(KEY, lists(ROTATION), OLD).role == AUTHOR
    text = refused(NEXT, lists(ROTATION), OLD)
    assert "the key that signed is not valid yet" in text
    assert "in the key's period, valid from 2026-05-01 00:00 UTC until" in text
    assert "this machine's clock says 2026-01-15 00:00 UTC" in text
    assert "set the clock right if it is wrong" in text
    assert (
        f"author (author@lab, allowed_signers:2), fingerprint {fingerprint(NEXT.public_key())}"
        in text
    )


def test_after_the_rotation_the_old_key_has_expired(lists):
    assert signer(NEXT, lists(ROTATION), NEW).role == AUTHOR
    text = refused(KEY, lists(ROTATION), NEW)
    assert "has expired, and nothing proves that it signed before" in text
    assert "from the key's period, valid until 2026-07-01 00:00 UTC" in text
    assert "the result may well be honest" in text
    assert "signed with the current key" in text


def test_a_key_that_is_renewed_on_another_line_counts(lists):
    renewed = ROTATION + f'author@lab valid-after="20260601Z" {LINE}'
    assert signer(KEY, lists(renewed), NEW).source == "author@lab, allowed_signers:3"


def test_a_key_for_another_purpose_is_named(lists):
    assert "listed for 'file', not for" in refused(KEY, lists(f'x namespaces="file" {LINE}'))


def test_a_revoked_key_counts_in_no_role_and_the_reason_is_stated(lists, given):
    revoked = f"# lost keys\n{LINE.strip()} 2026-06-01 laptop stolen\n"
    for signers, file in (("", None), (f"author {LINE}", None), ("", given), (ROTATION, given)):
        text = refused(KEY, lists(signers, revoked, given=file))
        assert "it was revoked (revoked_keys:2: pebench-runner 2026-06-01 laptop stolen)" in text
    assert signer(NEXT, lists(f"author {NEXT_LINE}", revoked)).role == AUTHOR


def test_a_revoked_key_of_this_machine_does_not_count_either(lists):
    public, _ = keygen()
    known = lists("", f"{public_line(public)}")
    assert {key.role for key in known} == {RUNNER, REVOKED}
    assert all(key.refusal for key in known)


def test_an_expired_key_that_is_given_by_hand_counts_and_its_listing_is_shown(lists, given):
    found = signer(KEY, lists(ROTATION, given=given), NEW)
    assert found.role == GIVEN
    assert found.remark == (
        "allowed_signers:1 lists the key as author@lab, expired since 2026-07-01 00:00 UTC"
    )


def test_a_given_key_whose_period_is_ahead_counts_and_its_listing_is_shown(lists, given):
    ahead = f'author valid-after="20270101Z" {LINE}'
    found = signer(KEY, lists(ahead, given=given))
    assert found.role == GIVEN
    assert found.remark.endswith("as author, not valid before 2027-01-01 00:00 UTC")


def test_a_given_key_that_is_listed_for_another_purpose_says_so(lists, given):
    found = signer(KEY, lists(f'x namespaces="file" {LINE}', given=given))
    assert found.role == GIVEN
    assert "allowed_signers:1 lists the key as x, listed for 'file', not for" in found.remark


def test_nothing_is_remarked_about_a_key_that_counts(lists, given):
    for known in (lists(ROTATION), lists(ROTATION, given=given), lists("", given=given)):
        assert signer(KEY, known).remark == ""


@pytest.mark.parametrize("line", ["revoked", "ssh-ed25519 AAAA", "ssh-rsa AAAAB3NzaC1yc2E=", "KRL"])
def test_a_revocation_that_cannot_be_read_is_an_error_and_never_skipped(lists, line):
    with pytest.raises(SignatureError, match="revoked_keys:1 is not a public key"):
        lists("", line)


def test_the_committed_revocations_can_be_read():
    assert REVOKED_KEYS.is_file()
    assert {key.role for key in trusted_keys()} <= {AUTHOR, LISTED, REVOKED}


def test_the_refusal_of_an_unknown_signer_states_how_many_keys_count(lists):
    text = refused(Ed25519PrivateKey.generate(), lists(ROTATION), NEW)
    assert "one of 1 trusted keys" in text
