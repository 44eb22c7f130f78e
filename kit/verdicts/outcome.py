"""The outcome of a claim, and the numbers behind it."""

from dataclasses import dataclass
from enum import StrEnum

from kit.experiment.claims import ClaimSection
from kit.metrics.statistics import Estimate


class Outcome(StrEnum):
    """The four verdicts; only the first is a pass."""

    REPRODUCED = "REPRODUCED"
    NOT_REPRODUCED = "NOT_REPRODUCED"
    INCONCLUSIVE = "INCONCLUSIVE"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True)
class Verdict:
    """The outcome of one claim; `estimate` is None if it was skipped.

    `rule` is the version of the rule that judged it, `threshold` the value that the interval was
    compared with. `detectable` is the distance from the threshold that this many units with this
    spread show in 4 of 5 runs; None if no possible value of the metric is that far away.
    `published` is the published difference as a share, None for other kinds.
    """

    claim: ClaimSection
    outcome: Outcome
    reason: str
    estimate: Estimate | None = None
    clusters: int = 0
    seeds: int = 0
    detectable: float | None = None
    rule: int = 1
    threshold: float = 0.0
    published: float | None = None
