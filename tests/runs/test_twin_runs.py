"""The other benchmarks, small: their published formats, through every stage to a signature."""

import json
import re

import pandas as pd
import pytest

from kit.artifacts import PROJECT
from tests.runs.whole_run import Run

pytestmark = [pytest.mark.slow, pytest.mark.extended]

FEWER = {
    r"\nsteps = \d+": "\nsteps = 3",
    r"\nwarmup_steps = \d+": "\nwarmup_steps = 1",
    r"\nmax_per_column = \d+": "\nmax_per_column = 51",
    r"\nagreement_sample = \d+": "\nagreement_sample = 12",
    r"\nbootstrap_draws = \d+": "\nbootstrap_draws = 100",
}
METHOD = '[[methods]]\nname = "npo"\nlabel = "NPO"\nmethod = "npo"\ntargets = ["{}"]\n\n'
TARGETS = {"offside": "complete"}  # of all others: multimodal
BENCHMARKS = {
    "mllmu": {"choice_accuracy", "choice_first_character", "cloze_hit", "rouge_l_f1", "bleu"},
    "umu": {"option_hit", "option_nearest", "cloze_hit", "rouge_l_f1", "aligned_error"},
    "offside": {"choice_accuracy", "choice_first_character", "rouge_l_f1", "bleu"},
    "clear": {"rouge_l_recall", "name_hit", "truth_ratio", "answer_probability", "answer_share"},
}


def shrunk(name: str) -> str:
    """Return the twin's manifest with one target, one method and very few steps."""
    text = (PROJECT / "manifests" / f"{name}-smoke.toml").read_text(encoding="utf-8")
    head, _, rest = text.partition("[[methods]]")
    target = TARGETS.get(name, "multimodal")
    text = head + METHOD.format(target) + "[evaluation]" + rest.partition("[evaluation]")[2]
    text = re.sub(r"(?m)^targets = .*$", f'targets = ["{target}"]', text)
    for pattern, value in FEWER.items():
        text, changed = re.subn(pattern, value, text)
        assert changed, f"{name}: the manifest has no {pattern}"
    return text


@pytest.fixture(scope="module", params=sorted(BENCHMARKS))
def finished(request, tmp_path_factory):
    run = Run(tmp_path_factory.mktemp(request.param), shrunk(request.param))
    code, output = run.call()
    assert code == 0, output
    return request.param, run, output


def test_a_twin_ends_with_a_verified_signature(finished):
    _, run, output = finished
    assert "ok  signed by runner" in output
    assert "rows recomputed from the stored answers are equal" in output
    assert (run.result / "report" / "report.html").is_file()


def test_every_printed_column_has_a_value_for_every_system(finished):
    _, run, _ = finished
    rows = pd.read_parquet(run.result / "rows.parquet")
    headline = rows[rows["headline"]]
    assert set(headline["method"]) == {"vanilla", "npo", "retain_only"}
    absent = headline[headline["value"].isna()]
    assert absent.empty, absent[["system", "part", "column", "reason"]]


def test_one_record_weighs_less_than_two_points_in_every_printed_column(finished):
    _, run, _ = finished
    rows = pd.read_parquet(run.result / "rows.parquet")
    assert rows.loc[rows["headline"], "n"].min() > 50


def test_the_benchmarks_own_metrics_are_among_the_rows(finished):
    name, run, _ = finished
    rows = pd.read_parquet(run.result / "rows.parquet")
    measured = set(rows.loc[rows["value"].notna(), "metric"])
    assert measured >= BENCHMARKS[name]


def test_a_left_out_likelihood_is_no_valid_result(finished):
    name, run, _ = finished
    from kit import benchmarks
    from kit.errors import DataError
    from kit.metrics.rows import measure, read_inputs

    inputs = read_inputs(run.result)
    loader = json.loads((run.result / "run.json").read_text())["manifest"]["benchmark"]["loader"]
    if name == "umu":
        assert inputs["likelihoods"].empty, "its questions have no other answers to compare with"
        return
    fewer = {**inputs, "likelihoods": inputs["likelihoods"].iloc[1:]}
    with pytest.raises(DataError, match="likelihoods of system"):
        measure(**fewer, protocol=benchmarks.protocol(loader))


def test_a_second_call_makes_nothing_again(finished):
    _, run, _ = finished
    before = run.times()
    code, output = run.call()
    assert code == 0, output
    assert run.times() == before
