"""Every way in which a result goes bad fails with its own message and the documented exit code."""

import copy
import json
from contextlib import suppress
from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit import __version__
from kit.errors import KitError, SignatureError, VerificationError
from kit.result.argument import require_made_from
from kit.result.layout import BILL, CRATE, ENVELOPE, SSH_SIGNATURE, SUMS, TEST_RESULT
from kit.signing.keys import public_line
from kit.signing.sshsig import NAMESPACE
from kit.signing.trust import trusted_keys
from kit.verification.verify import verify
from tests.toys import mutations as m
from tests.toys.signed_result import (
    ADAPTER,
    ANSWERS,
    CARD,
    KEY,
    TRUSTED,
    copy_of,
    edit_table,
    forge,
    reseal,
    statement_of,
)

ROWS = "rows.parquet"
README = "adapters/person-npo-s1/README.md"
DEEP = b'{"schema":' + b"[" * 5000 + b"]" * 5000 + b"}"

FILES = {
    "answers flipped": (m.flip(ANSWERS), 1, "answers.parquet: changed after signing"),
    "claims flipped": (m.flip("claims.json"), 1, "claims.json: changed after signing"),
    "page flipped": (m.flip("report/report.html"), 1, "report.html: changed after signing"),
    "adapter flipped": (m.flip(ADAPTER), 1, "adapter_model.safetensors: changed after"),
    "list flipped": (m.flip(SUMS), 1, "SHA256SUMS: changed after signing"),
    "file removed": (m.remove("sets.parquet"), 1, "sets.parquet: missing"),
    "claims removed": (m.remove("claims.json"), 1, "claims.json: missing"),
    "file added": (m.add("notes.txt"), 1, "notes.txt: added after signing"),
    "hidden file added": (m.add(".hidden"), 1, ".hidden: added after signing"),
    "git folder added": (m.add(".git/config"), 1, r"\.git/config: added after signing"),
    "file renamed": (m.rename, 1, "renamed to adapters/other.safetensors"),
    "file cut": (m.cut(ROWS), 1, "rows.parquet: changed after signing"),
    "file longer": (m.append("run.json"), 1, "run.json: changed after signing"),
    "hard link outside": (m.hard_link(ADAPTER), 1, "safetensors: hard link"),
    "hard link inside": (m.hard_link_inside, 1, "twin.safetensors: hard link"),
    "hard-linked signature": (m.hard_link(SSH_SIGNATURE), 1, "SHA256SUMS.sig: hard link"),
    "symbolic link": (m.symlink("run.json"), 1, "run.json: symbolic link"),
    "linked folder": (m.symlink("adapters"), 1, "adapters: symbolic link"),
    "linked statement": (m.symlink(ENVELOPE), 10, "manifest.intoto.json of .* is no regular file"),
    "empty folder": (m.empty_folder, 1, "answers/old: empty folder"),
    "folder for file": (m.folder_for(ROWS), 1, "a folder stands where a file was signed"),
    "file for folder": (m.file_for_folder, 1, "adapters: added after signing"),
    "pipe for file": (m.pipe_for(ROWS), 1, "neither a file nor a folder"),
    "case twin": (m.case_twin, 1, "differs from RUN.json only by letter case"),
}
SIGNATURES = {
    "statement missing": (m.remove(ENVELOPE), 10, "is not signed: it has no manifest.intoto.json"),
    "twin missing": (m.remove(TEST_RESULT), 10, "it has no test-result.intoto.json"),
    "ssh missing": (m.remove(SSH_SIGNATURE), 10, "it has no SHA256SUMS.sig"),
    "no signature": (m.envelope(signatures=[]), 10, "carries no signature"),
    "two, one bad": (m.second_signature, 10, "2 signatures, but one is expected"),
    "other bytes": (m.payload_of_another(ENVELOPE), 10, "changed after it was signed"),
    "other bytes of twin": (m.payload_of_another(TEST_RESULT), 10, "test-result.*is wrong"),
    "no encoding": (m.signature_without_its_type, 10, "not signed by a key that you trust"),
    "statement by other": (m.by_another_key(ENVELOPE), 10, "not signed by a key that you trust"),
    "twin by other": (m.by_another_key(TEST_RESULT), 10, "test-result.*not signed by a key"),
    "ssh by other": (m.by_another_key(SSH_SIGNATURE), 10, "not by the key that signed"),
    "ssh namespace": (m.ssh(namespace="file"), 10, "for the namespace b'file'"),
    "ssh other list": (m.ssh(namespace=NAMESPACE, message=b"x\n"), 10, "list was changed"),
    "ssh flipped": (m.flip(SSH_SIGNATURE), 10, "SSH signature of SHA256SUMS cannot be accepted"),
    "statement replayed": (m.replayed(ENVELOPE), 1, "run.json: changed after signing"),
    "twin replayed": (m.replayed(TEST_RESULT), 1, "list different files"),
    "ssh replayed": (m.replayed(SSH_SIGNATURE), 10, "list was changed after it was signed"),
    "all replayed": (m.replayed(ENVELOPE, TEST_RESULT, SSH_SIGNATURE, SUMS), 1,
                     "run.json: changed after signing"),
    "sums shorter": (m.shorter_sums, 1, "SHA256SUMS and the signed statement list different"),
}  # fmt: skip
STATEMENTS = {
    "payload type": (m.envelope(payloadType="text/plain"), 10, "payloadType 'text/plain'"),
    "statement type": (m.statement(_type="https://in-toto.io/Statement/v0.1"), 10, "not of type"),
    "predicate type": (m.statement(predicateType="https://slsa.dev/provenance/v1"), 10, "slsa"),
    "older predicate": (m.statement(predicateType="urn:pebench-kit:results:v1"), 10, "v1' is not"),
    "newer predicate": (m.statement(predicateType="urn:pebench-kit:results:v3"), 10, "v3' is not"),
    "newer twin": (m.statement(TEST_RESULT, predicateType="https://in-toto.io/x/v0.2"), 10, "v0.2"),
    "no subjects": (m.statement(subject=[]), 10, "lists no files"),
    "no predicate": (m.statement(predicate=None), 10, "has no predicate"),
    "path twice": (m.subject("run.json"), 10, "one is listed twice"),
    "absolute path": (m.subject("/etc/passwd"), 10, "'/etc/passwd' is not safe"),
    "parent path": (m.subject("answers/../../x"), 10, "is not safe"),
    "not NFC": (m.subject("re\u0301sume\u0301"), 10, "normal form C"),
    "case collision": (m.subject("Run.json"), 10, "differ only by letter case"),
    "line break": (m.subject("a\nb"), 10, "is not safe"),
    "own signature": (m.subject(SSH_SIGNATURE), 10, "a file is named 'SHA256SUMS.sig'"),
    "other digest": (m.subject("x", {"sha1": "0" * 40}), 10, "digest of .* is not one sha256"),
    "file not there": (m.subject("zzz"), 1, "zzz: missing"),
    "huge envelope": (lambda r: (r / ENVELOPE).write_bytes(b" " * (17 << 20)), 1, "too large"),
    "deep envelope": (lambda r: (r / ENVELOPE).write_bytes(DEEP), 10, "other parts than a payload"),
}  # fmt: skip
FORGED = {
    "answer edited": (m.cell(ANSWERS, "text", "Ann1 Lee"), 1, "rows.parquet does not follow"),
    "stop edited": (m.cell(ANSWERS, "stop", "length"), 1, "rows.parquet does not follow"),
    "metric edited": (m.cell(ROWS, "value", 0.123, 1), 1, r"row \(.*\): value is 0.123"),
    "interval edited": (m.stored_number("low", 0.01), 1, "low is 0.01, recomputed"),
    "not a number": (m.stored_number("value", float("nan")), 1, "value is (nan|None), recomputed"),
    "infinity": (m.stored_number("high", float("inf")), 1, "high is inf, recomputed"),
    "NaN in JSON": (m.text("run.json", '"torch_threads": 2', '"torch_threads": NaN'), 1,
                    "run.json cannot be used(.|\n)*NaN is not a finite number"),
    "infinity in JSON": (m.text("claims.json", "null", "Infinity"), 1, "Infinity is not a finite"),
    "overflow in JSON": (m.text("claims.json", "null", "1e999"), 1, "1e999 is not a finite"),
    "doubled key": (m.content("run.json", b'{"schema":1,"schema":2}'), 1, "occurs twice"),
    "deep JSON": (m.content("run.json", DEEP), 1, "run.json cannot be used(.|\n)*nested"),
    "huge JSON": (m.content("run.json", b" " * (17 << 20) + b"{}"), 1,
                  "run.json: larger than any honest file"),
    "not UTF-8": (m.content("run.json", b'{"a":"\xff"}'), 1, "run.json cannot be used"),
    "claim dropped": (m.claims(lambda c: c.pop(1)), 1, "claim C2 is missing"),
    "claim added": (m.claims(lambda c: c.append({**c[0], "id": "C9"})), 1, "claim C9 is not in"),
    "verdict edited": (m.claims(lambda c: c[0].update(verdict="REPRODUCED")), 1, "C1: verdict is"),
    "margin edited": (m.claims(lambda c: c[1].update(margin=0.0)), 1, "C2: margin is 0.0"),
    "margin declared anew": (m.manifest_claims(lambda c: c[1].update(margin=0.0)), 1,
                             "C2: margin is 0.1, recomputed 0.0"),
    "claim undeclared": (m.manifest_claims(lambda c: c.pop()), 1, "C4 is not in the manifest"),
    "table edited": (m.text("report/table1.csv", "NPO", "Ours"), 1, "table1.csv: line"),
    "page edited": (m.text("report/report.md", "NPO", "Ours"), 1, "report.md: line"),
    "truncated parquet": (m.truncated_parquet, 1, "answers.parquet cannot be used"),
    "no parquet": (m.content(ANSWERS, b"PAR1" + bytes(40) + b"PAR1"), 1, "cannot be used"),
    "empty parquet": (m.content(ROWS, b""), 1, "rows.parquet cannot be used"),
    "parquet bomb": (m.parquet_bomb, 1, "bytes when unpacked, of"),
}  # fmt: skip
METADATA = {
    "crate flipped": (m.flip(CRATE), 1, "ro-crate-metadata.json: changed after signing"),
    "crate edited": (m.text(CRATE, f'"softwareVersion": "{__version__}"',
                            '"softwareVersion": "9"'), 1,
                     "ro-crate-metadata.json does not follow from run.json(.|\n)*"
                     f"softwareVersion is '9', but '{__version__}' follows"),
    "entity of the crate twice": (m.text(CRATE, '"#manifest"', '"#terms"'), 1, "does not follow"),
    "crate in other words": (m.text(CRATE, "{\n", "{"), 1, "does not follow(.|\n)*line 1 is"),
    "crate removed": (m.signed_again(m.remove(CRATE)), 1, "has no ro-crate-metadata.json"),
    "crate empty": (m.content(CRATE, b""), 1, "ro-crate-metadata.json cannot be used"),
    "time of the run edited": (m.text("run.json", '"2026-01-02T04:05:06', '"2026-02-02T04:05:06'),
                               1, "ro-crate-metadata.json does not follow from run.json"),
    "weights replaced": (m.signed_again(m.flip(ADAPTER)), 1,
                         "model.safetensors: .*(finite|header|offsets|puts them)"
                         "|ro-crate(.|\n)*model.safetensors.sha256 is '.*', but '.*' follows"),
    "file added and signed": (m.signed_again(m.add("notes.txt")), 1,
                              "signed that no result has: 1\n(.|\n)*found: notes.txt\n"),
    "losses not in the crate": (m.signed_again(m.append("adapters/person-npo-s1/README.md")), 1,
                                "README.md does not follow"),
    "file signed away": (m.signed_again(m.remove(ADAPTER)), 1,
                         "adapter_model.safetensors: it is missing"),
    "card edited": (m.text(README, "NPO", "Ours"), 1,
                    "README.md does not follow from .*card.json(.|\n)*'.*Ours"),
    "card removed": (m.signed_again(m.remove(README)), 1, "has no adapters/.*/README.md"),
    "facts of the card edited": (m.text(CARD, '"steps": 30', '"steps": 40'), 1,
                                 "README.md does not follow from .*card.json, run.json and rows"),
    "facts of the card removed": (m.signed_again(m.remove(CARD)), 1,
                                  "has no adapters/.*/card.json"),
    "facts of the card of another": (m.text(CARD, "person-npo-s1", "person-ga-s1"), 1,
                                     "card.json or run.json cannot be used(.|\n)*person-ga-s1"),
    "no facts in the card": (m.content(CARD, b"[]"), 1, "card.json or run.json cannot be used"),
    "SBOM flipped": (m.flip(BILL), 1, "environment.cdx.json: changed after signing"),
    "SBOM removed": (m.signed_again(m.remove(BILL)), 1, "has no environment.cdx.json"),
    "SBOM of another version": (m.text(BILL, '"version": "2.3.5"', '"version": "2.3.4"'), 1,
                                "not the SBOM(.|\n)*numpy: 2.3.4, run.json has 2.3.5"),
    "package left out of SBOM": (m.bill(lambda c: c.pop()), 1, "numpy: missing, run.json has 2"),
    "package added to SBOM": (m.bill(lambda c: c.append({"name": "x", "version": "1"})), 1,
                              "x: 1, run.json has none"),
    "package told otherwise": (m.bill(lambda c: c[1].update(purl="pkg:pypi/other@1")), 1,
                               "other descriptions"),
    "head of SBOM edited": (m.text(BILL, "CycloneDX", "Cyclone"), 1, "its header or its serial"),
    "no SBOM": (m.content(BILL, b"[]"), 1, "not a CycloneDX document"),
}  # fmt: skip
CASES = FILES | SIGNATURES | STATEMENTS | FORGED | METADATA


