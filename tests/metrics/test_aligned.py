"""Facts that are asked in two modalities: by hand, and beside the released evaluation's sums."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit import benchmarks
from kit.benchmarks.records import Concept, Record
from kit.metrics.choices import option_hit, option_nearest
from kit.metrics.definition import StoredAnswer
from kit.metrics.rows import Further, measure, rows_of
from tests.toys.results import NO_LIKELIHOODS

SYSTEM = {"name": "u", "target": "both", "method": "npo", "label": "NPO", "seed": 1}


def rows_for(kind, said, target="both", column="efficacy", loader="umu", grouped=True):
    """Return the rows of a system; `said` is {fact: (answer to the image, in text, reference)}."""
    part, concept = {"cloze": ("cloze", "cloze"), "fact": ("generation", "fact")}[kind]
    asked = [
        (f"{fact}-{view}", concept, answers[2], f"{part}-{view}", answers[place], fact)
        for fact, answers in said.items()
        for place, view in enumerate(("image", "text"))
    ]
    records = pd.DataFrame(
        [(name, c, "?", reference, fact[:1], "", [], [], "", fact if grouped else "")
         for name, c, reference, _, _, fact in asked],
        columns=["id", "concept", "question", "answer", "person", "event", "keywords",
                 "candidates", "paraphrase", "group"],
    )  # fmt: skip
    sets = pd.DataFrame(
        [(target, place, column, name) for name, _, _, place, _, _ in asked],
        columns=["target", "part", "column", "record_id"],
    )
    answers = pd.DataFrame(
        [(name, "u", text, 1, "eos") for name, _, _, _, text, _ in asked],
        columns=["record_id", "system", "text", "tokens", "stop"],
    )
    measured = measure(
        records, sets, answers, NO_LIKELIHOODS, [SYSTEM | {"target": target}],
        protocol=benchmarks.protocol(loader), further=Further(("aligned",)),
    )  # fmt: skip
    return rows_of(measured, draws=100, seed=0)


def found(rows, metric, part, column="efficacy"):
    same = rows["metric"].eq(metric) & rows["part"].eq(part) & rows["column"].eq(column)
    (only,) = rows[same].to_dict("records")
    return only


BLANKS = {
    "a1": ("red", "red", "red"),
    "a2": ("red", "blue", "red"),
    "b1": ("blue", "red", "red"),
    "b2": ("blue", "blue", "red"),
    "c1": ("blue", "blue", "red"),
}


def test_a_blank_counts_as_right_or_wrong_only_where_both_answers_are():
    rows = rows_for("cloze", BLANKS)
    assert found(rows, "aligned_accuracy", "cloze-image")["value"] == pytest.approx(1 / 5)
    error = found(rows, "aligned_error", "cloze-image")
    assert (error["value"], error["n"], error["clusters"]) == (pytest.approx(2 / 5), 5, 3)
    assert error["low"] < 2 / 5 < error["high"]


def test_the_value_is_in_the_row_of_the_modality_that_is_unlearned():
    rows = rows_for("cloze", BLANKS, target="text")
    assert found(rows, "aligned_error", "cloze-text")["value"] == pytest.approx(2 / 5)
    assert "in the row of cloze-text" in found(rows, "aligned_error", "cloze-image")["reason"]


def test_overlaps_are_combined_fact_by_fact():
    """ROUGE-L of "x y" with "x y" is 1, of "x" 2/3, of "z" 0."""
    facts = {"a1": ("x y", "x", "x y"), "b1": ("x y", "z", "x y"), "c1": ("z", "z", "x y")}
    low = found(rows_for("fact", facts), "aligned_rouge_l_forget", "generation-image")
    a, b = 1, 2 / 3
    assert low["value"] == pytest.approx(((a * a + b * b) / (a + b) + 1 + 0) / 3)
    high = found(
        rows_for("fact", facts, column="retain"), "aligned_rouge_l", "generation-image", "retain"
    )
    assert high["value"] == pytest.approx((2 * a * b / (a + b) + 0 + 0) / 3)


def test_a_metric_is_absent_where_it_does_not_belong():
    rows = rows_for("cloze", BLANKS)
    assert "rouge_l_f1" in found(rows, "aligned_rouge_l_forget", "cloze-image")["reason"]
    unpaired = rows_for("cloze", BLANKS, grouped=False)
    assert "single facts" in found(unpaired, "aligned_error", "cloze-image")["reason"]
    other = rows_for("cloze", BLANKS, target="text", loader="mllmu", grouped=False)
    assert "single facts" in found(other, "aligned_error", "cloze-text")["reason"]


@settings(max_examples=20)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=9))
def test_the_shares_are_those_of_the_released_loops(right):
    said = {
        f"{'abc'[n % 3]}{n}": ("red" if a else "no", "red" if b else "no", "red")
        for n, (a, b) in enumerate(right)
    }
    rows = rows_for("cloze", said)
    both = neither = 0
    for a, b in right:
        if a == 1 and b == 1:
            both += 1
        if a == 0 and b == 0:
            neither += 1
    accuracy, error = (
        found(rows, f"aligned_{name}", "cloze-image")["value"] for name in ("accuracy", "error")
    )
    assert accuracy * len(right) == pytest.approx(both, abs=1e-4)
    assert error * len(right) == pytest.approx(neither, abs=1e-4)


CHOICE = Record("r", Concept.OPTION, "?", "a red boat", candidates=("a red boat", "a cat", "art"))


@pytest.mark.parametrize(
    ("text", "hit", "nearest"),
    [
        ("a red boat", 1, 1),
        (" a red boat\n", 1, 1),
        ("A red boat", 0, 1),
        ("It is a red boat.", 0, 1),
        ("a cat", 0, 0),
        ("", 0, 1),  # all are equally unlike: the first one counts
    ],
)
def test_an_option_is_named_exactly_or_by_similarity(text, hit, nearest):
    answer = StoredAnswer(text, "eos")
    assert (option_hit(answer, CHOICE), option_nearest(answer, CHOICE)) == (hit, nearest)
    assert option_nearest(answer, Record("r", Concept.OPTION, "?", "a red boat")) is None
