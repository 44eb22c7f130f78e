"""What an experiment claims: one testable sentence each, written down before the run.

A claim is data of the manifest. Jobs do not depend on it, so that a changed margin trains nothing
again; the signed result does, so that a changed margin or a dropped claim shows.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from kit.experiment.section import Name, Section, Share, Unit

MOST = 200  # claims of one manifest: a verifier's work is bounded
# What each kind needs beside what every claim has; everything else of `_SOME` it must not have.
_NEEDS: dict[str, set[str]] = {
    "bound": set(),
    "difference": {"other", "direction"},
    "published": {"other", "published", "location"},
}
_SOME = ("at_least", "at_most", "other", "other_target", "direction", "published")
_MAY: dict[str, set[str]] = {
    "bound": {"at_least", "at_most"},
    "difference": {"other_target"},
    "published": {"other_target"},
}


class ClaimSection(Section):
    """One claim about the mean of a metric over the records of one column.

    - `bound`: `system` has `at_least` or `at_most` this value, give or take `margin`.
    - `difference`: on the same records, `system` is `higher` or `lower` than `other` by at least
      `margin`.
    - `published`: a paper prints one number for `system` and one for `other`. Only the direction of
      their difference is claimed, because the paper publishes no answers per record.

    All values are shares in [0, 1], in which 0.5 is 50 %.
    """

    id: Annotated[str, Field(pattern=r"^C[1-9][0-9]{0,3}$")]
    """Name of the claim: `C1`, `C2`, ..."""
    text: Annotated[str, Field(min_length=1, max_length=400)]
    """The claim as a sentence."""
    location: Annotated[str, Field(max_length=200)] = ""
    """Where the paper says so; required for `published`."""
    kind: Literal["bound", "difference", "published"]
    """What decides: a value and its bound, two systems, or two published numbers."""
    target: Name
    """Target whose records are asked."""
    part: Name
    """Part of the target's table, such as `person`."""
    column: Name
    """Column of the table, such as `efficacy`."""
    metric: Annotated[str, Field(pattern=r"^[a-z0-9_]+/[1-9][0-9]*$")]
    """Metric and the version of its definition, such as `forget_rate/1`."""
    system: Name
    """`vanilla`, `retain_only`, or the `name` of a `[[methods]]` entry."""
    other: Name | None = None
    """The system that `system` is compared with."""
    other_target: Name | None = None
    """What `other` was trained to forget, where that is not `target`."""
    at_least: Share | None = None
    """Lower bound of a `bound` claim."""
    at_most: Share | None = None
    """Upper bound of a `bound` claim."""
    direction: Literal["higher", "lower"] | None = None
    """On which side of `other` the `system` of a `difference` claim is."""
    margin: Annotated[float, Field(ge=0, lt=1), Unit("share")] = 0.0
    """How much a bound may be missed by, or how large a difference must be."""
    published: tuple[float, float] | None = None
    """The two numbers of the paper, for `system` and for `other`."""
    unit: Literal["cluster", "record"] = "cluster"
    """What is resampled: `cluster` speaks of other people (or events) like these, `record` of other
    questions about these very people."""
    equivalence: Annotated[float, Field(gt=0, lt=1), Unit("share")] = 0.1
    """How far the value of another run may be from this one's to count as the same in `compare`."""
    cost: Annotated[str, Field(max_length=200)] = ""
    """What it costs to check the claim, in words."""

    @property
    def paired(self) -> bool:
        """Say whether two systems are held against each other."""
        return self.kind != "bound"

    @property
    def sign(self) -> int:
        """Return 1 where more is claimed than the threshold, -1 where less is."""
        if self.kind == "bound":
            return 1 if self.at_least is not None else -1
        if self.published is not None:
            return 1 if self.published[0] > self.published[1] else -1
        return 1 if self.direction == "higher" else -1

    @property
    def threshold(self) -> float:
        """Return the value beyond which the claim holds: of `system`, or of the difference."""
        if self.kind == "bound":
            stated = self.at_least if self.at_least is not None else self.at_most
            return round(float(stated or 0.0) - self.sign * self.margin, 9)
        return self.sign * self.margin

    @property
    def range(self) -> tuple[float, float]:
        """Return the least and the largest value that one record can have."""
        return (-1.0, 1.0) if self.paired else (0.0, 1.0)


def claim_fault(claim: ClaimSection) -> str | None:
    """Return why a claim says nothing testable, or None."""
    for name in _SOME:
        known = _NEEDS[claim.kind] | _MAY[claim.kind]
        if getattr(claim, name) is not None and name not in known:
            return f"a claim of kind '{claim.kind}' has no '{name}'"
    for name in sorted(_NEEDS[claim.kind]):
        if not getattr(claim, name):
            return f"a claim of kind '{claim.kind}' needs '{name}'"
    if claim.kind == "bound" and (claim.at_least is None) == (claim.at_most is None):
        return "a claim of kind 'bound' needs exactly one of 'at_least' and 'at_most'"
    if claim.kind == "bound" and not 0 < claim.threshold < 1:
        return f"its threshold {claim.threshold:g} is no bound for a value in [0, 1]"
    if claim.other == claim.system and claim.other_target in (None, claim.target):
        return "it holds a system against itself"
    if claim.kind == "published" and claim.margin:
        return "a published number has no answers per record: only the direction, no margin"
    if claim.published is not None and claim.published[0] == claim.published[1]:
        return "the two published numbers are equal, which is no direction"
    return None


def doubled_ids(claims: Sequence[ClaimSection]) -> list[str]:
    """Return the ids that occur more than once, sorted."""
    times = Counter(claim.id for claim in claims)
    return sorted(name for name in times if times[name] > 1)