def test_there_are_enough_ways():
    assert len(CASES) >= 80


@pytest.mark.parametrize("name", CASES)
def test_a_bad_result_fails_with_its_reason_and_its_code(damaged, name):
    mutate, code, reason = CASES[name]
    mutate(damaged)
    with pytest.raises(KitError, match=reason) as caught:
        verify(damaged, trusted=TRUSTED)
    assert caught.value.exit_code == code
    assert caught.value.remedy, "says what to do"


LINE = public_line(KEY.public_key())
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("signers", "revoked", "reason"),
    [
        ('author valid-before="20260101Z" ' + LINE, "", "has expired(.|\n)*until 2026-01-01"),
        ('author valid-after="20270101Z" ' + LINE, "", "not valid yet(.|\n)*from 2027-01-01"),
        ("author " + LINE, LINE, "it was revoked"),
        ('author namespaces="git" ' + LINE, "", "listed for 'git'"),
        ("author " + public_line(m.OTHER.public_key()), "", "not signed by a key that you trust"),
        ("", "", "one of 0 trusted keys"),
    ],
    ids=["expired", "not yet valid", "revoked", "other purpose", "swapped", "unknown"],
)
def test_a_key_that_does_not_count_is_refused(signed, tmp_path, signers, revoked, reason):
    (tmp_path / "signers").write_text(signers, encoding="utf-8")
    (tmp_path / "revoked").write_text(revoked, encoding="utf-8")
    lists = {"signers": tmp_path / "signers", "revoked": tmp_path / "revoked"}
    keys = [key for key in trusted_keys(**lists) if "machine" not in key.role]
    with pytest.raises(SignatureError, match=reason) as caught:
        verify(signed, trusted=keys, now=NOW)
    assert caught.value.exit_code == 10


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(0, 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


def places(value, path=()):
    """Yield the path of every value inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in inner if isinstance(value, dict | list) else ():
        yield (*path, key)
        if isinstance(child, dict | list):
            yield from places(child, (*path, key))


def changed(value, data):
    """Return a copy with one value replaced or, in an object or list, removed."""
    value = copy.deepcopy(value)
    path = data.draw(st.sampled_from(sorted(places(value), key=str)))
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    if data.draw(st.booleans()):
        parent[path[-1]] = data.draw(JSON)
    else:
        del parent[path[-1]]
    return value


@settings(max_examples=60, deadline=None)
@given(data=st.data(), name=st.sampled_from([ENVELOPE, TEST_RESULT]))
def test_no_changed_statement_verifies_although_a_trusted_key_signed_it(
    signed, tmp_path_factory, data, name
):
    result = copy_of(signed, tmp_path_factory.mktemp("statement"))
    said = statement_of(result, name)
    other = changed(said, data)
    if json.dumps(other) == json.dumps(said):
        return
    reseal(result, other, name)
    with pytest.raises(KitError):
        verify(result, trusted=TRUSTED)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), name=st.sampled_from(["run.json", "claims.json", CARD, BILL, CRATE]))
def test_a_forger_of_stored_values_is_refused_or_right_and_never_crashes_the_verifier(
    signed, tmp_path_factory, data, name
):
    result = copy_of(signed, tmp_path_factory.mktemp("forged"))
    value = changed(json.loads((result / name).read_bytes()), data)
    (result / name).write_text(json.dumps(value), encoding="utf-8")
    forge(result)
    with suppress(VerificationError):
        verify(result, trusted=TRUSTED)


def test_the_policy_integrity_takes_the_signers_word_for_numbers_and_says_so(damaged):
    rows = pd.read_parquet(damaged / "rows.parquet")
    edit_table(damaged / "rows.parquet", rows["low"].first_valid_index(), "value", 0.123)
    forge(damaged)
    with pytest.raises(VerificationError):
        verify(damaged, trusted=TRUSTED)
    found = verify(damaged, trusted=TRUSTED, policy="integrity")
    assert (found.rows, found.systems) == (0, ())
    assert found.messages[-1] == "numbers and verdicts were NOT recomputed (policy integrity)"
    (damaged / "rows.parquet").write_bytes(b"")
    with pytest.raises(VerificationError, match="not what was signed"):
        verify(damaged, trusted=TRUSTED, policy="integrity")


def test_a_result_of_an_older_kit_is_told_how_it_can_still_be_verified(damaged):
    for name in (CRATE, BILL, README):
        (damaged / name).unlink()
    forge(damaged)
    with pytest.raises(VerificationError, match=r"has no .*README.md, nor 2 more") as caught:
        verify(damaged, trusted=TRUSTED)
    assert "of an older version" in caught.value.remedy
    assert "--policy integrity" in caught.value.remedy
    assert verify(damaged, trusted=TRUSTED, policy="integrity").files > 0


def test_a_good_result_of_another_manifest_is_not_taken_for_this_one(damaged, monkeypatch):
    class Other:
        def digest(self):
            return "ab" * 32

    monkeypatch.setattr("kit.result.argument.load_manifest", lambda path, changes=(): Other())
    require_made_from(str(damaged), "cd" * 32)
    require_made_from("manifests/smoke.toml", "ab" * 32)
    with pytest.raises(VerificationError, match="is one of another manifest"):
        require_made_from("manifests/smoke.toml", "cd" * 32)
