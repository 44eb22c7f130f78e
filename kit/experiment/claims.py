"""What an experiment claims: one testable sentence each, written down before the run.

A claim is data of the manifest. Jobs do not depend on it, so that a changed margin trains nothing
again; the signed result does, so that a changed margin or a dropped claim shows.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from kit.experiment.section import Name, Section, Share, Unit

ID = r"^C[1-9][0-9]{0,3}(\.[a-z0-9][a-z0-9_-]{0,63})?$"
METRIC = r"^[a-z0-9_]+/[1-9][0-9]*$"
CHANGED = "answers_changed/1"  # what a claim of kind `changed` measures
ALL = "all"  # the column of such a claim
MOST = 200  # claims of one manifest: a verifier's work is bounded
MIN_PUBLISHED_SHARE = 0.5  # of a published difference, unless the claim says another
# What each kind needs beside what every claim has, and what it may have. It has nothing else.
_NEEDS: dict[str, set[str]] = {
    "bound": set(),
    "difference": {"other", "direction"},
    "same": {"other", "margin"},
    "gap": {"other", "other_part", "other_metric"},
    "changed": {"other"},
    "published": {"other", "published", "location"},
    "returns": {"attack", "level"},
}
_MAY: dict[str, set[str]] = {
    "bound": {"at_least", "at_most"},
    "difference": {"other_target"},
    "same": {"other_target"},
    "gap": set(),
    "changed": {"at_least", "at_most", "other_target"},
    "published": {"other_target", "share"},
    "returns": {"at_least", "at_most"},
}
_BOUNDED = ("bound", "changed", "returns")
_SOME = (
    "at_least", "at_most", "other", "other_target", "other_part", "other_metric", "direction",
    "published", "share", "attack", "level",
)  # fmt: skip


class ClaimSection(Section):
    """One claim about the mean of a metric over the records of one column.

    - `bound`: `system` has `at_least` or `at_most` this value, give or take `margin`.
    - `difference`: on the same records, `system` is `higher` or `lower` than `other` by at least
      `margin`.
    - `same`: on the same records, `system` and `other` differ by at most `margin`.
    - `gap`: the distance between the values of two parts (people and events, for example) is
      smaller for `system` than for `other`, by at least `margin`.
    - `changed`: of all answers about the target, `at_least` or `at_most` this share is worded
      differently by `other`. Its `column` is `all`, its `metric` is `answers_changed/1`. It speaks
      of these very answers, so its interval has no width.
    - `published`: a paper prints one number for `system` and one for `other`. Claimed is a `share`
      of their difference, in the same direction; with `margin`, that they differ by no more than
      this. The paper publishes no answers per record, so its own uncertainty is unknown.
    - `returns`: under `attack` at `level`, what `system` has forgotten comes back (`at_least`) or
      does not (`at_most`). The value is the recovery beyond that of Retain-only
      (kit/attacks/README.md). Its `column` is `efficacy`.

    All values are shares in [0, 1], in which 0.5 is 50 %.
    """

    id: Annotated[str, Field(pattern=ID)]
    """Name of the claim: `C1`, `C2`, ... With `systems`, each claim has its system in its name:
    `C2.npo`."""
    text: Annotated[str, Field(min_length=1, max_length=400)]
    """The claim as a sentence."""
    location: Annotated[str, Field(max_length=200)] = ""
    """Where the paper states it; required for `published`."""
    kind: Literal["bound", "difference", "same", "gap", "changed", "published", "returns"]
    """What the claim compares: a value and its bound, two systems, the gaps of two systems, the
    wording of two systems, two published numbers, or what comes back under an attack."""
    target: Name
    """Target whose records are used."""
    part: Name
    """Part of the target's table, such as `person`."""
    column: Name
    """Column of the table, such as `efficacy`."""
    metric: Annotated[str, Field(pattern=METRIC)]
    """Metric and the version of its definition, such as `forget_rate/1`."""
    system: Name
    """`vanilla`, `retain_only`, or the `name` of a `[[methods]]` entry. Instead, a file may list
    `systems = ["po", "dpo"]`: this makes one claim for each, with `{label}` in the text replaced by
    the label of the method."""
    forgetting: bool = False
    """The claim says that `system` has forgotten. It then holds only where the answers of `system`
    are sound (`kit.verdicts.soundness`), where Vanilla knows what is to be forgotten, and where
    Retain-only does not."""
    other: Name | None = None
    """The system that `system` is compared with."""
    other_target: Name | None = None
    """What `other` was trained to forget, where that is not `target`."""
    other_part: Name | None = None
    """The second part of a `gap` claim."""
    other_metric: Annotated[str, Field(pattern=METRIC)] | None = None
    """The metric of the second part of a `gap` claim."""
    at_least: Share | None = None
    """Lower bound of a `bound` claim."""
    at_most: Share | None = None
    """Upper bound of a `bound` claim."""
    direction: Literal["higher", "lower"] | None = None
    """On which side of `other` the `system` of a `difference` claim is."""
    margin: Annotated[float, Field(ge=0, lt=1), Unit("share")] = 0.0
    """How much a bound may be missed by, how large a difference must be, or how large one may be
    that still counts as none (`same`, and `published` ties)."""
    published: tuple[float, float] | None = None
    """The two numbers of the paper, for `system` and for `other`, in the unit in which the metric
    is printed: percent, or 0 to 1."""
    share: Annotated[float, Field(gt=0, le=1), Unit("share")] | None = None
    """How much of the published difference must be measured; without it, half (0.5)."""
    attack: Name | None = Field(None, exclude_if=lambda value: value is None)
    """The name of an `[[attack.entries]]` entry."""
    level: float | None = Field(None, exclude_if=lambda value: value is None)
    """The level of the attack, one of the entry's `levels`."""
    unit: Literal["cluster", "record"] = "cluster"
    """What is resampled: `cluster` speaks of other people (or events) like these, `record` of other
    questions about these very people."""
    equivalence: Annotated[float, Field(gt=0, lt=1), Unit("share")] = 0.1
    """How far the value of another run may be from this one's to count as the same in `compare`.
    With a section `[calibration]`, its file gives the values that are not written here."""
    cost: Annotated[str, Field(max_length=200)] = ""
    """What it costs to check the claim, in words."""

    @property
    def paired(self) -> bool:
        """Say whether the values of two systems are compared."""
        return self.kind not in _BOUNDED

    @property
    def two_sided(self) -> bool:
        """Say whether equality is claimed: a difference that is no larger than `margin`."""
        return self.kind == "same" or (self.kind == "published" and self.margin > 0)

    @property
    def first_rule(self) -> int:
        """The first version of the rule of verdicts that can judge this claim."""
        return (
            2
            if self.kind in ("same", "gap", "changed", "returns")
            or self.two_sided
            or self.forgetting
            else 1
        )

    @property
    def sign(self) -> int:
        """Return 1 where more is claimed than the threshold, -1 where less is."""
        if self.kind in _BOUNDED:
            return 1 if self.at_least is not None else -1
        if self.published is not None:
            return 1 if self.published[0] > self.published[1] else -1
        return -1 if self.direction == "lower" else 1

    @property
    def threshold(self) -> float:
        """Return the value beyond which the claim holds: of `system`, or of the difference.

        For a published difference this is the direction alone, as rule 1 of verdicts has it.
        """
        if self.kind in _BOUNDED:
            stated = self.at_least if self.at_least is not None else self.at_most
            return round(float(stated or 0.0) - self.sign * self.margin, 9)
        return self.sign * self.margin

    @property
    def range(self) -> tuple[float, float]:
        """Return the smallest and the largest value of the claim."""
        if self.kind == "returns":  # a difference of differences
            return (-2.0, 2.0)
        return (-1.0, 1.0) if self.paired else (0.0, 1.0)


