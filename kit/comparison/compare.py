"""Compare two results: what differs, and which claims are reproduced."""

from dataclasses import dataclass, field

from kit.comparison.claims import Compared, compare_claims
from kit.comparison.copies import Said, Shared, shared
from kit.comparison.differences import Difference, differences
from kit.errors import VerificationError
from kit.result.layout import ANSWERS
from kit.result.stored import StoredResult
from kit.verdicts.judging import Outcome
from kit.verification.recompute import Recomputed, recompute


@dataclass(frozen=True)
class Comparison:
    """The differences, those that matter first, and the claims in the order of the reference.

    `shared` says how many answers are equal in both.
    """

    differences: list[Difference]
    claims: list[Compared]
    shared: Shared = field(default=Shared(0, 0), compare=False)

    @property
    def reproduced(self) -> bool:
        """Say whether the reference is reproduced: it has claims, and all are REPRODUCED.

        A claim that the reference itself cannot answer does not count. A claim that only the other
        result cannot answer is a failure; otherwise, leaving out a bad system would help.
        """
        return bool(self._counted) and all(c.outcome is Outcome.REPRODUCED for c in self._counted)

    @property
    def headline(self) -> str:
        """Say in one line whether A, the result, reproduces B, the reference."""
        if not self._counted:
            return "B answers no claim of its own, so there is nothing that A could reproduce"
        return "A reproduces B" if self.reproduced else "A does not reproduce B"

    @property
    def _counted(self) -> list[Compared]:
        return [c for c in self.claims if c.outcome is not Outcome.SKIPPED or c.fatal]


def compare(ours: StoredResult, reference: StoredResult) -> Comparison:
    """Recompute both results from their answers and compare them.

    Args:
        ours, reference: two results. Their pages are not looked at: `rescore` and `verify` ask
            whether they follow.

    Raises:
        VerificationError: the stored numbers of one of them do not follow from its answers.
    """
    left = _recomputed("A, this result", ours)
    right = _recomputed("B, the reference", reference)
    said = [Said.of(each.stored.tables[ANSWERS]) for each in (left, right)]
    claims = compare_claims(left, right, reference.seed)
    return Comparison(differences(left, right), claims, shared(*said))


def _recomputed(who: str, stored: StoredResult) -> Recomputed:
    try:
        return recompute(stored)
    except VerificationError as error:
        raise VerificationError(
            f"{who}: {error.what}",
            expected=error.expected, found=error.found, remedy=error.remedy,
        ) from error  # fmt: skip
