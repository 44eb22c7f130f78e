"""Hold one result against another: what differs, and claim by claim whether it is reproduced."""

from collections.abc import Mapping
from dataclasses import dataclass

from kit.comparison.claims import Compared, compare_claims
from kit.comparison.differences import Difference, differences
from kit.errors import VerificationError
from kit.result.layout import REPORT
from kit.result.run_file import interval_settings
from kit.verdicts.judging import Outcome
from kit.verification.recompute import Recomputed, recompute


@dataclass(frozen=True)
class Comparison:
    """Differences, what matters first, and the claims of the reference in its order."""

    differences: list[Difference]
    claims: list[Compared]

    @property
    def reproduced(self) -> bool:
        """Say whether the reference is reproduced.

        Every claim is REPRODUCED, and there is one. A claim that the reference itself cannot
        answer is listed and left out; one that only the other result cannot answer is a failure,
        or else leaving out a bad system would help.
        """
        counted = [c for c in self.claims if c.outcome is not Outcome.SKIPPED or c.fatal]
        return bool(counted) and all(c.outcome is Outcome.REPRODUCED for c in counted)


def compare(ours: Mapping[str, bytes], reference: Mapping[str, bytes]) -> Comparison:
    """Recompute both results from their answers and compare them.

    Args:
        ours, reference: {path in the result: bytes} as `kit.result.folder.read_result` returns.

    Raises:
        VerificationError: the stored numbers of one of them do not follow from its answers.
    """
    left, right = _held("A, this result", ours), _held("B, the reference", reference)
    return Comparison(
        differences(left, right), compare_claims(left, right, interval_settings(right.run)[1])
    )


def _held(who: str, files: Mapping[str, bytes]) -> Recomputed:
    # Pages are not compared, nor need they be read; `rescore` and `verify` ask whether they follow.
    numbers = {name: data for name, data in files.items() if not name.startswith(REPORT)}
    try:
        return recompute(numbers)
    except VerificationError as error:
        raise VerificationError(
            f"{who}: {error.what}",
            expected=error.expected, found=error.found, remedy=error.remedy,
        ) from error  # fmt: skip
