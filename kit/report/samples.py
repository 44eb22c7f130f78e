"""A few questions with what every system answered, so that a reader sees behind the numbers."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from kit.benchmarks.records import Column, Record
from kit.metrics.rows import RecordSet
from kit.result.run_file import System, entries, labels

SHOWN = {Column.EFFICACY: "to be forgotten", Column.RETAIN: "to be kept"}
PER_COLUMN = 2
LONGEST = 240  # characters of an answer that are printed


def samples(
    sets: Sequence[RecordSet],
    records: Mapping[str, Record],
    answers: pd.DataFrame,
    systems: Sequence[System],
) -> list[dict[str, object]]:
    """Return the first records of Efficacy and Retain, each of another person, with all answers.

    The choice is by record id, never by what was answered. Of several seeds the first is shown.
    """
    chosen = {
        (group.target, group.part, group.column): _first_of_each_person(group, records)
        for group in sets
        if group.column in SHOWN
    }
    shown = answers[answers["record_id"].isin(set().union(*chosen.values()))]
    texts = shown.set_index(["system", "record_id"])[["text", "stop"]]
    return [
        {
            "target": group.target, "part": group.part, "why": SHOWN[group.column],
            "record": name, "question": records[name].question, "reference": records[name].answer,
            "answers": [
                {"label": label, "role": entry, **_answer(texts.loc[(system, name)])}
                for entry, label, system in _speakers(systems, group.target)
            ],
        }
        for group in sets
        if group.column in SHOWN
        for name in chosen[group.target, group.part, group.column]
    ]  # fmt: skip


def _speakers(systems: Sequence[System], target: str) -> Iterator[tuple[str, str, str]]:
    """Yield (entry, label, system name) of one system a method, in table order."""
    names = labels(systems)
    for entry, members in entries(systems).items():
        mine = [s for s in members if s["target"] in (None, target)]
        if mine:
            first = min(mine, key=lambda s: (s["seed"] or 0, s["name"]))
            yield entry, names[entry], first["name"]


def _first_of_each_person(group: RecordSet, records: Mapping[str, Record]) -> list[str]:
    chosen: dict[str, str] = {}
    for name in group.ids:
        record = records[name]
        owner = str(getattr(record, group.cluster))
        chosen.setdefault(owner or name, name)
    return list(chosen.values())[:PER_COLUMN]


def _answer(row: "pd.Series[str]") -> dict[str, object]:
    text = " ".join(row["text"].split())
    cut = len(text) > LONGEST
    return {"text": text[:LONGEST] + ("…" if cut else ""), "unterminated": row["stop"] == "length"}
