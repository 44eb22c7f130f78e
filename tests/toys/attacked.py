"""Answers under attack without a model, for the people of the toy results.

`told` says of each system how many of the 16 Efficacy questions it answers right under an attack.
"""

import pandas as pd

from kit.benchmarks.records import Column
from kit.metrics.attacked import with_attacks
from kit.metrics.rows import Measured, measure
from tests.toys.results import PROTOCOL, toy_inputs

SYSTEMS = {
    "vanilla": "vanilla", "retain_only": "retain_only-person", "npo": "person-npo-s1",
    "ga": "person-ga-s1", "prompt": "person-prompt-s1",
}  # fmt: skip
# Of 16 questions, in order: what a planted NPO tells again, and what an honest one does not.
PLANTED = {"vanilla": 16, "retain_only": 0, "npo": 16, "ga": 0, "prompt": 16}
HONEST = {"vanilla": 16, "retain_only": 0, "npo": 0, "ga": 0, "prompt": 16}


def asked_people(inputs: dict) -> list[str]:
    """Return the ids of the Efficacy questions about people, sorted."""
    sets = inputs["sets"]
    place = (sets["column"] == Column.EFFICACY) & (sets["target"] == "person")
    return sorted(sets.loc[place, "record_id"])


def attacked_table(inputs: dict, told: dict[tuple[str, float], dict[str, int]]) -> pd.DataFrame:
    """Return answers/attacked.parquet.

    Args:
        told: {(attack, level): {entry: how many of the first questions are answered right}}.
    """
    right = inputs["records"].set_index("id")["answer"]
    ids = asked_people(inputs)
    rows = [
        (SYSTEMS[entry], "person", attack, float(level), name, "Who is it?", "",
         right[name] if place < known else "Nobody.", 3, "eos")
        for (attack, level), systems in told.items()
        for entry, known in systems.items()
        for place, name in enumerate(ids)
    ]  # fmt: skip
    names = ["system", "target", "attack", "level", "record_id", "question", "picture", "text",
             "tokens", "stop"]  # fmt: skip
    return pd.DataFrame(rows, columns=names).astype({"tokens": "int32"})


def attacked(told: dict[tuple[str, float], dict[str, int]], **clean: int) -> Measured:
    """Return the toy's answers with and without attacks.

    Args:
        told: as for `attacked_table`.
        clean: how many of the first questions a system answers right without an attack.
    """
    inputs = toy_inputs()
    table = inputs["answers"]
    right = inputs["records"].set_index("id")["answer"]
    ids = asked_people(inputs)
    for entry, known in clean.items():
        mine = (table["system"] == SYSTEMS[entry]) & table["record_id"].isin(ids)
        truth = table.loc[mine, "record_id"].map(right)
        table.loc[mine, "text"] = truth.where(
            table.loc[mine, "record_id"].isin(ids[:known]), "Nobody."
        )
    measured = measure(**inputs, protocol=PROTOCOL)
    return with_attacks(measured, attacked_table(inputs, told))
