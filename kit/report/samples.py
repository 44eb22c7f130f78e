"""A few questions with the answers of every system: what the numbers rest on."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypedDict

import pandas as pd

from kit.benchmarks.records import Column, Record
from kit.metrics.rows import RecordSet
from kit.result.run_file import System, entries, labels

PURPOSES = {Column.EFFICACY: "to be forgotten", Column.RETAIN: "to be kept"}
SAMPLES_PER_COLUMN = 2
MAX_ANSWER_LENGTH = 240  # characters; the rest is not printed


class SampleAnswer(TypedDict):
    """One system's answer, shortened; `unterminated` where it reached the length limit."""

    label: str
    role: str
    text: str
    unterminated: bool


class Sample(TypedDict):
    """One record with the answers of all systems; `why` says what should happen to it."""

    target: str
    part: str
    why: str
    record: str
    question: str
    reference: str
    answers: list[SampleAnswer]


def samples(
    sets: Sequence[RecordSet],
    records: Mapping[str, Record],
    answers: pd.DataFrame,
    systems: Sequence[System],
) -> list[Sample]:
    """Return the first records of Efficacy and Retain, each of another person, with all answers.

    Records are chosen by id, never by their answers. Of several seeds, the first is shown.
    """
    shown = [group for group in sets if group.column in PURPOSES]
    chosen = [(group, name) for group in shown for name in _first_of_each_person(group, records)]
    wanted = answers[answers["record_id"].isin({name for _, name in chosen})]
    columns = wanted[["system", "record_id", "text", "stop"]]
    texts = {
        (str(system), str(record)): (str(text), str(stop))
        for system, record, text, stop in columns.itertuples(index=False, name=None)
    }
    return [
        Sample(
            target=group.target,
            part=group.part,
            why=PURPOSES[group.column],
            record=name,
            question=records[name].question,
            reference=records[name].answer,
            answers=[
                _answer(label, entry, *texts[system, name])
                for entry, label, system in _systems_shown(systems, group.target)
            ],
        )
        for group, name in chosen
    ]


def _systems_shown(systems: Sequence[System], target: str) -> Iterator[tuple[str, str, str]]:
    """Yield (entry, label, system name) of one system per method, in table order."""
    names = labels(systems)
    for entry, members in entries(systems).items():
        own = [s for s in members if s["target"] in (None, target)]
        if own:
            first = min(own, key=lambda s: (s["seed"] or 0, s["name"]))
            yield entry, names[entry], first["name"]


def _first_of_each_person(group: RecordSet, records: Mapping[str, Record]) -> list[str]:
    chosen: dict[str, str] = {}
    for name in group.ids:
        owner = str(getattr(records[name], group.cluster))
        chosen.setdefault(owner or name, name)
    return list(chosen.values())[:SAMPLES_PER_COLUMN]


def _answer(label: str, entry: str, text: str, stop: str) -> SampleAnswer:
    line = " ".join(text.split())
    cut = line[:MAX_ANSWER_LENGTH] + ("…" if len(line) > MAX_ANSWER_LENGTH else "")
    return {"label": label, "role": entry, "text": cut, "unterminated": stop == "length"}
