"""Hold one result against another: what differs, and claim by claim whether it is reproduced."""

from dataclasses import dataclass

from kit.comparison.claims import Compared, compare_claims
from kit.comparison.differences import Difference, differences
from kit.errors import VerificationError
from kit.result.stored import StoredResult
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


def compare(ours: StoredResult, reference: StoredResult) -> Comparison:
    """Recompute both results from their answers and compare them.

    Args:
        ours, reference: two results. Their pages are not looked at: `rescore` and `verify` ask
            whether they follow.

    Raises:
        VerificationError: the stored numbers of one of them do not follow from its answers.
    """
    left, right = _held("A, this result", ours), _held("B, the reference", reference)
    return Comparison(differences(left, right), compare_claims(left, right, reference.seed))


def _held(who: str, stored: StoredResult) -> Recomputed:
    try:
        return recompute(stored)
    except VerificationError as error:
        raise VerificationError(
            f"{who}: {error.what}",
            expected=error.expected, found=error.found, remedy=error.remedy,
        ) from error  # fmt: skip
