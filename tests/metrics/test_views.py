"""Metrics across modalities, concepts and neighbours: by hand on a few answers."""

import math

import pandas as pd
import pytest

from kit import benchmarks
from kit.metrics.rows import Further, measure, rows_of
from tests.toys.results import NO_LIKELIHOODS

ASKED = Further(("multimodal",))
SYSTEMS = [
    {"name": "vanilla", "target": None, "method": "vanilla", "label": "Vanilla", "seed": None},
    {"name": "u", "target": "T", "method": "npo", "label": "NPO", "seed": 1},
    {"name": "gold", "target": "T", "method": "retain_only", "label": "Retain-only", "seed": None},
]


def rows_for(loader, target, places, right):
    """Return the rows of records that are asked by place and known by some systems.

    Args:
        places: {record id: (part, column, person, event)}.
        right: {record id: letters of those that answer right: v(anilla), u, g(old)}.
    """

    def concept(part, column):
        if loader == "mllmu":
            return "cloze"
        return "event" if (part == "event") != (column == "scope") else "person"

    said = {n: event if concept(part, column) == "event" else person
            for n, (part, column, person, event) in places.items()}  # fmt: skip
    records = pd.DataFrame(
        [
            (name, concept(part, column), "?", said[name], person, event, [event] if event else [])
            for name, (part, column, person, event) in places.items()
        ],
        columns=["id", "concept", "question", "answer", "person", "event", "keywords"],
    ).assign(candidates=[[]] * len(places), paraphrase="", group="")
    sets = pd.DataFrame(
        [(target, part, column, name) for name, (part, column, _, _) in places.items()],
        columns=["target", "part", "column", "record_id"],
    )
    systems = [each | {"target": each["target"] and target} for each in SYSTEMS]
    answers = pd.DataFrame(
        [
            (name, system["name"], text if system["name"][0] in right[name] else "?", 1, "eos")
            for name, text in said.items()
            for system in systems
        ],
        columns=["record_id", "system", "text", "tokens", "stop"],
    )
    measured = measure(
        records, sets, answers, NO_LIKELIHOODS, systems,
        protocol=benchmarks.protocol(loader), further=ASKED,
    )  # fmt: skip
    return rows_of(measured, draws=100, seed=0)


def found(rows, metric, part, system="u"):
    same = rows["metric"].eq(metric) & rows["part"].eq(part) & rows["system"].eq(system)
    (only,) = rows[same].to_dict("records")
    return only


def modalities(right, target="multimodal"):
    places = {
        f"{view}{n}": (f"cloze-{view}", "efficacy", f"Ann{n} Lee", "")
        for view in ("image", "text")
        for n in range(4)
    }
    return rows_for("mllmu", target, places, {name: right(name) for name in places})


def test_what_was_forgotten_by_sight_alone_is_left_in_text():
    """Of four facts in text, NPO still tells three and Retain-only guesses one."""

    def right(name):
        return "vug" if name == "text0" else "vu" if name in ("text1", "text2") else "v"

    rows = modalities(right)
    gap = found(rows, "modality_gap", "cloze-image")
    assert gap["value"] == pytest.approx((3 / 4 - 1 / 4) - (0 - 0))
    assert gap["n"] == 8
    assert found(rows, "cross_modal_leakage", "cloze-image")["value"] == pytest.approx(0.5 / 0.75)
    assert found(rows, "modality_gap", "cloze-image", "gold")["value"] == 0.0
    assert found(rows, "cross_modal_leakage", "cloze-image", "vanilla")["value"] == 1.0
    assert "is in the row of cloze-image" in found(rows, "modality_gap", "cloze-text")["reason"]


def test_the_other_modality_is_the_one_that_unlearning_does_not_use():
    rows = modalities(lambda name: "vu" if name.startswith("text") else "v", target="text")
    assert found(rows, "modality_gap", "cloze-text")["value"] == -1.0
    assert found(rows, "cross_modal_leakage", "cloze-text")["value"] == 0.0


def test_a_method_that_forgets_in_both_modalities_has_neither_gap_nor_leakage():
    rows = modalities(lambda _: "v")
    assert found(rows, "modality_gap", "cloze-image")["value"] == 0.0
    assert found(rows, "cross_modal_leakage", "cloze-image")["value"] == 0.0


def test_without_knowledge_there_is_nothing_to_leak():
    row = found(modalities(lambda _: "vug"), "cross_modal_leakage", "cloze-image")
    assert math.isnan(row["value"])
    assert "little more than Retain-only" in row["reason"]


def neighbours(right):
    places = {
        "e0": ("person", "efficacy", "Ada Sato", "market"),
        "r0": ("person", "retain", "Bo Lind", "market"),
        "r1": ("person", "retain", "Cy Dorn", "market"),
        "r2": ("person", "retain", "Cy Dorn", "harbour"),
        "r3": ("person", "retain", "Di Moss", "harbour"),
    }
    return rows_for("pebench", "person", places, {"e0": "v", **right})


def test_damage_among_those_who_share_an_event_is_held_against_that_elsewhere():
    rows = neighbours({"r0": "v", "r1": "vu", "r2": "vu", "r3": "vu"})
    assert found(rows, "neighbour_damage", "person")["value"] == 0.5
    assert found(rows, "neighbour_damage", "person")["n"] == 4
    assert found(rows, "neighbour_damage", "person", "vanilla")["value"] == 0.0
    evenly = neighbours({"r0": "v", "r1": "vu", "r2": "v", "r3": "vu"})
    assert found(evenly, "neighbour_damage", "person")["value"] == 0.0


def test_interference_is_the_relative_loss_of_the_other_concept_beyond_that_of_what_is_kept():
    """Of four names in the forgotten scenes two are lost, and one of four events that are kept."""
    places = {f"r{n}": ("event", "retain", f"Bo{n} Lind", "market") for n in range(4)}
    places |= {f"s{n}": ("event", "scope", f"Cy{n} Dorn", "harbour") for n in range(4)}
    right = dict.fromkeys(places, "vu") | {"r0": "v", "s0": "v", "s1": "v"}
    rows = rows_for("pebench", "event", places, right)
    row = found(rows, "concept_interference", "event")
    assert row["value"] == pytest.approx(2 / 4 - 1 / 4)
    assert row["n"] == 8
    assert found(rows, "concept_interference", "event", "vanilla")["value"] == 0.0
    # Relative: where Vanilla itself knows half of the names, one lost is half of its knowledge.
    half = {**right, "s0": "", "s1": "", "s2": "v"}
    rows = rows_for("pebench", "event", places, half)
    assert found(rows, "concept_interference", "event")["value"] == pytest.approx(1 / 2 - 1 / 4)
    nothing = {**right, **dict.fromkeys(("s0", "s1", "s2", "s3"), "")}
    reason = found(rows_for("pebench", "event", places, nothing), "concept_interference", "event")
    assert reason["reason"] == "Vanilla knows nothing in scope"


def test_what_a_benchmark_does_not_ask_for_is_absent_with_the_reason():
    rows = neighbours({"r0": "v", "r1": "vu", "r2": "vu", "r3": "vu"})
    reasons = {
        "modality_gap": "does not ask for the same facts in another modality",
        "cross_modal_leakage": "does not ask for the same facts in another modality",
        "concept_interference": "the target has no column scope",
    }
    for metric, reason in reasons.items():
        assert reason in found(rows, metric, "person")["reason"]
    mllmu = modalities(lambda _: "v")
    assert "share nothing" in found(mllmu, "neighbour_damage", "cloze-image")["reason"]
