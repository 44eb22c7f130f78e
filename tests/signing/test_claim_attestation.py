"""Tools that know in-toto's test-result read the verdicts, and nothing unproven as a pass."""

import pytest

from kit.errors import SignatureError, VerificationError
from kit.result.layout import TEST_RESULT
from kit.signing.claim_attestation import TEST_RESULT_TYPE, attest
from tests.toys.signed_result import rejects, reseal, statement_of

MANIFEST = {"name": "tiny", "digest": {"sha256": "ab" * 32}}
YES, NO, OPEN, NONE = "REPRODUCED", "NOT_REPRODUCED", "INCONCLUSIVE", "SKIPPED"


def said(*verdicts):
    claims = [{"id": f"C{n}", "verdict": verdict} for n, verdict in enumerate(verdicts, 1)]
    return attest({"manifest": MANIFEST, "claims": claims}, {"claims.json": "cd" * 32})


@pytest.mark.parametrize(
    ("verdicts", "result"),
    [
        ((YES, YES), "PASSED"),
        ((YES, OPEN), "WARNED"),
        ((YES, NONE), "WARNED"),
        ((OPEN,), "WARNED"),
        ((), "WARNED"),
        ((YES, NO), "FAILED"),
        ((NO, OPEN, NONE), "FAILED"),
        ((YES, "SOMETHING_NEW"), "WARNED"),
    ],
)
def test_the_result_passes_only_where_every_claim_does(verdicts, result):
    assert said(*verdicts)["result"] == result


def test_every_claim_is_in_one_list_and_the_configuration_names_what_decided():
    found = said(YES, NO, OPEN, NONE)
    assert found["passedTests"] == ["C1"]
    assert found["failedTests"] == ["C2"]
    assert found["warnedTests"] == ["C3", "C4"]
    assert found["configuration"] == [
        {"name": "manifest tiny", "digest": {"sha256": "ab" * 32}},
        {"name": "claims.json", "digest": {"sha256": "cd" * 32}},
    ]


def test_the_twin_of_a_result_has_the_same_subjects(signed):
    statement, twin = statement_of(signed), statement_of(signed, TEST_RESULT)
    assert twin["subject"] == statement["subject"]
    assert twin["_type"] == statement["_type"]
    assert twin["predicateType"] == TEST_RESULT_TYPE
    predicate = twin["predicate"]
    names = [*predicate["passedTests"], *predicate["warnedTests"], *predicate["failedTests"]]
    assert sorted(names) == ["C1", "C2", "C3", "C4"]


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [
        (lambda twin: twin["predicate"].update(result="PASSED"), VerificationError,
         "predicate.result is 'PASSED', but 'FAILED' follows"),
        (lambda twin: twin["predicate"]["failedTests"].clear(), VerificationError,
         "failedTests is a list of 0"),
        (lambda twin: twin["predicate"].update(url="https://example.org"), VerificationError,
         "predicate.url is"),
        (lambda twin: twin["subject"].pop(1), VerificationError, "list different files"),
        (lambda twin: twin.update(predicateType="https://in-toto.io/attestation/test-result/v0.2"),
         SignatureError, "predicateType"),
        (lambda twin: twin.update(subject=[]), SignatureError, "lists no files"),
    ],
)  # fmt: skip
def test_a_twin_that_says_something_else_is_refused(damaged, change, error, reason):
    twin = statement_of(damaged, TEST_RESULT)
    change(twin)
    reseal(damaged, twin, TEST_RESULT)
    rejects(damaged, error, reason)
