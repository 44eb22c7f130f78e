"""How much of a result may have to be resampled: a hostile one must not keep the verifier busy."""

from collections.abc import Sequence

from kit.experiment.claims import ClaimSection
from kit.metrics.rows import Measured
from kit.metrics.statistics import VERDICT_DRAWS
from kit.result.layout import SETS
from kit.result.unusable import unusable

# Clusters x draws of all intervals and bounds. 200 systems with 16,000 records and 1,000 draws take
# 3.2 billion for each metric, some 20 seconds.
MAX_DRAWN = 40_000_000_000


def require_sane_draws(measured: Measured, claims: Sequence[ClaimSection], draws: int) -> None:
    """Check how much has to be resampled for the intervals of all rows and the bounds of claims.

    Raises:
        VerificationError: more than any benchmark needs.
    """
    drawn = 0
    sizes: dict[tuple[str, ...], int] = {}
    for group in measured.groups:
        asked = sum(system["target"] in (None, group.target) for system in measured.systems)
        drawn += asked * len(group.ids) * draws
        sizes[group.target, group.part, group.column] = len(group.ids)
    places = ((claim.target, claim.part, claim.column) for claim in claims)
    drawn += VERDICT_DRAWS * sum(sizes.get(place, 0) for place in places)
    if measured.attacked is not None:
        drawn += 3 * VERDICT_DRAWS * sum(map(len, measured.attacked.under.values()))
    if drawn > MAX_DRAWN:
        raise unusable(
            SETS, f"its records resampled {draws} times are {drawn} draws, more than {MAX_DRAWN}"
        )
