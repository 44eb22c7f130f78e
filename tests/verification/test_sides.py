"""What is forgotten is not kept: a split with records moved between its columns is refused."""

from collections.abc import Callable

import pandas as pd
import pytest

from kit import benchmarks
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Column
from kit.benchmarks.unpacking import unpack
from kit.errors import VerificationError
from kit.experiment.manifest_file import load_manifest
from kit.smoke.world import write_world
from kit.stages.record_tables import sets_frame
from kit.verification.sides import APART, side_faults
from tests.toys.mllmu import MANIFESTS
from tests.toys.signed_result import edit_table, forge, rejects, remake

PROTOCOL = benchmarks.protocol("pebench")
PEOPLE = {"a": "Ann Lee", "b": "Bob May", "k": "Kim Ode"}
COLUMNS = {
    "efficacy": ["a1"], "reworded": ["a1/reworded"], "generality": ["a2"], "retain": ["k1", "k2"],
    "scope": ["a1e"],
}  # fmt: skip
Tables = tuple[pd.DataFrame, pd.DataFrame]


def tables() -> Tables:
    """Return records and sets of a split that forgets Ann, and keeps Kim."""
    rows = []
    for name in (name for ids in COLUMNS.values() for name in ids):
        who, event = PEOPLE[name[0]], name.endswith("e")
        question = "Name this person." if "/" in name else "Who is this person?"
        rows.append((name, "event" if event else "person", question, "pears" if event else who, who,
                     "market", f"{name[:2]}.png"))  # fmt: skip
    names = ["id", "concept", "question", "answer", "person", "event", "image"]
    sets = [("person", "person", column, name) for column, ids in COLUMNS.items() for name in ids]
    return pd.DataFrame(rows, columns=names), pd.DataFrame(
        sets, columns=["target", "part", "column", "record_id"]
    )


def faults(records: pd.DataFrame, sets: pd.DataFrame, loader: str = "pebench") -> list[str]:
    return list(side_faults(loader, PROTOCOL, records, sets))


def moved(name: str, column: str) -> Callable[[Tables], Tables]:
    def change(given: Tables) -> Tables:
        records, sets = given
        return records, sets.assign(column=sets["column"].mask(sets["record_id"] == name, column))

    return change


def also(name: str, column: str) -> Callable[[Tables], Tables]:
    def change(given: Tables) -> Tables:
        records, sets = given
        return records, pd.concat([sets, pd.DataFrame([("person", "person", column, name)],
                                                      columns=sets.columns)])  # fmt: skip

    return change


def stated(name: str, **values: str) -> Callable[[Tables], Tables]:
    def change(given: Tables) -> Tables:
        records, sets = given
        for column, value in values.items():
            records.loc[records["id"] == name, column] = value
        return records, sets

    return change


TAMPERS = {
    "a forgotten image moved to Retain": (moved("a2", "retain"), "'Ann Lee' is in efficacy and"),
    "a kept image moved to Efficacy": (moved("k2", "efficacy"), "'Kim Ode' is in efficacy and in"),
    "a kept image moved to Generality": (moved("k2", "generality"), "'Kim Ode' is in generality"),
    "Scope about people who are kept": (stated("a1e", person="Kim Ode"), "'Kim Ode' is in scope"),
    "a kept person in other letters": (
        stated("k1", person="ANN  LEE", answer="ANN  LEE"), "'Ann Lee' is in efficacy and in retain"
    ),
    "one image in Efficacy and Generality": (also("a1", "generality"), "a1 is in efficacy and in"),
    "one image in Retain and Generality": (also("k1", "generality"), "k1 is in generality and in"),
    "another image in Reworded": (stated("a1/reworded", image="a2.png"), "has no such fact"),
    "another person in Reworded": (
        stated("a1/reworded", person="Bob May", answer="Bob May"), "has no such fact"
    ),
    "Reworded in the same words": (
        stated("a1/reworded", question="Who is this person?"), "in the words of efficacy"
    ),
    "more people than there are answers": (
        stated("k1", person="Kim Ode 2"), "k1 is about 'Kim Ode 2', and its right answer is 'Kim"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERS)
def test_a_split_that_no_loader_gives_is_told(name):
    change, said = TAMPERS[name]
    assert faults(*tables()) == []
    assert said in "; ".join(faults(*change(tables())))
    assert faults(*change(tables()), loader="offside") == [], "it forgets facts, not people"


def test_a_forgotten_person_among_those_who_are_kept_is_refused(damaged):
    for column in ("person", "answer"):
        edit_table(damaged / "records.parquet", 2, column, "Ann0 Lee")
    remake(damaged)
    forge(damaged)
    rejects(damaged, VerificationError, "'Ann0 Lee' is in efficacy and in retain")


@pytest.mark.parametrize("loader", sorted(APART))
def test_the_loaders_put_nobody_on_both_sides(loader, tmp_path):
    name = "smoke" if loader == "pebench" else f"{loader}-smoke"
    manifest = load_manifest(MANIFESTS / f"{name}.toml")
    places = {}
    for source in manifest.sources:
        folder = tmp_path / source.name
        write_world(folder, str(source.embedded))
        places[source.name] = Place(folder, folder if loader == "pebench" else tmp_path / "images")
        if loader != "pebench":
            unpack(places[source.name])
    benchmark = benchmarks.load(manifest, places)
    rows = [
        (r.id, str(r.concept), r.question, r.answer, r.person, r.event, str(r.image or ""))
        for r in benchmark.records.values()
    ]
    names = ["id", "concept", "question", "answer", "person", "event", "image"]
    protocol, sets = benchmarks.protocol(loader), sets_frame(benchmark)
    assert set(sets["column"]) >= {str(Column.EFFICACY), str(Column.RETAIN)}
    found = side_faults(loader, protocol, pd.DataFrame(rows, columns=names), sets)
    assert list(found) == []
