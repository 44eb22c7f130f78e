"""An encrypted key opens only with its passphrase, which never appears on a command line."""

import base64
import os
import pty
import shutil
import stat
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.artifacts import PROJECT
from kit.errors import EnvironmentFault, SignatureError
from kit.signing.keys import fingerprint, holds_encrypted_key, keygen, public_line, runner_key
from kit.signing.passphrase import FROM_ENVIRONMENT, FROM_FILE, read_passphrase
from kit.signing.private_key import is_encrypted, load_private_key, to_pem
from tests.toys.signed_result import KEY

SECRET = b"correct horse battery"
# The tests' key as earlier versions of the kit wrote it: under SECRET (PBES2, scrypt, AES-256-CBC),
# and without a passphrase.
OLD_ENCRYPTED = b"""\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSsGAQQB2kcECzAcBBAClRnevtDSEI0gzmi5
JkVDAgJAAAIBCAIBBTAdBglghkgBZQMEASoEEEFRhq2e/XkpwjwgzNg8aBUEQHxD
RyWciiwoaF5fRWowA/mFJT4Uxh/PZ6mr3w5hoJJY+5rV4PWrUYGAAISO6xsQhzKb
dgzbP7LWUmQ5xRE+VWU=
-----END ENCRYPTED PRIVATE KEY-----
"""
OLD_PLAIN = b"""\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
-----END PRIVATE KEY-----
"""


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in (FROM_FILE, FROM_ENVIRONMENT):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "config" / "pebench"


def never():
    raise AssertionError("the passphrase was asked for")


def test_an_encrypted_key_opens_only_with_its_passphrase(tmp_path):
    key, path = Ed25519PrivateKey.generate(), tmp_path / "key"
    path.write_bytes(to_pem(key, SECRET))
    assert load_private_key(path, lambda: SECRET).private_bytes_raw() == key.private_bytes_raw()
    assert is_encrypted(path)
    for wrong in (SECRET[:-1], b"", SECRET + b"\n"):
        with pytest.raises(SignatureError, match="the passphrase does not open"):
            load_private_key(path, lambda wrong=wrong: wrong)


