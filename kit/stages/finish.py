"""The end of `all`: collect the result, sign it, verify it, and describe it in a few lines."""

from collections.abc import Iterator

from kit.artifacts import PROJECT
from kit.plan.jobs import Plan
from kit.result.layout import SIGNATURES
from kit.signing.keys import runner_key
from kit.signing.sign import sign
from kit.signing.trust import trusted_keys
from kit.stages.collect import collect
from kit.stages.findings import findings
from kit.verification.text import describe
from kit.verification.verify import verify


def report_and_sign(plan: Plan) -> Iterator[str]:
    """Write and sign the result unless that is done, verify it, and yield the closing lines."""
    folder, new = collect(plan)
    if new or not all((folder / name).is_file() for name in SIGNATURES):
        sign(folder, key=runner_key(outside=[PROJECT, folder]))
    verification = verify(folder, trusted=trusted_keys(None))
    yield describe(verification)
    yield from findings(folder)
    yield f"report: {folder / 'report' / 'report.html'}"
