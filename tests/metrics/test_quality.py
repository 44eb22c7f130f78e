"""Model utility of TOFU by hand: nine numbers, none of which may be left out."""

from statistics import harmonic_mean
from types import SimpleNamespace

import numpy as np
import pytest

from kit.benchmarks.records import Column
from kit.metrics.quality import model_utility
from kit.metrics.system_metric import Absent

COLUMNS = (Column.RETAIN, Column.REAL, Column.WORLD)
# Of each column: the losses, the ROUGE-L recalls and the logs of the truth ratios of two records.
READINGS = {
    Column.RETAIN: {"loss": [0.1, 0.3], "rouge_l_recall": [1.0, 0.5],
                    "log_truth_ratio": [np.log(0.2), np.log(0.4)]},
    Column.REAL: {"loss": [0.5, 0.7], "rouge_l_recall": [0.4, 0.2],
                  "log_truth_ratio": [np.log(0.5), np.log(2.0)]},
    Column.WORLD: {"loss": [1.0, 2.0], "rouge_l_recall": [0.6, 0.3],
                   "log_truth_ratio": [np.log(0.9), np.log(0.1)]},
}  # fmt: skip


def part(readings):
    """Return a stand-in for a part of a system: the ids of a column are its name."""
    scores = SimpleNamespace(
        reading=lambda system, name, ids: np.array(readings[Column(ids[0])][name], dtype=float)
    )
    return SimpleNamespace(
        name="npo",
        measured=SimpleNamespace(scores=scores),
        records=lambda column: SimpleNamespace(ids=(str(column),)) if column in readings else None,
    )


def test_it_is_the_harmonic_mean_of_three_numbers_of_three_columns():
    """A truth ratio R counts as max(0, 1 - R): what is likelier wrong counts nothing."""
    by_hand = [
        (np.exp(-0.1) + np.exp(-0.3)) / 2, 0.75, (0.8 + 0.6) / 2,
        (np.exp(-0.5) + np.exp(-0.7)) / 2, 0.3, (0.5 + 0.0) / 2,
        (np.exp(-1.0) + np.exp(-2.0)) / 2, 0.45, (0.1 + 0.9) / 2,
    ]  # fmt: skip
    found = model_utility(part(READINGS), None)
    assert found.value == pytest.approx(harmonic_mean(by_hand), abs=1e-6)
    assert found.n == 9


@pytest.mark.parametrize("left_out", COLUMNS)
def test_every_column_counts(left_out):
    fewer = {column: found for column, found in READINGS.items() if column is not left_out}
    assert model_utility(part(fewer), None).n == 6
    assert model_utility(part(fewer), None).value != model_utility(part(READINGS), None).value


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("name", ["loss", "rouge_l_recall", "log_truth_ratio"])
def test_one_number_that_was_not_measured_leaves_none(column, name):
    broken = READINGS | {column: READINGS[column] | {name: [np.nan, np.nan]}}
    assert isinstance(model_utility(part(broken), None), Absent)


def test_a_model_that_knows_nothing_of_one_kind_has_no_utility():
    broken = READINGS | {Column.WORLD: READINGS[Column.WORLD] | {"rouge_l_recall": [0.0, 0.0]}}
    assert model_utility(part(broken), None).value == 0
