"""A statement that `sign` would not write is refused, even if a trusted key signed it."""

import json
import os

import pytest

from kit.digests import format_checksums, sha256_bytes
from kit.errors import SignatureError, VerificationError
from kit.result.layout import ENVELOPE, SUMS
from kit.verification.verify import verify
from tests.toys.signed_result import rejects, reseal, statement_of


def test_without_an_envelope_the_error_says_how_to_sign(damaged):
    (damaged / ENVELOPE).unlink()
    rejects(damaged, SignatureError, r"is not signed.*(.|\n)*\./run\.sh sign")


def test_a_folder_that_does_not_exist_is_not_signed(tmp_path):
    rejects(tmp_path / "nowhere", SignatureError, "is not signed")


def test_a_linked_envelope_is_refused(damaged):
    (damaged / ENVELOPE).rename(damaged.parent / "outside")
    (damaged / ENVELOPE).symlink_to(damaged.parent / "outside")
    rejects(damaged, SignatureError, "is no regular file")


def test_a_hard_linked_envelope_is_refused(damaged):
    os.link(damaged / ENVELOPE, damaged.parent / "outside")
    rejects(damaged, VerificationError, f"{ENVELOPE}: hard link")


def test_an_unknown_key_is_refused_before_the_folder_is_looked_at(damaged):
    (damaged / "run.json").unlink()
    with pytest.raises(SignatureError, match="not signed by a key that you trust"):
        verify(damaged, trusted=())


def test_an_empty_signature_list_is_refused(damaged):
    envelope = json.loads((damaged / ENVELOPE).read_bytes())
    (damaged / ENVELOPE).write_text(json.dumps(envelope | {"signatures": []}), encoding="utf-8")
    rejects(damaged, SignatureError, "carries no signature")


def with_paths(*paths):
    subjects = [{"name": path, "digest": {"sha256": "0" * 64}} for path in paths]
    return {"subject": subjects}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"_type": "https://in-toto.io/Statement/v0.1"}, "not of type"),
        ({"predicateType": "https://slsa.dev/provenance/v1"}, "predicateType"),
        ({"predicateType": None}, "predicateType"),
        ({"predicate": None}, "no predicate"),
        ({"subject": []}, "lists no files"),
        ({"subject": None}, "lists no files"),
        ({"subject": ["run.json"]}, "a file is named None"),
        ({"subject": [{"name": "a"}]}, "digest of 'a' is not one sha256"),
        ({"subject": [{"name": "a", "digest": {"sha512": "0" * 128}}]}, "not one sha256"),
        ({"subject": [{"name": "a", "digest": {"sha256": "0" * 64, "md5": ""}}]}, "not one sha256"),
        ({"subject": [{"name": "a", "digest": {"sha256": "A" * 64}}]}, "not 64 hexadecimal"),
        (
            {"subject": [{"name": "a", "digest": {"sha256": "0" * 64}, "verdict": "?"}]},
            "other fields than a name and a digest",
        ),
        (
            {"claims": [{"id": "C1", "verdict": "REPRODUCED"}]},
            "fields are not those of",
        ),
        (with_paths("a", "a"), "not sorted, or one is listed twice"),
        (with_paths("b", "a"), "not sorted"),
        (with_paths("/etc/passwd"), "is not safe"),
        (with_paths("../a"), "is not safe"),
        (with_paths("a/../b"), "is not safe"),
        (with_paths("a//b"), "is not safe"),
        (with_paths("./a"), "is not safe"),
        (with_paths(""), "is not safe"),
        (with_paths("a\\b"), "is not safe"),
        (with_paths("a\nb"), "is not safe"),
        (with_paths("e\u0301"), "normal form C"),
        (with_paths("A", "a"), "only by letter case"),
        (with_paths("a", "b"), "SHA256SUMS is not among its files"),
        (with_paths(ENVELOPE), "a file is named"),
    ],
)
def test_a_signed_statement_of_another_form_is_refused(damaged, change, reason):
    reseal(damaged, statement_of(damaged) | change)
    rejects(damaged, SignatureError, reason)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b'{"_type":NaN}', "not a finite number"),
        (b'{"_type":"a","_type":"b"}', "occurs twice"),
        (b"[" * 5000 + b"]" * 5000, "nested"),
        (b"[]", "not of type"),
        (b"", "not acceptable JSON"),
    ],
)
def test_a_signed_payload_with_two_meanings_is_refused(damaged, payload, reason):
    reseal(damaged, payload)
    rejects(damaged, SignatureError, reason)


def test_a_statement_that_differs_from_run_json_is_refused(damaged):
    statement = statement_of(damaged)
    statement["predicate"]["systems"] = ["vanilla"]
    reseal(damaged, statement)
    rejects(damaged, VerificationError, "differs from run.json")


def test_sums_that_differ_from_the_subjects_are_refused(damaged):
    statement = statement_of(damaged)
    digests = {s["name"]: s["digest"]["sha256"] for s in statement["subject"] if s["name"] != SUMS}
    del digests["run.json"]
    sums = format_checksums(digests).encode()
    (damaged / SUMS).write_bytes(sums)
    for subject in statement["subject"]:
        if subject["name"] == SUMS:
            subject["digest"]["sha256"] = sha256_bytes(sums)
    reseal(damaged, statement)
    rejects(damaged, VerificationError, "SHA256SUMS and the signed statement list different files")
