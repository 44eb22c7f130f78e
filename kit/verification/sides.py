"""Are the two sides of a split apart, and are its columns about what they say?

Whoever moves a record that was not forgotten to the records that are kept improves both columns.
The loaders of these benchmarks put a person, or an event, on one side alone.
"""

from collections import defaultdict
from collections.abc import Iterator

import pandas as pd

from kit.benchmarks.identity import identity
from kit.benchmarks.protocol import Protocol
from kit.benchmarks.records import Column, Concept

# Loaders that divide people or events; OFFSIDE divides facts about the same ones. A test holds
# them together with what the loaders give.
APART = frozenset({"clear", "mllmu", "pebench", "umu"})
FORGOTTEN = (Column.EFFICACY, Column.GENERALITY, Column.REWORDED, Column.SCOPE)
# One record is asked once in them; an answer would otherwise count as two kinds of evidence.
ONCE = (Column.EFFICACY, Column.GENERALITY, Column.REWORDED, Column.RETAIN)


def side_faults(
    loader: object, protocol: Protocol, records: pd.DataFrame, sets: pd.DataFrame
) -> Iterator[str]:
    """Yield what no split of the benchmark gives.

    Args:
        loader: the name of the benchmark; another than those above is not checked.
        protocol: that of the benchmark.
        records: records.parquet.
        sets: sets.parquet.
    """
    if loader not in APART:
        return
    about = records.set_index("id")
    there = sets[sets["record_id"].isin(about.index)]  # the reader of the tables names others
    for key, group in there.groupby(["target", "part"]):
        target, part = map(str, key)
        if part not in protocol.parts:
            continue  # a probe
        columns = {str(name): list(ids) for name, ids in group.groupby("column")["record_id"]}
        place = f"{target}/{part}"
        owners = about[protocol.parts[part].cluster]
        yield from _shared(place, columns, {str(name): str(who) for name, who in owners.items()})
        yield from _twice(place, columns)
        yield from _reworded(place, columns, about)
    named = records[(records["concept"] == str(Concept.PERSON)) & (records["person"] != "")]
    named = named[["id", "answer", "person"]]
    for name, answer, person in named[["id", "answer", "person"]].itertuples(
        index=False, name=None
    ):
        if identity(answer) != identity(person):
            yield f"{name} is about {person!r}, and its right answer is {answer!r}"


def _shared(place: str, columns: dict[str, list[str]], owner: dict[str, str]) -> Iterator[str]:
    """Yield who is to be forgotten and to be kept: a person, or an event."""
    kept = {identity(owner[name]) for name in columns.get(str(Column.RETAIN), ()) if owner[name]}
    for column in FORGOTTEN:
        names = {owner[name] for name in columns.get(str(column), ()) if owner[name]}
        for name in sorted(names):
            if identity(name) in kept:
                yield f"{place}: {name!r} is in {column} and in {Column.RETAIN}"


def _twice(place: str, columns: dict[str, list[str]]) -> Iterator[str]:
    seen: dict[str, Column] = {}
    for column in ONCE:
        for name in columns.get(str(column), ()):
            if name in seen:
                yield f"{place}: {name} is in {seen[name]} and in {column}"
            seen[name] = column


def _reworded(place: str, columns: dict[str, list[str]], about: pd.DataFrame) -> Iterator[str]:
    """Yield records of Reworded that do not ask for a fact of Efficacy in other words."""
    asked: dict[tuple[object, ...], set[str]] = defaultdict(set)
    facts = ["concept", "answer", "person", "event", "image"]
    words = about["question"].to_dict()
    keys = dict(zip(about.index, about[facts].itertuples(index=False, name=None), strict=True))
    for name in columns.get(str(Column.EFFICACY), ()):
        asked[keys[name]].add(words[name])
    for name in columns.get(str(Column.REWORDED), ()):
        if keys[name] not in asked:
            yield f"{place}: {name} is in {Column.REWORDED}, and {Column.EFFICACY} has no such fact"
        elif words[name] in asked[keys[name]]:
            yield f"{place}: {name} is in {Column.REWORDED} in the words of {Column.EFFICACY}"
