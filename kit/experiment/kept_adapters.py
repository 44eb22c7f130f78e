"""Which adapters a result keeps: the rule that `report` follows and `verify` checks."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from kit.experiment.claims import ClaimSection

ALL, CLAIMED, NONE = "all", "claimed", "none"


@dataclass(frozen=True)
class Trained:
    """An adapter of a plan; `entry` is the manifest's name of its method, None for fine-tuning."""

    name: str
    target: str | None
    seed: int
    entry: str | None


def kept_adapters(
    trained: Iterable[Trained], claims: Collection[ClaimSection], first_seed: int, kept: str
) -> Iterator[str]:
    """Yield the names of the adapters that a result holds.

    Args:
        trained: all adapters of the plan, in its order.
        claims: of the manifest.
        first_seed: the first of the manifest's seeds.
        kept: the manifest's `report.adapters`. `all` keeps every adapter. `claimed` keeps those of
            fine-tuning and, of the first seed, those whose system a claim names. `none` keeps none.
    """
    if kept == NONE:
        return
    claimed = {
        (claim.other_target or claim.target if name == claim.other else claim.target, name)
        for claim in claims
        for name in (claim.system, claim.other)
    }
    for adapter in trained:
        first = adapter.entry is None or (
            adapter.seed == first_seed and (adapter.target, adapter.entry) in claimed
        )
        if first or kept == ALL:
            yield adapter.name
