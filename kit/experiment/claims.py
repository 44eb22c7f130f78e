"""What an experiment claims: one testable sentence each, written down before the run.

A claim is data of the manifest. Jobs do not depend on it, so that a changed margin trains nothing
again; the signed result does, so that a changed margin or a dropped claim shows.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MOST = 200  # claims of one manifest: a verifier's work is bounded
Key = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
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


class ClaimSection(BaseModel):
    """One claim about the mean of a metric over one column's records; values are shares in [0, 1].

    - `bound`: `system` has `at_least` or `at_most` this value, give or take `margin`.
    - `difference`: on the same records `system` is `direction` than `other` by at least `margin`.
    - `published`: `published` are two numbers of a paper, for `system` and for `other`. The paper
      has no answers per record, so only their direction is claimed, never a value.

    `unit` is what the claim would have to hold for again: with "cluster" other people (or events)
    like these, with "record" other questions about these very people. `equivalence` is how far the
    value of another run may be from this one's and still count as the same (`compare`). `system`
    and `other` are entries of the report: vanilla, retain_only, or a method's name; `other_target`
    is what `other` was to forget where that is something else than `target`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    id: str = Field(pattern=r"^C[1-9][0-9]{0,3}$")
    text: str = Field(min_length=1, max_length=400)
    location: str = Field("", max_length=200, description="where the paper says so")
    kind: Literal["bound", "difference", "published"]
    target: str = Key
    part: str = Key
    column: str = Key
    metric: str = Field(pattern=r"^[a-z0-9_]+/[1-9][0-9]*$", description="name/version")
    system: str = Key
    other: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9_-]*$")
    other_target: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9_-]*$")
    at_least: float | None = Field(None, ge=0, le=1)
    at_most: float | None = Field(None, ge=0, le=1)
    direction: Literal["higher", "lower"] | None = None
    margin: float = Field(0.0, ge=0, lt=1)
    published: tuple[float, float] | None = None
    unit: Literal["cluster", "record"] = "cluster"
    equivalence: float = Field(0.1, gt=0, lt=1)
    cost: str = Field("", max_length=200, description="of checking it: minutes, or words")

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
