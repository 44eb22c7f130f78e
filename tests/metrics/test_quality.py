"""Model utility of TOFU by hand: nine numbers, none of which may be left out."""

from statistics import harmonic_mean
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from kit.benchmarks.records import Column
from kit.metrics.quality import model_utility, model_utility_1
from kit.metrics.system_metric import Absent
from kit.metrics.versions import stored_system_metrics
from kit.report.further import used_system_metrics

COLUMNS = (Column.RETAIN, Column.REAL, Column.WORLD)
# Of each column: the losses, the probabilities among the options, the ROUGE-L recalls and the logs
# of the truth ratios of two records.
READINGS = {
    Column.RETAIN: {"loss": [0.1, 0.3], "answer_share": [np.nan, np.nan],
                    "rouge_l_recall": [1.0, 0.5],
                    "log_truth_ratio": [np.log(0.2), np.log(0.4)]},
    Column.REAL: {"loss": [0.5, 0.7], "answer_share": [0.6, 0.2], "rouge_l_recall": [0.4, 0.2],
                  "log_truth_ratio": [np.log(0.5), np.log(2.0)]},
    Column.WORLD: {"loss": [1.0, 2.0], "answer_share": [0.9, 0.3], "rouge_l_recall": [0.6, 0.3],
                   "log_truth_ratio": [np.log(0.9), np.log(0.1)]},
}  # fmt: skip


def part(readings):
    """Return a stand-in for a part of a system: the ids of a column are its name."""

    def values(system, name, ids):
        return np.array(readings[Column(ids[0])][name], dtype=float)

    scores = SimpleNamespace(reading=values, of=values)
    return SimpleNamespace(
        name="npo",
        measured=SimpleNamespace(scores=scores),
        records=lambda column: SimpleNamespace(ids=(str(column),)) if column in readings else None,
    )


def test_it_is_the_harmonic_mean_of_three_numbers_of_three_columns():
    """A truth ratio R counts as max(0, 1 - R): what is likelier wrong counts nothing.

    In Real and World, probability is that of the right answer among all options. TOFU's
    aggregate_eval_stat.py normalises it there, and there alone.
    """
    by_hand = [
        (np.exp(-0.1) + np.exp(-0.3)) / 2, 0.75, (0.8 + 0.6) / 2,
        (0.6 + 0.2) / 2, 0.3, (0.5 + 0.0) / 2,
        (0.9 + 0.3) / 2, 0.45, (0.1 + 0.9) / 2,
    ]  # fmt: skip
    found = model_utility(part(READINGS), None)
    assert found.value == pytest.approx(harmonic_mean(by_hand), abs=1e-6)
    assert found.n == 9


def test_version_1_takes_the_probability_of_the_answer_in_all_columns():
    by_hand = [
        (np.exp(-0.1) + np.exp(-0.3)) / 2, 0.75, (0.8 + 0.6) / 2,
        (np.exp(-0.5) + np.exp(-0.7)) / 2, 0.3, (0.5 + 0.0) / 2,
        (np.exp(-1.0) + np.exp(-2.0)) / 2, 0.45, (0.1 + 0.9) / 2,
    ]  # fmt: skip
    found = model_utility_1(part(READINGS), None)
    assert found.value == pytest.approx(harmonic_mean(by_hand), abs=1e-6)


@pytest.mark.parametrize("left_out", COLUMNS)
def test_every_column_counts(left_out):
    fewer = {column: found for column, found in READINGS.items() if column is not left_out}
    assert model_utility(part(fewer), None).n == 6
    assert model_utility(part(fewer), None).value != model_utility(part(READINGS), None).value


@pytest.mark.parametrize(
    ("column", "name"),
    [(column, name) for column in COLUMNS for name in ("rouge_l_recall", "log_truth_ratio")]
    + [(Column.RETAIN, "loss"), (Column.REAL, "answer_share"), (Column.WORLD, "answer_share")],
)
def test_one_number_that_was_not_measured_leaves_none(column, name):
    broken = READINGS | {column: READINGS[column] | {name: [np.nan, np.nan]}}
    assert isinstance(model_utility(part(broken), None), Absent)


def test_a_model_that_knows_nothing_of_one_kind_has_no_utility():
    broken = READINGS | {Column.WORLD: READINGS[Column.WORLD] | {"rouge_l_recall": [0.0, 0.0]}}
    assert model_utility(part(broken), None).value == 0


@pytest.mark.parametrize("version", [1, 2])
def test_a_stored_result_is_recomputed_and_described_by_the_version_that_it_names(version):
    named = ("model_utility", version)
    found = stored_system_metrics([named], "0.5.0", ["likelihood"])["model_utility"]
    assert found.version == version
    rows = pd.DataFrame([named], columns=["metric", "version"])
    (described,) = used_system_metrics(rows, ["likelihood"])
    assert described == found
    assert ("answer_share" in described.sentence) == (version == 2)
