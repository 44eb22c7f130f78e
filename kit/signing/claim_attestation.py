"""The verdicts as in-toto's own test-result predicate, for tools that do not know the kit's claims.

INCONCLUSIVE and SKIPPED become warnings: a policy that asks for PASSED must never count one of them
as a pass. Source: in-toto/attestation, spec/predicates/test-result.md (v0.1).
"""

from collections.abc import Mapping
from typing import Any

from kit.result.layout import CLAIMS

TEST_RESULT_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
_LISTS = {"REPRODUCED": "passedTests", "NOT_REPRODUCED": "failedTests"}


def attest(predicate: Mapping[str, Any], digests: Mapping[str, str]) -> dict[str, object]:
    """Return the test-result predicate that follows from the result's own predicate.

    Each claim is a test, named by its id. Without claims nothing was tested, which is a warning.

    Args:
        predicate: as `kit.signing.predicate` makes it.
        digests: {path: SHA-256} of the files. If claims.json is among them, the predicate names it.
    """
    tests: dict[str, list[str]] = {"passedTests": [], "warnedTests": [], "failedTests": []}
    for claim in predicate["claims"]:
        tests[_LISTS.get(claim["verdict"], "warnedTests")].append(claim["id"])
    manifest = predicate["manifest"]
    configuration = [{"name": f"manifest {manifest['name']}", "digest": manifest["digest"]}]
    if CLAIMS in digests:
        configuration.append({"name": CLAIMS, "digest": {"sha256": digests[CLAIMS]}})
    passed = tests["passedTests"] and not tests["warnedTests"]
    result = "FAILED" if tests["failedTests"] else "PASSED" if passed else "WARNED"
    return {"result": result, "configuration": configuration, **tests}
