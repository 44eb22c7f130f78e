"""Which records were asked: what a result itself tells about them.

Which records a split gives follows from the data, which a result does not hold. But a column is
drawn once for all targets, no column is larger than the manifest allows, and every record is there
because a column asks it.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations

import pandas as pd
from pydantic import BaseModel, Field, StrictInt, StrictStr, ValidationError

from kit.benchmarks.protocol import Protocol
from kit.benchmarks.records import Column
from kit.result.layout import RECORDS, RUN, SETS
from kit.result.made_by import Kit
from kit.result.unusable import unusable
from kit.verification.contradiction import contradicts
from kit.verification.run_facts import may_lack_facts
from kit.verification.sides import side_faults

# Columns whose material does not depend on what else is forgotten: drawn once for all targets.
SHARED = (
    Column.EFFICACY, Column.REWORDED, Column.GENERALITY, Column.REAL, Column.WORLD, Column.PROBE,
)  # fmt: skip
Sets = Mapping[tuple[str, str, str], frozenset[str]]  # target, part, column -> ids of records


class _Split(BaseModel):
    max_per_column: StrictInt | None = Field(None, gt=0)


class _Source(BaseModel):
    loader: StrictStr


class _Manifest(BaseModel):
    benchmark: _Source
    split: _Split
    targets: list[str]
    tune: object = None


def check_choice(
    manifest: Mapping[str, object],
    protocol: Protocol,
    records: pd.DataFrame,
    sets: pd.DataFrame,
    kit: Kit,
) -> list[str]:
    """Check sizes of columns, and that all targets ask the same records.

    Returns:
        A line for what could not be checked.

    Raises:
        VerificationError: a column has more records than the manifest allows, other records than
            the same column of another target, or none; a record is in no column; or the two sides
            are not apart.
    """
    try:
        asked_for = _Manifest.model_validate(manifest)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise unusable(RUN, f"manifest.{place}: {first['msg']}") from None
    split = asked_for.split
    if split.max_per_column is None and not may_lack_facts(kit, manifest):
        raise unusable(RUN, "manifest.split.max_per_column is missing")
    grouped = sets.groupby(["target", "part", "column"])["record_id"]
    drawn: Sets = {(str(t), str(p), str(c)): frozenset(ids) for (t, p, c), ids in grouped}
    asked = set(sets["record_id"])
    faults = [f"{name} is in no column" for name in records["id"] if name not in asked]
    if split.max_per_column is not None:
        kinds = dict(zip(records["id"], records["group"], strict=True))
        faults += _size_faults(drawn, kinds, split.max_per_column)
    faults += _missing_columns(drawn, protocol, asked_for.targets)
    faults += _target_faults(drawn, protocol, divided=asked_for.tune is not None)
    faults += _reworded_faults(drawn)
    faults = faults or list(side_faults(asked_for.benchmark.loader, protocol, records, sets))
    if faults:
        raise contradicts(
            f"{SETS} and {RECORDS} are not a draw as the manifest asks for",
            "columns of at most split.max_per_column records, the same for all targets, no record "
            "beside them, and each person or event on one side alone",
            faults,
        )
    said = "the manifest does not say how many records a column has"
    return [said] if split.max_per_column is None else []


def _size_faults(drawn: Sets, kinds: Mapping[str, str], most: int) -> Iterator[str]:
    for place, ids in drawn.items():
        # World takes an equal share of each kind of question, rounded up.
        groups = len({kinds[name] for name in ids}) if place[2] == Column.WORLD else 1
        allowed = -(-most // groups) * groups
        if len(ids) > allowed:
            yield f"{'/'.join(place)} has {len(ids)} records, more than {allowed}"


def _missing_columns(drawn: Sets, protocol: Protocol, targets: list[str]) -> Iterator[str]:
    """Yield the columns that one target lacks and another one has."""
    there = {place[1:] for place in drawn}
    for target in targets:
        for part, column in protocol.targets[target].columns:
            if (part, str(column)) in there and (target, part, str(column)) not in drawn:
                yield f"{target}/{part}/{column} has no records, but other targets ask it"


def _target_faults(drawn: Sets, protocol: Protocol, *, divided: bool) -> Iterator[str]:
    """Yield columns of two targets that should be the same, or one no smaller than the other.

    `divided`: some images are asked for tuning alone. Two draws may then lose different numbers.
    """
    for (one, first), (other, second) in combinations(drawn.items(), 2):
        if one[1:] != other[1:]:
            continue
        names = f"{'/'.join(one)} and {'/'.join(other)}"
        if one[2] in SHARED or protocol.one_retain_set:
            if first != second:
                yield f"{names} have other records: {len(first)} and {len(second)}"
        elif one[2] == Column.RETAIN and not divided:
            # Who forgets more keeps less.
            parts = [len({p for p, _ in protocol.targets[t].columns}) for t in (one[0], other[0])]
            sizes = [len(first), len(second)]
            if (parts[0] - parts[1]) * (sizes[0] - sizes[1]) > 0:
                counts = f"{sizes[0]} and {sizes[1]} records"
                yield f"{names} have {counts}, but the target of more parts keeps less"


def _reworded_faults(drawn: Sets) -> Iterator[str]:
    """Yield where the records of Efficacy are not all asked in other words as well."""
    for (target, part, column), ids in drawn.items():
        if column == Column.REWORDED:
            asked = len(drawn.get((target, part, str(Column.EFFICACY)), ()))
            if len(ids) != asked:
                yield f"{target}/{part}/{column} has {len(ids)} records, but efficacy has {asked}"
