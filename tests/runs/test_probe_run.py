"""A whole run with every probe, shrunk: asked, judged, in the table, signed and verified."""

import pandas as pd
import pytest

from kit.artifacts import PROJECT
from tests.runs.test_smoke_run import shrunk
from tests.runs.whole_run import Run
from tests.toys.dataset import own_text

pytestmark = [pytest.mark.slow, pytest.mark.extended]

PROBES = {"mmrel": 48, "mmbench": 48, "multitrust": 51, "mm-gcot": 48}  # answers of each system


def with_probes(text: str) -> str:
    """Return a manifest with the sources and probes of smoke-probes.toml."""
    whole = (PROJECT / "manifests" / "smoke-probes.toml").read_text(encoding="utf-8")
    lists = whole.partition("[[sources]]")[2].partition("[unlearn]")[0]
    return text + "\n[[sources]]" + lists.partition("[[sources]]")[2]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("probed"), with_probes(shrunk(own_text())))
    code, output = run.call()
    assert code == 0, output
    return run, output


def test_every_system_answers_every_probe_and_the_result_is_verified(finished):
    run, output = finished
    assert "ok  signed by runner" in output
    assert "rows recomputed from the stored answers are equal" in output
    rows = pd.read_parquet(run.result / "rows.parquet")
    headline = rows[rows["headline"] & (rows["column"] == "probe")]
    assert set(headline["part"]) == set(PROBES)
    assert set(headline["method"]) == {"vanilla", "retain_only", "grad_diff", "npo"}
    yes_no = headline[headline["metric"] == "presence_accuracy"]
    assert set(yes_no["n"]) == {48, 51}
    # The share of a box is that of questions whose answer or box is right; these two count all.
    all_asked = rows[rows["metric"].isin(["region_answer", "region_box"])]
    assert set(all_asked["n"]) == {48}
    assert (rows.loc[rows["metric"] == "choice_accuracy", "n"] == 48).all()


def test_the_table_has_a_column_for_each_probe(finished):
    run, _ = finished
    table = pd.read_csv(run.result / "report" / "table1.csv")
    text = " ".join(map(str, [*table.columns, *table.to_numpy().ravel()]))
    for name in PROBES:
        assert f"P-{name}" in text
