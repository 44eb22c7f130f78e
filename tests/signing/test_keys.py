"""The runner key is private, is made once, and lies outside what is published."""

import stat
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from kit.artifacts import PROJECT
from kit.cli.verbs import verbs
from kit.digests import sha256_bytes
from kit.errors import SignatureError, StorageError
from kit.signing.allowed_signers import AUTHOR, LISTED, read_signers
from kit.signing.keys import fingerprint, key_folder, keygen, public_line, raw_public, runner_key
from kit.signing.trust import GIVEN, RUNNER, read_public_key, trusted_keys
from tests.toys.signed_result import KEY

PUBLIC = KEY.public_key()
LINE = public_line(PUBLIC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "pebench"


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_first_use_makes_a_private_key_and_the_next_one_finds_it(config):
    first, second = runner_key(), runner_key()
    assert raw_public(first.public_key()) == raw_public(second.public_key())
    assert (mode(config), mode(config / "runner.key")) == (0o700, 0o600)
    assert sorted(path.name for path in config.iterdir()) == ["runner.key", "runner.pub"]


def test_a_fingerprint_is_the_sha256_of_the_raw_key():
    raw = PUBLIC.public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert fingerprint(PUBLIC) == sha256_bytes(raw)


def test_keygen_keeps_an_existing_key_unless_forced(config):
    first, made = keygen()
    assert made
    again, made = keygen()
    assert (fingerprint(again), made) == (fingerprint(first), False)
    other, made = keygen(force=True)
    assert made
    assert fingerprint(other) != fingerprint(first)
    assert fingerprint(read_public_key(config / "runner.pub")) == fingerprint(other)
    assert mode(config / "runner.key") == 0o600


def test_what_keygen_prints_has_no_empty_line(config):
    said = CliRunner().invoke(verbs, ["keygen"]).stdout.splitlines()
    assert [line.partition(":")[0] for line in said[1:]] == ["public key", "fingerprint"]


def test_two_keygens_at_once_leave_one_key(config):
    program = "from kit.signing.keys import *; print(fingerprint(keygen()[0]))"
    racers = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    printed = {racer.communicate(timeout=60)[0] for racer in racers}
    assert len(printed) == 1
    assert fingerprint(read_public_key(config / "runner.pub")) == printed.pop().strip()
    assert len(list(config.iterdir())) == 2


@pytest.mark.parametrize("loose", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_use_is_refused_with_the_remedy(config, loose):
    keygen()
    (config / "runner.key").chmod(loose)
    with pytest.raises(SignatureError, match=r"remedy: chmod 600 .*runner\.key"):
        runner_key()


def test_a_key_folder_that_others_can_use_is_refused(config):
    config.mkdir(parents=True)
    config.chmod(0o755)
    with pytest.raises(SignatureError, match="remedy: chmod 700"):
        runner_key()
    assert not list(config.iterdir())


def test_a_key_inside_the_results_or_the_project_is_refused(tmp_path, monkeypatch):
    with pytest.raises(SignatureError, match="would lie in"):
        runner_key(outside=[tmp_path])
    monkeypatch.setenv("PEBENCH_RESULTS", str(tmp_path))
    with pytest.raises(SignatureError, match="would lie in"):
        runner_key()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(PROJECT))
    with pytest.raises(SignatureError, match="would lie in"):
        keygen()


def test_without_a_home_the_error_says_what_to_set(monkeypatch):
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.delenv("HOME")
    with pytest.raises(SignatureError, match="remedy: export XDG_CONFIG_HOME="):
        runner_key()
    assert RUNNER not in {key.role for key in trusted_keys()}


def test_a_relative_config_folder_is_ignored_as_the_standard_says(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert key_folder() == tmp_path / ".config" / "pebench"


def test_a_config_folder_that_cannot_be_made_is_a_storage_error(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="cannot be written or read"):
        runner_key()


def test_a_key_of_another_kind_is_refused(config):
    keygen()
    other = generate_private_key(SECP256R1())
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content in (pem, b"", b"\xff" * 5000):
        (config / "runner.key").write_bytes(content)
        with pytest.raises(SignatureError, match="not a usable runner key"):
            runner_key()


def test_the_roles_are_author_runner_and_given_key(tmp_path):
    own, _ = keygen()
    signers, given = tmp_path / "allowed_signers", tmp_path / "given.pem"
    signers.write_text(f"# authors\n\nauthor@lab {LINE}reviewer {LINE}", encoding="utf-8")
    given.write_bytes(PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    keys = trusted_keys(given, signers=signers)
    assert [key.role for key in keys] == [AUTHOR, LISTED, RUNNER, GIVEN]
    assert fingerprint(keys[2].public) == fingerprint(own)
    assert fingerprint(keys[3].public) == fingerprint(PUBLIC)


def test_the_committed_list_of_signers_can_be_read():
    assert {key.role for key in trusted_keys()} <= {AUTHOR, LISTED}


@pytest.mark.parametrize(
    ("options", "accepted"),
    [
        ('namespaces="pebench-results@v1" ', True),
        ('namespaces="file,pebench-results@v1" ', True),
        ('namespaces="file" ', False),
        ('valid-after="20260101",valid-before="20270101" ', True),
        ('valid-after="20260701Z" ', False),
        ('valid-before="202605010000Z" ', False),
    ],
)
def test_a_listed_key_counts_for_its_namespace_and_period(tmp_path, options, accepted):
    signers = tmp_path / "allowed_signers"
    signers.write_text(f"author {options}{LINE}", encoding="utf-8")
    (key,) = read_signers(signers)
    assert (key.refusal == "" and key.period.holds(NOW)) is accepted


@pytest.mark.parametrize(
    "line",
    [
        f"author cert-authority {LINE}",
        f'author valid-after="soon" {LINE}',
        f'author valid-after="20270101Z",valid-before="20260101Z" {LINE}',
        "author ssh-ed25519 AAAA",
        "author ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ",
        "author",
        f"author verify-required,namespaces=file {LINE}",
    ],
)
def test_a_line_of_signers_that_is_not_understood_is_an_error(tmp_path, line):
    signers = tmp_path / "allowed_signers"
    signers.write_text(line, encoding="utf-8")
    with pytest.raises(SignatureError, match="allowed_signers:1 is not a line"):
        list(read_signers(signers))


@pytest.mark.parametrize("content", ["", "ssh-ed25519 AAAA", "hello", LINE * 2, "\0"])
def test_a_file_that_is_no_public_key_is_refused(tmp_path, content):
    (tmp_path / "given").write_text(content, encoding="utf-8")
    with pytest.raises(SignatureError, match=r"not an Ed25519 public key|cannot be read"):
        read_public_key(tmp_path / "given")


def test_a_private_key_is_never_taken_for_a_public_one(config):
    keygen()
    with pytest.raises(SignatureError, match="is a private key"):
        read_public_key(config / "runner.key")


def test_a_missing_trust_file_is_named(tmp_path):
    with pytest.raises(SignatureError, match="nowhere"):
        read_public_key(tmp_path / "nowhere")
