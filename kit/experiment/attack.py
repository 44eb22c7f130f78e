"""The section `[attack]`: which attacks are run on which systems.

Reports, verdicts and the verifier read it as well, so nothing here needs torch.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple

from pydantic import Field

from kit.experiment.section import Name, Records, Section
from kit.experiment.systems import RETAIN_ONLY, VANILLA
from kit.streams import sample


class AttackEntry(Section):
    """One attack, at one or several levels."""

    name: Name
    """Name of this entry. Claims and tables use it."""
    label: Annotated[str, Field(min_length=1, max_length=100)]
    """What the tables print."""
    attack: Name
    """Name of a file in kit/attacks/, without `.py`."""
    levels: Annotated[tuple[float, ...], Field(min_length=1, max_length=20)]
    """How strong the attack is: the points of its curve. What a level counts (a share, bits, the
    number of a wording) depends on the attack: see kit/attacks/README.md."""
    options: dict[str, float | int | str | bool] = Field({})
    """Settings of the attack: the fields of its dataclass."""


class AttackSection(Section):
    """Attacks that ask whether what looks forgotten comes back.

    Vanilla and Retain-only are attacked in the same way as the methods.
    """

    methods: tuple[Name, ...] = ()
    """Names of the `[[methods]]` entries that are attacked; empty: all."""
    targets: tuple[str, ...] = ()
    """Targets whose systems are attacked; empty: all of the manifest."""
    max_records: Records = 64
    """Efficacy questions that are asked under attack, at most, of each part of each target. They
    are drawn by name."""
    entries: Annotated[tuple[AttackEntry, ...], Field(min_length=1, max_length=50)]
    """The attacks, one `[[attack.entries]]` each."""


class Condition(NamedTuple):
    """One attack at one level."""

    attack: str
    level: float

    def __str__(self) -> str:
        return f"{self.attack} at {self.level:g}"


def conditions(section: AttackSection) -> list[Condition]:
    """Return all attacks at all of their levels, in the manifest's order."""
    return [Condition(entry.name, level) for entry in section.entries for level in entry.levels]


def attacked_targets(
    section: AttackSection, targets: Sequence[str], target: str | None, entry: str
) -> Iterator[str]:
    """Yield the targets for which a system is attacked; none if it is not attacked.

    Args:
        targets: those of the manifest.
        target: what the system forgets; None if it is measured for every target.
        entry: the manifest's name of its method, or that of one of the two bounds.
    """
    if section.methods and entry not in (*section.methods, VANILLA, RETAIN_ONLY):
        return
    for each in section.targets or targets:
        if target in (None, each):
            yield each


def drawn_records(ids: Sequence[str], most: int, target: str, part: str) -> list[str]:
    """Return the records of an Efficacy column that are asked under attack, sorted.

    Args:
        ids: of the column.
        most: how many are asked at most.
        target, part: of the column; with the ids, they decide which are drawn.
    """
    return sorted(sample(sorted(ids), min(most, len(ids)), "attacked", target, part))
