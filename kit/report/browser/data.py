"""All answers of a result as the table that the page reads: each text once, positions elsewhere.

A value is what a system knows, in percent: the headline metric of the column, turned so that 100
means known. -1: there is no value.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from kit.benchmarks.records import Record
from kit.metrics.definition import FORGOTTEN
from kit.metrics.rows import Measured, RecordSet
from kit.names import printable, show
from kit.report.browser.shown import BOUNDS, Extent, Marks, Shown
from kit.report.browser.under_attack import attacked_answers, percent
from kit.result.run_file import System, entries, labels


def answer_data(shown: Shown, extent: Extent) -> dict[str, object]:
    """Return the table as JSON values; equal results give equal values in equal order."""
    measured, records = shown.measured, shown.measured.scores.records
    systems = extent.systems(measured.systems)
    ids = sorted(records)[:: extent.every]
    places = {record_id: place for place, record_id in enumerate(ids)}
    names = {system["name"]: place for place, system in enumerate(systems)}
    answers = _placed(measured.answers, names, places)
    stored = shown.stored
    attacked = None if stored.attacked is None else _placed(stored.attacked, names, places)
    said = answers["text"] if attacked is None else pd.concat([answers["text"], attacked["text"]])
    codes, texts = pd.factorize(said.to_numpy(dtype=object), sort=True)
    groups = [(group, [name for name in group.ids if name in places]) for group in measured.groups]
    groups = [(group, own) for group, own in groups if own]
    image_of = stored.images
    images = [image_of.get(name, "") for name in ids]
    used = [name for name in dict.fromkeys(images) if name in stored.pictures]
    under = (
        []
        if attacked is None or measured.attacked is None
        else attacked_answers(attacked, codes[len(answers) :], measured.attacked, ids, systems)
    )
    lists, own_answers = _answers(answers, codes[: len(answers)], len(systems))
    return {
        "systems": _systems(systems, shown.marks, measured.systems),
        "records": {
            **_records([records[name] for name in ids]),
            "image": [show(image) for image in images],
            "picture": _positions(images, used),
        },
        "targets": {name: layout.title for name, layout in measured.protocol.targets.items()},
        "columns": [_column(group, own, places, measured) for group, own in groups],
        "texts": [printable(text[: extent.characters]) for text in texts],
        "lengths": {n: len(t) for n, t in enumerate(texts) if len(t) > extent.characters},
        "asked": lists,
        "answers": own_answers,
        "values": [
            [
                [n, _known(measured, system["name"], group, own)]
                for n, (group, own) in enumerate(groups)
                if system["target"] in (None, group.target)
            ]
            for system in systems
        ],
        "attacks": under,
        "attack_labels": {show(name): show(label) for name, label in shown.attacks.items()},
        "pictures": [stored.pictures[name] for name in used],
        "left_out": {
            "systems": len(measured.systems) - len(systems),
            "records": len(records) - len(ids),
        },
    }


def _placed(
    table: pd.DataFrame, names: Mapping[str, int], places: Mapping[str, int]
) -> pd.DataFrame:
    """Return the rows of shown systems and records, with their positions, sorted by these."""
    placed = table.assign(place=table["system"].map(names), record=table["record_id"].map(places))
    placed = placed.dropna(subset=["place", "record"]).astype({"place": "int64", "record": "int64"})
    order = [name for name in ("place", "target", "attack", "level", "record") if name in placed]
    return placed.sort_values(order, kind="stable", ignore_index=True)


def _systems(
    shown: Sequence[System], marks: Marks, systems: Sequence[System]
) -> list[dict[str, object]]:
    names = labels(systems)
    entry_of = {s["name"]: entry for entry, members in entries(systems).items() for s in members}
    seeds = {e: {s["seed"] for s in members} for e, members in entries(shown).items()}
    return [
        {
            "label": show(names[entry]),
            "entry": show(entry),
            "target": system["target"],
            "seed": system["seed"] if len(seeds[entry]) > 1 else None,
            "bound": entry if entry in BOUNDS else "",
            "marks": marks.get((entry, str(system["target"])), []),
        }
        for system in shown
        for entry in [entry_of[system["name"]]]
    ]


def _records(records: Sequence[Record]) -> dict[str, list[str]]:
    return {
        "id": [show(record.id) for record in records],
        "question": [printable(record.question) for record in records],
        "answer": [printable(record.answer) for record in records],
        "person": [show(record.person) for record in records],
        "event": [show(record.event) for record in records],
    }


def _positions(images: Sequence[str], used: Sequence[str]) -> list[int]:
    place = {name: n for n, name in enumerate(used)}
    return [place.get(image, -1) for image in images]


def _column(
    group: RecordSet, own: Sequence[str], places: Mapping[str, int], measured: Measured
) -> dict[str, object]:
    heading = measured.protocol.headings.get(group.column)
    return {
        "target": group.target,
        "part": group.part,
        "about": measured.protocol.parts[group.part].title,
        "column": str(group.column),
        "title": heading.title if heading else str(group.column),
        "meaning": heading.meaning if heading else "",
        "metric": group.headline,
        "forgotten": group.column in FORGOTTEN,
        "records": [places[name] for name in own],
    }


def _answers(
    answers: pd.DataFrame, codes: np.ndarray, systems: int
) -> tuple[list[list[int]], list[dict[str, object]]]:
    """Return the distinct lists of records that systems answered, and each system's answers.

    Of a system, `asked` is the position of its list; `texts` are in the order of that list, and
    `cut` are the places in it where the answer reached the limit of tokens.
    """
    bounds = np.searchsorted(answers["place"].to_numpy(), np.arange(systems + 1))
    records, cut = answers["record"].to_numpy(), (answers["stop"] == "length").to_numpy()
    lists: dict[tuple[int, ...], int] = {}
    found: list[dict[str, object]] = []
    for start, end in pairwise(bounds):
        own = tuple(records[start:end].tolist())
        found.append({
            "asked": lists.setdefault(own, len(lists)),
            "texts": codes[start:end].tolist(),
            "cut": np.flatnonzero(cut[start:end]).tolist(),
        })  # fmt: skip
    return [list(each) for each in lists], found


def _known(measured: Measured, system: str, group: RecordSet, own: Sequence[str]) -> list[int]:
    definition = measured.scores.definitions.get(group.headline)
    if definition is None or not definition.better or not measured.scores.has(system, own):
        return [-1] * len(own)
    return percent(definition.knowledge(measured.scores.of(system, definition.name, own)))
