"""What `./run.sh sign --keyless` publishes in the name of an identity, and what it does not."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kit.artifacts import PROJECT
from kit.result.layout import BUNDLE
from tests.sigstore.environment import (
    ALICE,
    ISSUER,
    WHO,
    keyless_kit,
    keyless_python,
    publish,
    surroundings,
)
from tests.sigstore.instance import Instance, token

pytest_plugins = ["tests.sigstore.fixtures"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "alice"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [  # made when the test runs: a token that was made when it was collected has expired by then
        (lambda: token("bob@example.org", ISSUER), "the identity token is for another identity"),
        (
            lambda: token(ALICE, "https://evil.example.org"),
            "the identity token is for another identity",
        ),
        (lambda: token(ALICE, ISSUER, seconds=-60), "there is no usable identity token"),
        (lambda: token(ALICE, ISSUER, audience="a shop"), "there is no usable identity token"),
        (lambda: "no token", "there is no usable identity token"),
        (lambda: "", "there is no usable identity token"),
    ],
    ids=["identity", "provider", "expired", "audience", "text", "empty"],
)
def test_nothing_is_published_with_another_token(damaged, config, instance, home, raw, reason):
    posted = len(instance.posted)
    done = publish(damaged, config, home, raw=raw())
    assert done.returncode == 10
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert len(instance.posted) == posted
    assert not (damaged / BUNDLE).exists()


def test_a_token_that_is_not_there_is_named(damaged, config, home):
    home.mkdir()
    words = [*WHO, "--identity-token", str(home / "missing")]
    done = keyless_kit(
        "sign", str(damaged), "--keyless", *words, "--trust-config", str(config), home=home
    )
    assert done.returncode == 10
    assert str(home / "missing") in done.stderr


def test_without_a_token_and_a_provider_to_ask_nothing_is_published(
    damaged, config, instance, home
):
    home.mkdir()
    posted = len(instance.posted)
    done = keyless_kit(
        "sign", str(damaged), "--keyless", *WHO, "--trust-config", str(config), home=home
    )
    assert done.returncode == 10
    assert "there is no usable identity token" in done.stderr
    assert "without a browser: --identity-token FILE" in done.stderr
    assert len(instance.posted) == posted
    assert not (damaged / BUNDLE).exists()


@pytest.mark.parametrize("path", ["/api/v2/signingCert", "/api/v1/log/entries"])
def test_where_sigstore_fails_the_keys_signature_stays_and_it_is_said(
    damaged, config, instance, home, path
):
    instance.down = path
    try:
        done = publish(damaged, config, home)
    finally:
        instance.down = ""
    assert done.returncode == 10
    assert "Sigstore did not sign, but its logs may already show the identity" in done.stderr
    assert "the result has only the signatures of the key" in done.stderr
    assert not (damaged / BUNDLE).exists()
    assert keyless_kit("verify", str(damaged), home=home).returncode == 0


@pytest.mark.parametrize("path", ["/api/v2/signingCert", "/api/v1/log/entries"])
def test_a_sigstore_that_never_answers_is_not_waited_for(damaged, home, path):
    impatient = (
        "import sys; from kit.cli import entry; from kit.signing import keyless_sign; "
        "keyless_sign.ANSWER_SECONDS = 1; entry.main(sys.argv[1:])"
    )
    python = keyless_python()
    with Instance() as quiet:
        home.mkdir()
        (home / "token").write_text(token(ALICE, ISSUER))
        quiet.silent = path
        words = ["--trust-config", str(quiet.trust_config(home / "config.json"))]
        words += ["--identity-token", str(home / "token"), *WHO]
        done = subprocess.run(
            [str(python), "-c", impatient, "sign", str(damaged), "--keyless", *words],
            cwd=PROJECT,
            env=surroundings(home),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 10, done.stderr
    assert "Sigstore did not sign" in done.stderr
    assert "no answer within 1 s" in done.stderr
    assert not (damaged / BUNDLE).exists()


@pytest.mark.parametrize("service", ["certificate_log", "log", "authority"])
def test_a_service_that_is_not_the_one_of_the_trust_config_is_not_believed(damaged, home, service):
    keyless_python()
    with Instance() as turned:
        home.mkdir()
        config = turned.trust_config(home / "config.json")
        setattr(turned, service, ec.generate_private_key(ec.SECP256R1()))
        done = publish(damaged, config, home)
    assert done.returncode == 10
    assert "Traceback" not in done.stderr
    assert not (damaged / BUNDLE).exists()


def test_a_signature_that_was_logged_after_the_certificate_ended_is_not_believed(damaged, home):
    keyless_python()
    with Instance() as late:
        home.mkdir()
        late.delay = 3600
        done = publish(damaged, late.trust_config(home / "config.json"), home)
    assert done.returncode == 10
    assert "cannot be accepted" in done.stderr
    assert not (damaged / BUNDLE).exists()


@pytest.mark.parametrize(
    "words",
    [
        ["sign", "--keyless"],
        ["sign", "--keyless", "--identity", ALICE],
        ["sign", "--keyless", "--issuer", ISSUER],
        ["sign", *WHO],
        ["sign", "--identity-token", "x"],
        ["verify", "--identity", ALICE],
        ["verify", "--issuer", ISSUER],
        ["verify", "--identity", "", "--issuer", ISSUER],
        ["verify", "--trust-config", "x"],
    ],
)
def test_an_identity_is_stated_whole_or_not_at_all(signed, tmp_path, words):
    keyless_python()
    done = keyless_kit(words[0], str(signed), *words[1:], home=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Usage" in done.stderr or "expected" in done.stderr
