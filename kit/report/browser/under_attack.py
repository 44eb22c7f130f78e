"""The answers under attack, as the answer browser reads them."""

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import pandas as pd

from kit.experiment.attack import Condition
from kit.metrics.attacked import Attacked
from kit.names import printable, show
from kit.result.run_file import System

PLACE = ["place", "target", "attack", "level"]


def attacked_answers(
    table: pd.DataFrame,
    codes: np.ndarray,
    attacked: Attacked,
    ids: Sequence[str],
    systems: Sequence[System],
) -> list[dict[str, object]]:
    """Return the answers of each system under each attack.

    Args:
        table: rows of answers/attacked.parquet, with `place` of the system and `record`.
        codes: [rows] positions of their texts.
        attacked: their values.
        ids: of the shown records, by position.
        systems: the shown ones, by position.

    Returns:
        For each system, target, attack and level: positions of `records` and `texts`, the distinct
        `questions` and which of them was `asked`, and what is `known`, in percent.
    """
    values = _values(attacked)
    found: list[dict[str, object]] = []
    for key, rows in table.groupby(PLACE).indices.items():
        place, target, attack, level = cast(tuple[int, str, str, float], key)
        own = table.iloc[rows]
        known = values.get((systems[place]["name"], target, Condition(attack, level)), {})
        asked, questions = pd.factorize(own["question"].to_numpy(dtype=object))
        shares = np.array([known.get(ids[record], np.nan) for record in own["record"]])
        found.append({
            "system": int(place), "target": target, "attack": show(attack),
            "level": float(level), "records": own["record"].tolist(),
            "texts": codes[rows].tolist(), "asked": asked.tolist(),
            "questions": [printable(question) for question in questions],
            "known": percent(shares),
        })  # fmt: skip
    return found


def percent(values: np.ndarray) -> list[int]:
    """Return [n] values of 0 to 1 as whole percent; NaN as -1."""
    return [int(each) for each in np.rint(np.nan_to_num(values, nan=-0.01) * 100)]


def _values(attacked: Attacked) -> Mapping[tuple[str, str, Condition], Mapping[str, float]]:
    """Return the values of all parts of a target together: a record belongs to one."""
    found: dict[tuple[str, str, Condition], dict[str, float]] = {}
    for (system, target, _, condition), values in attacked.under.items():
        found.setdefault((system, target, condition), {}).update(values)
    return found