def test_a_key_that_an_earlier_version_encrypted_still_opens(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(OLD_ENCRYPTED)
    assert is_encrypted(path)
    assert load_private_key(path, lambda: SECRET).private_bytes_raw() == KEY.private_bytes_raw()
    with pytest.raises(SignatureError, match="the passphrase does not open"):
        load_private_key(path, lambda: b"another passphrase")


def test_a_plain_key_of_an_earlier_version_still_opens_and_can_be_encrypted(config):
    config.mkdir(parents=True, mode=0o700)
    (config / "runner.key").write_bytes(OLD_PLAIN)
    (config / "runner.key").chmod(0o600)
    assert not is_encrypted(config / "runner.key")
    assert runner_key(passphrase=never).private_bytes_raw() == KEY.private_bytes_raw()
    keygen(passphrase=SECRET)
    assert (config / "runner.key").read_bytes().startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----")
    assert runner_key(passphrase=lambda: SECRET).private_bytes_raw() == KEY.private_bytes_raw()


def test_two_files_of_one_key_under_one_passphrase_share_no_salt():
    first, second = (to_pem(KEY, SECRET).splitlines() for _ in range(2))
    assert first[2:-1] != second[2:-1]


def test_guessing_a_passphrase_costs_six_times_what_ssh_keygen_asks_for():
    blob = base64.b64decode(b"".join(to_pem(KEY, SECRET).splitlines()[1:-1]))
    # PROTOCOL.key: the name of the derivation, then its options: salt (16 bytes) and rounds.
    options = blob.partition(b"\0\0\0\6bcrypt\0\0\0\x18\0\0\0\x10")[2]
    assert int.from_bytes(options[16:20], "big") == 100


@pytest.mark.parametrize("passphrase", [None, SECRET], ids=["plain", "encrypted"])
def test_ssh_keygen_opens_it_too(tmp_path, passphrase):
    if not shutil.which("ssh-keygen"):
        pytest.skip("ssh-keygen (OpenSSH) is not on PATH")
    (tmp_path / "key").write_bytes(to_pem(KEY, passphrase))
    (tmp_path / "key").chmod(0o600)
    command = ["ssh-keygen", "-y", "-f", "key", "-P", (passphrase or b"").decode()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == public_line(KEY.public_key()).split()[:2]


def test_ssh_keygen_can_change_the_passphrase(tmp_path):
    if not shutil.which("ssh-keygen"):
        pytest.skip("ssh-keygen (OpenSSH) is not on PATH")
    path = tmp_path / "key"
    path.write_bytes(to_pem(KEY, SECRET))
    path.chmod(0o600)
    command = ["ssh-keygen", "-p", "-f", "key", "-P", SECRET.decode(), "-N", "another passphrase"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    opened = load_private_key(path, lambda: b"another passphrase")
    assert opened.private_bytes_raw() == KEY.private_bytes_raw()


def test_an_environment_without_bcrypt_says_how_to_get_one_that_has_it(tmp_path, monkeypatch):
    (tmp_path / "key").write_bytes(to_pem(KEY, SECRET))
    (tmp_path / "old").write_bytes(OLD_ENCRYPTED)
    monkeypatch.setattr("kit.signing.private_key.find_spec", lambda name: None)
    for needs in (
        lambda: to_pem(KEY, SECRET),
        lambda: load_private_key(tmp_path / "key", lambda: SECRET),
    ):
        with pytest.raises(EnvironmentFault, match=r"has no bcrypt(.|\n)*unset PEBENCH_ENV"):
            needs()
    load_private_key(tmp_path / "old", lambda: SECRET)  # needs none


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_a_file_of_any_content_is_refused_and_never_crashes(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "key"
    blob = base64.encodebytes(b"openssh-key-v1\0" + data)
    armoured = (
        b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + blob + b"-----END OPENSSH PRIVATE KEY-----\n"
    )
    for content in (data, armoured):
        path.write_bytes(content)
        with pytest.raises(SignatureError, match=r"does not open|not a usable"):
            load_private_key(path, lambda: SECRET)


def test_a_changed_byte_of_the_file_opens_nothing(tmp_path):
    data = to_pem(Ed25519PrivateKey.generate(), SECRET)
    middle = len(data) // 2
    (tmp_path / "key").write_bytes(data[:middle] + bytes([data[middle] ^ 3]) + data[middle + 1 :])
    with pytest.raises(SignatureError, match=r"does not open|not a usable"):
        load_private_key(tmp_path / "key", lambda: SECRET)


def test_keygen_makes_an_encrypted_key_and_shows_it_without_the_passphrase(config):
    public, made = keygen(passphrase=SECRET)
    assert made
    assert holds_encrypted_key()
    assert stat.S_IMODE((config / "runner.key").stat().st_mode) == 0o600
    assert fingerprint(keygen()[0]) == fingerprint(public), "no passphrase was asked for"
    assert fingerprint(runner_key(passphrase=lambda: SECRET).public_key()) == fingerprint(public)
    assert SECRET not in b"".join(path.read_bytes() for path in config.iterdir())


def test_a_plain_key_is_encrypted_in_place_and_stays_the_same_key(config):
    first = runner_key(passphrase=never)
    public, made = keygen(passphrase=SECRET)
    assert not made
    assert fingerprint(public) == fingerprint(first.public_key())
    assert is_encrypted(config / "runner.key")
    assert sorted(path.name for path in config.iterdir()) == ["runner.key", "runner.pub"]


def test_the_passphrase_comes_from_a_file_then_the_environment(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SignatureError, match=r"needs a passphrase(.|\n)*--passphrase-file") as none:
        read_passphrase()
    assert none.value.exit_code == 10
    monkeypatch.setenv(FROM_ENVIRONMENT, "from the environment")
    assert read_passphrase() == b"from the environment"
    for name in ("first", "second"):
        (tmp_path / name).write_text(f"{name} file\nignored\n", encoding="utf-8")
        (tmp_path / name).chmod(0o600)
    monkeypatch.setenv(FROM_FILE, str(tmp_path / "first"))
    assert read_passphrase() == b"first file"
    assert read_passphrase(tmp_path / "second") == b"second file"


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [
        ("correct horse", 0o644, r"can be read by other users(.|\n)*chmod 600"),
        ("correct horse", 0o640, "can be read by other users"),
        ("", 0o600, "cannot be used"),
        ("x" * 5000, 0o600, "cannot be used"),
        ("short", 0o600, "cannot be used"),
        (None, 0o600, "cannot be read"),
    ],
)
def test_a_passphrase_file_that_is_unfit_is_refused(tmp_path, content, mode, reason):
    path = tmp_path / "secret"
    if content is not None:
        path.write_text(content, encoding="utf-8")
        path.chmod(mode)
    with pytest.raises(SignatureError, match=reason) as caught:
        read_passphrase(path, new=True)
    assert "correct horse" not in str(caught.value)


def test_no_verb_takes_a_passphrase_on_the_command_line():
    from kit.cli.verbs import verbs

    for name, verb in verbs.commands.items():
        options = [option for each in verb.params for option in each.opts]
        secret = [option for option in options if "pass" in option]
        assert secret == (["--passphrase-file"] if name in {"sign", "keygen"} else []), name


def test_a_terminal_is_asked_twice_and_shows_nothing(config, tmp_path):
    """A person at a terminal, played by a pseudo-terminal."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "kit", "keygen", "--encrypt"],
        cwd=PROJECT, stdin=follower, stdout=follower, stderr=follower,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "XDG_CONFIG_HOME": str(tmp_path / "config")},
        preexec_fn=lambda: os.login_tty(follower),
    )  # fmt: skip
    os.close(follower)
    said = b""
    for _ in range(2):
        while not said.endswith(b": "):
            said += os.read(leader, 1024)
        os.write(leader, SECRET + b"\n")
        said += os.read(leader, 1024)
    while process.poll() is None or b"fingerprint" not in said:
        try:
            said += os.read(leader, 1024)
        except OSError:  # how a pseudo-terminal says that its other end is closed
            break
    assert process.wait(timeout=30) == 0, said
    assert SECRET not in said
    assert b"made the encrypted runner key" in said
    assert is_encrypted(config / "runner.key")
