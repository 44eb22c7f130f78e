"""An identity vouches for a result. Sigstore's own client talks to an instance on this machine."""

import base64
import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kit.artifacts import PROJECT
from kit.errors import EnvironmentFault, SignatureError
from kit.result.layout import BUNDLE, ENVELOPE
from kit.signing.allowed_signers import AUTHOR, TrustedKey
from kit.signing.keyless import Identity, statement_in
from kit.signing.keys import public_line
from kit.signing.period import Period
from kit.signing.sign import sign
from kit.verification.verify import verify
from tests.sigstore.environment import ALICE, ISSUER, WHO, keyless_kit, keyless_python
from tests.sigstore.instance import Instance
from tests.toys.mutations import OTHER
from tests.toys.signed_result import KEY, KIT, TRUSTED, copy_of, edit_json, rejects

pytest_plugins = ["tests.sigstore.fixtures"]


def test_a_reviewer_who_trusts_the_identity_needs_no_key(vouched, config, tmp_path):
    """The reviewer knows no key: a new home, and neither --trust nor a list has the key."""
    done = keyless_kit("verify", str(vouched), *WHO, "--trust-config", str(config), home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"signed by identity ({ALICE}, issuer {ISSUER}, certified 20" in done.stdout
    assert "4 claims follow" in done.stdout, "the numbers are recomputed as always"
    said = " ".join(done.stdout.split())  # the terminal's lines end anywhere
    assert "that only this person can act as this identity" in said
    assert "when the result was" not in done.stdout, "the log says when"


def test_without_the_identity_the_key_decides_and_the_bundle_counts_for_nothing(vouched):
    found = verify(vouched, trusted=TRUSTED)
    assert f"{BUNDLE} was NOT checked" in found.messages[0]
    with pytest.raises(SignatureError, match="not signed by a key that you trust") as unknown:
        verify(vouched, trusted=())
    assert "--identity NAME --issuer URL" in str(unknown.value)


def test_a_log_entry_alone_does_not_bring_an_expired_key_back(vouched):
    """It covers the statement; a thief of the key could sign an old, logged statement today."""
    past = datetime(2020, 1, 1, tzinfo=UTC)
    expired = TrustedKey(KEY.public_key(), AUTHOR, "author, list:1", Period(None, past))
    with pytest.raises(SignatureError, match="has expired, and nothing proves") as caught:
        verify(vouched, trusted=[expired])
    way = "or, if you know who made manifest.sigstore.json, add: --identity NAME --issuer URL"
    assert way in str(caught.value)


def test_the_bundle_holds_the_statement_that_the_key_signed(vouched):
    envelope = json.loads((vouched / ENVELOPE).read_bytes())
    assert statement_in((vouched / BUNDLE).read_bytes()) == base64.b64decode(envelope["payload"])


def test_an_environment_without_sigstore_says_so_and_does_not_fall_back(vouched):
    with pytest.raises(EnvironmentFault, match="has no sigstore"):
        verify(vouched, trusted=TRUSTED, identity=Identity(ALICE, ISSUER))


# How a bundle goes bad. Each takes a copy of the vouched result and changes it in place.
Change = Callable[[Path], None]


def bundle(*path: str | int, value: Any = None, drop: bool = False) -> Change:
    """Set or drop one value of the bundle, by its path."""

    def change(result: Path) -> None:
        whole = json.loads((result / BUNDLE).read_bytes())
        place = whole
        for step in path[:-1]:
            place = place[step]
        if drop:
            del place[path[-1]]
        else:
            place[path[-1]] = value(place[path[-1]]) if callable(value) else value
        (result / BUNDLE).write_text(json.dumps(whole))

    return change


def written(data: bytes) -> Change:
    return lambda result: (result / BUNDLE).write_bytes(data) and None


def flipped(text: str) -> str:
    """Return base64 text of the same bytes with one bit changed."""
    data = bytearray(base64.b64decode(text))
    data[len(data) // 2] ^= 1
    return base64.b64encode(data).decode()


def link(result: Path) -> None:
    (result / BUNDLE).rename(result.parent / "outside")
    (result / BUNDLE).symlink_to(result.parent / "outside")


def pipe(result: Path) -> None:
    (result / BUNDLE).unlink()
    os.mkfifo(result / BUNDLE)


def folder(result: Path) -> None:
    (result / BUNDLE).unlink()
    (result / BUNDLE).mkdir()


def doubled_key(result: Path) -> None:
    text = (result / BUNDLE).read_text().rstrip()
    (result / BUNDLE).write_text(text[:-1] + ',"mediaType":"x"}')


def other_result(result: Path) -> None:
    """The key signs an edited result; the identity's signature of the first one is put back."""
    bundle = (result / BUNDLE).read_bytes()
    edit_json(result / "run.json", kit=KIT | {"version": "9.9.9"})
    sign(result, key=KEY)
    (result / BUNDLE).write_bytes(bundle)


def statement_exchanged(result: Path) -> None:
    """Both statements are edited alike: the key signs its own, the identity's cannot be."""
    edit_json(result / "run.json", kit=KIT | {"version": "9.9.9"})
    bundle_of = (result / BUNDLE).read_bytes()
    sign(result, key=KEY)
    payload = json.loads((result / ENVELOPE).read_bytes())["payload"]
    (result / BUNDLE).write_bytes(bundle_of)
    bundle("dsseEnvelope", "payload", value=payload)(result)


ENTRY = ("verificationMaterial", "tlogEntries", 0)
REFUSED: dict[str, tuple[Change, int, str]] = {
    "no bundle": (lambda r: (r / BUNDLE).unlink(), 10, "no identity has signed"),
    "empty": (written(b""), 10, "contains no statement"),
    "not JSON": (written(b"PK\3\4"), 10, "contains no statement"),
    "a list": (written(b"[]"), 10, "contains no statement"),
    "nested deep": (written(b"[" * 5000), 10, "contains no statement"),
    "too large": (written(b" " * (17 << 20)), 1, "too large"),
    "a key twice": (doubled_key, 10, "contains no statement"),
    "a link": (link, 10, "is no regular file"),
    "a pipe": (pipe, 10, "is no regular file"),
    "a folder": (folder, 10, "is no regular file"),
    "of another result": (other_result, 10, "contain different statements"),
    "statement exchanged": (statement_exchanged, 10, "cannot be accepted"),
    "another media type": (bundle("mediaType", value="x"), 10, "cannot be accepted"),
    "no envelope": (bundle("dsseEnvelope", drop=True), 10, "contains no statement"),
    "another payload type": (
        bundle("dsseEnvelope", "payloadType", value="text/plain"), 10, "contains no statement",
    ),
    "no signature": (bundle("dsseEnvelope", "signatures", value=[]), 10, "cannot be accepted"),
    "two signatures": (
        bundle("dsseEnvelope", "signatures", value=lambda s: s * 2), 10, "cannot be accepted",
    ),
    "wrong signature": (
        bundle("dsseEnvelope", "signatures", 0, "sig", value=flipped), 10, "cannot be accepted",
    ),
    "no certificate": (
        bundle("verificationMaterial", "certificate", drop=True), 10, "cannot be accepted",
    ),
    "changed certificate": (
        bundle("verificationMaterial", "certificate", "rawBytes", value=flipped), 10,
        "cannot be accepted",
    ),
    "not logged": (
        bundle("verificationMaterial", "tlogEntries", value=[]), 10, "cannot be accepted",
    ),
    "no proof": (bundle(*ENTRY, "inclusionProof", drop=True), 10, "cannot be accepted"),
    "proof of another entry": (
        bundle(*ENTRY, "inclusionProof", "hashes", 0, value=flipped), 10, "cannot be accepted",
    ),
    "another time": (
        bundle(*ENTRY, "integratedTime", value=lambda t: str(int(t) + 1)), 10, "cannot be accepted",
    ),
    "no promise, so no time": (
        bundle(*ENTRY, "inclusionPromise", drop=True), 10, "must contain an inclusion promise",
    ),
    "entry of another signature": (
        bundle(*ENTRY, "canonicalizedBody", value=flipped), 10, "cannot be accepted",
    ),
}  # fmt: skip


def verified(cases: list[dict[str, Any]], folder: Path) -> dict[str, tuple[int, str]]:
    (folder / "cases.json").write_text(json.dumps(cases))
    done = subprocess.run(
        [str(keyless_python()), "-P", "-m", "tests.sigstore.driver", str(folder / "cases.json")],
        env={"PYTHONPATH": str(PROJECT), "PATH": "/usr/bin:/bin", "HOME": str(folder / "nobody")},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {name: tuple(said) for name, said in json.loads(done.stdout).items()}


def case(name: str, result: Path, config: Path | None, **more: Any) -> dict[str, Any]:
    who = {"identity": ALICE, "issuer": ISSUER, "trust_config": config and str(config)}
    return {"name": name, "result": str(result), **who, **more}


@pytest.fixture(scope="module")
def outcomes(
    vouched: Path, config: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[int, str]]:
    """What comes of the good result, of each bad one, and of each wrong expectation."""
    root = tmp_path_factory.mktemp("cases")
    key = root / "key.pub"
    key.write_text(public_line(KEY.public_key()))
    stranger = copy_of(vouched, root)
    bundle_bytes = (stranger / BUNDLE).read_bytes()
    sign(stranger, key=OTHER)
    assert (stranger / BUNDLE).read_bytes() == bundle_bytes, "the same statement: it stays"
    (root / "config.json").write_text("{}")
    with Instance() as other:
        elsewhere = other.trust_config(root / "elsewhere.json")
    whole = json.loads(config.read_text())
    (root / "root.json").write_text(json.dumps(whole["trustedRoot"]))
    cases = [
        case("good", vouched, config),
        case("good, by its trusted root", vouched, root / "root.json"),
        case("another identity", vouched, config, identity="eve@example.org"),
        case("another provider", vouched, config, issuer="https://evil.example.org"),
        case("part of a name", vouched, config, identity="lice@example.org"),
        case("another Sigstore", vouched, elsewhere),
        case("the public Sigstore", vouched, None),
        case("no trust config", vouched, root / "config.json"),
        case("missing trust config", vouched, root / "missing.json"),
        case("a stranger's key", stranger, config),
        case("a revoked key", vouched, config, revoked=str(key)),
        case("an expired key", vouched, config, expired=str(key)),
    ]
    for name, (change, _, _) in REFUSED.items():
        (root / name.replace(" ", "-")).mkdir()
        result = copy_of(vouched, root / name.replace(" ", "-"))
        change(result)
        cases.append(case(name, result, config))
    return verified(cases, root)


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_bundle_is_refused(outcomes, name):
    _, code, reason = REFUSED[name]
    assert outcomes[name][0] == code, outcomes[name]
    assert reason in outcomes[name][1]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("another identity", "SANs do not match eve@example.org"),
        ("another provider", "does not match"),
        ("part of a name", "SANs do not match lice@example.org"),
        ("another Sigstore", "cannot be accepted"),
        ("the public Sigstore", "cannot be accepted"),
        ("no trust config", "does not describe a Sigstore"),
        ("missing trust config", "does not describe a Sigstore"),
        ("a revoked key", "it was revoked"),
    ],
)
def test_any_signer_but_the_stated_identity_is_refused(outcomes, name, reason):
    code, said = outcomes[name]
    assert code == 10
    assert reason in said


@pytest.mark.parametrize("name", ["good", "good, by its trusted root", "a stranger's key"])
def test_the_identity_vouches_for_the_statement_whatever_key_is_beside_it(outcomes, name):
    code, said = outcomes[name]
    assert code == 0, said
    assert f"signed by identity ({ALICE}, issuer {ISSUER}, certified " in said


def test_the_identity_vouches_for_a_result_whose_key_has_expired_and_that_is_shown(outcomes):
    code, output = outcomes["an expired key"]
    assert code == 0, output
    assert "list lists the key as author, expired since 2020-01-01 00:00 UTC" in output


def test_a_bundle_of_another_statement_is_refused_without_sigstore_as_well(vouched, tmp_path):
    result = copy_of(vouched, tmp_path)
    other_result(result)
    rejects(result, SignatureError, "contain different statements")


def test_signing_again_keeps_the_bundle_of_the_same_statement_and_no_other(vouched, tmp_path):
    result = copy_of(vouched, tmp_path)
    before = (result / BUNDLE).read_bytes()
    sign(result, key=KEY)
    assert (result / BUNDLE).read_bytes() == before
    edit_json(result / "run.json", kit=KIT | {"version": "9.9.9"})
    sign(result, key=KEY)
    assert not (result / BUNDLE).exists()


def test_the_packaged_keys_of_the_public_sigstore_can_be_read():
    """A new version of the package may store them in another file."""
    code = (
        "from kit.signing.keyless import trusted_root as r; print(len(r(None).get_fulcio_certs()))"
    )
    done = subprocess.run(
        [str(keyless_python()), "-P", "-c", code],
        env={"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) > 0


def test_the_listed_timestamp_authority_is_the_one_of_the_packaged_sigstore():
    code = (
        "from kit.signing.keyless import trusted_root\n"
        "from kit.signing.timestamp import AUTHORITIES, read_authorities\n"
        "packaged = trusted_root(None).get_timestamp_authorities()\n"
        "theirs = [each for one in packaged for each in one.certificates(allow_expired=True)]\n"
        "roots, others = read_authorities(AUTHORITIES)\n"
        "print(len(roots), not others, all(root in theirs for root in roots))\n"
    )
    done = subprocess.run(
        [str(keyless_python()), "-P", "-c", code],
        env={"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "1 True True\n", done.stderr
