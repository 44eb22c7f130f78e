"""A workflow of a build service signs; `verify` says which one, at which commit, in which run."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit.result.layout import BUNDLE
from kit.signing.workflow import GITHUB, GITLAB, certified_name, workflow_of
from kit.verification.text import NOT_PROVEN_OF_A_WORKFLOW
from tests.sigstore.environment import keyless_kit, publish
from tests.sigstore.instance import token
from tests.toys.signed_result import KIT

pytest_plugins = ["tests.sigstore.fixtures"]

REPOSITORY = "octo/kit"
REF = f"{REPOSITORY}/.github/workflows/reproduce.yml@refs/heads/main"
WORKFLOW = f"https://github.com/{REF}"
COMMIT = KIT["revision"]  # that of the kit in run.json
SUBJECT = f"repo:{REPOSITORY}:ref:refs/heads/main"
CLAIMS = {
    "job_workflow_ref": REF, "job_workflow_sha": COMMIT, "sha": COMMIT, "repository": REPOSITORY,
    "run_id": "17", "run_attempt": "2", "runner_environment": "github-hosted",
}  # fmt: skip
WHO = ["--identity", WORKFLOW, "--issuer", GITHUB]


def job(**changes: str) -> str:
    return token(SUBJECT, GITHUB, **CLAIMS | changes)


def said_by_verify(result, config, home, *words: str) -> str:
    done = keyless_kit("verify", str(result), *words, "--trust-config", str(config), home=home)
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


def test_a_workflow_signs_and_its_commit_run_and_runner_are_told(damaged, config, tmp_path):
    """The identity is the address of its file, though the subject of its token is another name."""
    done = publish(damaged, config, tmp_path / "runner", raw=job(), words=WHO)
    assert done.returncode == 0, done.stderr
    said = said_by_verify(damaged, config, tmp_path, *WHO)
    assert f"signed by workflow ({WORKFLOW}, issuer {GITHUB}, certified 20" in said
    assert (
        f"made by this workflow at commit {COMMIT}, in the run "
        f"https://github.com/{REPOSITORY}/actions/runs/17/attempts/2, on a github-hosted runner"
    ) in said
    assert "the kit is of the commit that the workflow ran at" in said
    assert " ".join(NOT_PROVEN_OF_A_WORKFLOW.split()) in said
    assert "only the signer vouches for that" not in said
    other = WORKFLOW.replace("main", "mine")
    words = ["--identity", other, "--issuer", GITHUB, "--trust-config", str(config)]
    refused = keyless_kit("verify", str(damaged), *words, home=tmp_path)
    assert refused.returncode == 10
    assert f"SANs do not match {other}" in " ".join(refused.stderr.split())


def test_another_commit_than_that_of_the_kit_is_told(damaged, config, tmp_path):
    raw = job(sha="ab" * 20)
    assert publish(damaged, config, tmp_path / "runner", raw=raw, words=WHO).returncode == 0
    said = said_by_verify(damaged, config, tmp_path, *WHO)
    assert f"at commit {'ab' * 20}, its file of commit {COMMIT}" in said
    assert f"-- the workflow ran at commit {'ab' * 20}, and run.json says that the kit is" in said


def test_a_token_of_another_workflow_publishes_nothing(damaged, config, instance, tmp_path):
    posted = len(instance.posted)
    raw = job(job_workflow_ref=REF.replace("reproduce", "other"))
    done = publish(damaged, config, tmp_path / "runner", raw=raw, words=WHO)
    assert done.returncode == 10
    assert "the identity token is for another identity" in done.stderr
    assert "other.yml" in done.stderr
    assert len(instance.posted) == posted
    assert not (damaged / BUNDLE).exists()


@pytest.mark.parametrize(
    ("issuer", "claims", "name"),
    [
        (GITHUB, {"job_workflow_ref": REF}, WORKFLOW),
        (GITLAB, {"ci_config_ref_uri": "gitlab.com/a/b//.gitlab-ci.yml@refs/heads/main"},
         "https://gitlab.com/a/b//.gitlab-ci.yml@refs/heads/main"),
        (GITLAB, {}, None),
        ("https://accounts.example.org", {"job_workflow_ref": REF}, None),
    ],
)  # fmt: skip
def test_the_identity_of_a_job_is_the_address_of_its_file(issuer, claims, name):
    assert certified_name(token("a person", issuer, **claims)) == name


def certificate(**stated: bytes) -> x509.Certificate:
    key, now = Ed25519PrivateKey.generate(), datetime.now(UTC)
    name = x509.Name([])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(1))
    for number, value in stated.items():
        oid = x509.ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{number[1:]}")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
    return builder.sign(key, None)


def test_a_long_text_and_a_missing_one_are_read_and_another_form_is_none():
    long = "x" * 200
    found = workflow_of(certificate(_13=b"\x0c\x02ab", _21=b"\x0c\x81\xc8" + long.encode()))
    assert (found.commit, found.file_commit, found.run) == ("ab", "ab", long)
    assert "on a (not stated) runner" in str(found)
    assert workflow_of(certificate()) is None
    for form in (b"", b"\x0c", b"\x0c\x03ab", b"\x0c\x01ab", b"ab", b"\x0c\x82\x00"):
        assert workflow_of(certificate(_13=form)) is None, form


def test_what_a_certificate_states_is_printed_without_effect():
    found = workflow_of(certificate(_13=b"\x0c\x02ab", _11=b"\x0c\x04\x1b[2J"))
    assert "\x1b" not in str(found)
    assert json.dumps(str(found)).isascii()