def claim_fault(claim: ClaimSection) -> str | None:
    """Return why a claim says nothing testable, or None."""
    if not claim.text.strip():
        return "its text is blank"
    for name in _SOME:
        known = _NEEDS[claim.kind] | _MAY[claim.kind]
        if getattr(claim, name) is not None and name not in known:
            return f"a claim of kind '{claim.kind}' has no '{name}'"
    for name in sorted(_NEEDS[claim.kind]):
        given = getattr(claim, name)
        if given is None or (not given and name != "level"):  # a level may be 0
            return f"a claim of kind '{claim.kind}' needs '{name}'"
    bounded = claim.kind in _BOUNDED
    if bounded and (claim.at_least is None) == (claim.at_most is None):
        return f"a claim of kind '{claim.kind}' needs exactly one of 'at_least' and 'at_most'"
    if bounded and not 0 < claim.threshold < 1:
        return f"its threshold {claim.threshold:g} is no bound for a value in [0, 1]"
    if claim.other == claim.system and claim.other_target in (None, claim.target):
        return "it compares a system with itself"
    if (claim.kind == "changed") != (claim.metric == CHANGED and claim.column == ALL):
        return f"the metric '{CHANGED}' and the column '{ALL}' belong to the kind 'changed'"
    if claim.kind == "returns" and claim.column != "efficacy":
        return "a claim of kind 'returns' needs the column 'efficacy', which is asked under attack"
    if claim.kind == "changed" and claim.unit != "record":
        return "a claim of kind 'changed' needs the unit 'record': its questions are of all kinds"
    if claim.kind == "gap" and claim.other_part == claim.part:
        return f"a gap is between two parts, and both are '{claim.part}'"
    return _published_fault(claim)


def _published_fault(claim: ClaimSection) -> str | None:
    if claim.published is None:
        return None
    if claim.share is not None and claim.margin:
        return (
            "it has a 'share' and a 'margin': a published difference has the one, a tie the other"
        )
    if claim.published[0] == claim.published[1] and not claim.margin:
        return "the two published numbers are equal: a tie needs the 'margin' that counts as none"
    return None


def doubled_ids(claims: Sequence[ClaimSection]) -> list[str]:
    """Return the ids that occur more than once, sorted."""
    times = Counter(claim.id for claim in claims)
    return sorted(name for name in times if times[name] > 1)
