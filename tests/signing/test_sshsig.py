"""A reader who has only OpenSSH and coreutils can check a result."""

import base64
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.errors import SignatureError
from kit.result.layout import SSH_SIGNATURE, SUMS
from kit.signing.keys import public_line
from kit.signing.sshsig import NAMESPACE, _armour, _string, sign_bytes, verify_bytes
from tests.toys.signed_result import KEY

OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = KEY.public_key()
MESSAGE = b"list\n"
SIGNED = sign_bytes(MESSAGE, KEY)
HASH = _string(b"sha512")
BLOB = base64.b64decode(b"".join(SIGNED.splitlines()[1:-1]))
needs_openssh = pytest.mark.skipif(
    not shutil.which("ssh-keygen"), reason="ssh-keygen (OpenSSH) is not on PATH"
)


def test_a_signature_holds_for_its_message_key_and_namespace():
    verify_bytes(SIGNED, MESSAGE, PUBLIC)
    for arguments, names, reason in (
        ((SIGNED, b"other\n", PUBLIC), {}, "changed after it was signed"),
        ((SIGNED, MESSAGE, OTHER.public_key()), {}, "not by the key that signed"),
        ((SIGNED, MESSAGE, PUBLIC), {"namespace": "file"}, "for the namespace"),
    ):
        with pytest.raises(SignatureError, match=reason):
            verify_bytes(*arguments, **names)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "begin and end"),
        (SIGNED[:-1], "begin and end"),
        (SIGNED + b"\n", "begin and end"),
        (SIGNED.replace(b"\n", b"\r\n"), "begin and end"),
        (b"\n" * 5000 + SIGNED, "begin and end"),
        (SIGNED.replace(b"U1NI", b"U1N!", 1), "not base64|lines"),
        (SIGNED.replace(b"\n", b"\n\n", 2), "lines"),
        (_armour(b"SSHSIG\0\0\0\2" + BLOB[10:]), "unknown version"),
        (_armour(b"SSHSIX" + BLOB[6:]), "unknown version"),
        (_armour(BLOB[:-1]), "cut off"),
        (_armour(BLOB + b"\0"), "after its end"),
        (_armour(BLOB[:10] + b"\xff\xff\xff\xff" + BLOB[14:]), "cut off"),
        (_armour(BLOB.replace(b"ssh-ed25519", b"ssh-ed25518")), "ssh-ed25519 key"),
        (_armour(BLOB.replace(b"sha512", b"sha384")), "unknown hash"),
        (_armour(BLOB.replace(_string(b"") + HASH, _string(b"x") + HASH)), "or a reserved field"),
    ],
)  # fmt: skip
def test_what_is_no_ssh_signature_is_refused_with_the_reason(data, reason):
    with pytest.raises(SignatureError, match=reason):
        verify_bytes(data, MESSAGE, PUBLIC)


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, len(SIGNED) - 1), change=st.integers(1, 255))
def test_any_changed_byte_of_the_signature_is_refused(place, change):
    data = bytearray(SIGNED)
    data[place] ^= change
    with pytest.raises(SignatureError):
        verify_bytes(bytes(data), MESSAGE, PUBLIC)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_bytes_of_any_kind_are_refused_and_never_crash(data):
    for given_bytes in (data, _armour(data), _armour(b"SSHSIG\0\0\0\1" + data)):
        with pytest.raises(SignatureError):
            verify_bytes(given_bytes, MESSAGE, PUBLIC)


@pytest.fixture
def openssh(tmp_path):
    """A folder with an allowed_signers file; returns a function that asks ssh-keygen -Y verify."""
    options = f'namespaces="{NAMESPACE}"'
    (tmp_path / "allowed_signers").write_text(f"runner {options} {public_line(PUBLIC)}")

    def verify(data, signature, *more, namespace=NAMESPACE, signers="allowed_signers"):
        (tmp_path / "list.sig").write_bytes(signature)
        command = ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", "runner", "-n", namespace]
        return subprocess.run(
            [*command, "-s", "list.sig", *more], cwd=tmp_path, input=data, capture_output=True
        )

    return verify


@needs_openssh
def test_ssh_keygen_accepts_what_was_signed_and_nothing_else(openssh, tmp_path):
    done = openssh(MESSAGE, SIGNED)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f'Good "{NAMESPACE}" signature for runner'.encode())
    assert openssh(b"other\n", SIGNED).returncode != 0
    assert openssh(MESSAGE, SIGNED, namespace="file").returncode != 0
    assert openssh(MESSAGE, sign_bytes(MESSAGE, KEY, namespace="file")).returncode != 0
    assert openssh(MESSAGE, sign_bytes(MESSAGE, OTHER)).returncode != 0
    (tmp_path / "past").write_text(f'runner valid-before="20200101" {public_line(PUBLIC)}')
    assert openssh(MESSAGE, SIGNED, signers="past").returncode != 0


@needs_openssh
def test_ssh_keygen_reads_the_committed_format_of_revoked_keys(openssh, tmp_path):
    (tmp_path / "revoked").write_text("# a comment\n\n")
    assert openssh(MESSAGE, SIGNED, "-r", "revoked").returncode == 0
    (tmp_path / "revoked").write_text(f"# a comment\n\n{public_line(PUBLIC)}")
    assert openssh(MESSAGE, SIGNED, "-r", "revoked").returncode != 0


@needs_openssh
def test_ssh_keygen_makes_the_same_bytes(tmp_path):
    private = KEY.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    (tmp_path / "key").write_bytes(private)
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "list").write_bytes(MESSAGE)
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", "key", "-n", NAMESPACE, "list"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "list.sig").read_bytes() == SIGNED


@needs_openssh
def test_the_documented_path_without_python_accepts_a_result_and_refuses_a_changed_one(
    damaged, openssh, tmp_path
):
    def check():
        done = openssh((damaged / SUMS).read_bytes(), (damaged / SSH_SIGNATURE).read_bytes())
        command = ["sha256sum", "-c", "--strict", "--quiet", SUMS]
        return done.returncode, subprocess.run(command, cwd=damaged).returncode

    assert check() == (0, 0)
    (damaged / "run.json").write_bytes(b"{}")
    assert check() == (0, 1)
    with (damaged / SUMS).open("a") as stream:
        stream.write(f"{'0' * 64}  added\n")
    assert check()[0] != 0
