"""A calibration as lines for a terminal."""

from collections.abc import Iterator, Sequence

from kit.calibration.pilots import Piloted


def calibration_table(piloted: Sequence[Piloted]) -> Iterator[str]:
    """Yield one line for each claim: mean, spread and equivalence, as shares."""
    yield f"{'claim':<24}{'mean':>8}{'sd':>8}{'upper sd':>10}{'equivalence':>13}"
    for each in piloted:
        if each.spread is not None:
            spread = each.spread
            stated = "equivalence" in each.claim.model_fields_set
            limit = each.claim.equivalence if stated else spread.equivalence
            yield (
                f"{each.claim.id:<24}{spread.mean:>8.3f}{spread.sd:>8.3f}{spread.upper_sd:>10.3f}"
                f"{limit:>13.2f}{' (stated)' if stated else ''}"
            )
