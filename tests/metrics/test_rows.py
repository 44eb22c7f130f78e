"""Rows are joined by record id: what is missing, doubled or unknown is an error, never a shift."""

import numpy as np
import pandas as pd
import pytest

from kit.errors import DataError, MissingStageError
from kit.metrics.rows import read_inputs
from kit.result.tables import ROW_TYPES
from tests.toys.results import NO_LIKELIHOODS, PROTOCOL, make_rows, toy_inputs, write_toy_results


@pytest.fixture(scope="module")
def inputs():
    return toy_inputs()


@pytest.fixture(scope="module")
def rows(inputs):
    return make_rows(**inputs, protocol=PROTOCOL, draws=100, seed=0)


def tiny(answers, keywords=("pears", "rain")):
    """Three people, one retain and two forget records; only Vanilla."""
    records = pd.DataFrame(
        [(f"r{n}", "person", "Who?", f"Ann{n} Lee", f"Ann{n} Lee", "", [], "") for n in range(3)]
        + [("e0", "event", "What?", "pears in rain", "Ann0 Lee", "m", list(keywords), "")],
        columns=["id", "concept", "question", "answer", "person", "event", "keywords", "image"],
    )
    records = records.assign(candidates=[[]] * len(records), paraphrase="", group="")
    sets = pd.DataFrame(
        [("person", "person", "efficacy", "r0"), ("person", "person", "efficacy", "r1"),
         ("person", "person", "retain", "r2"), ("person", "person", "scope", "e0")],
        columns=["target", "part", "column", "record_id"],
    )  # fmt: skip
    table = pd.DataFrame(answers, columns=["record_id", "text"])
    table = table.assign(system="vanilla", tokens=3, stop="eos")
    systems = [{"name": "vanilla", "target": None, "method": "vanilla", "label": "Vanilla",
                "seed": None}]  # fmt: skip
    return {"records": records, "sets": sets, "answers": table,
            "likelihoods": NO_LIKELIHOODS, "systems": systems}  # fmt: skip


ANSWERS = [("r0", "Ann0 Lee"), ("r1", "Bob"), ("r2", "ann2 lee!"), ("e0", "Pears, pears")]


def value(rows, column, metric, **where):
    picked = rows[(rows["column"] == column) & (rows["metric"] == metric)]
    for name, wanted in where.items():
        picked = picked[picked[name] == wanted]
    assert len(picked) == 1
    return picked.iloc[0]


def test_a_table_of_four_answers_has_the_values_worked_out_by_hand():
    rows = make_rows(**tiny(ANSWERS), protocol=PROTOCOL, draws=50, seed=0)
    assert value(rows, "efficacy", "forget_rate")["value"] == 0.5
    assert value(rows, "efficacy", "forget_rate")["clusters"] == 2
    assert value(rows, "retain", "name_hit")["value"] == 1.0
    assert value(rows, "scope", "keyword_recall")["value"] == 0.5
    f1 = 2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3)  # one of two answered, one of three referenced
    assert value(rows, "scope", "rouge_l_f1")["value"] == pytest.approx(f1)


def test_shifted_answers_cannot_be_scored_because_they_are_joined_by_id():
    shuffled = tiny(ANSWERS[::-1])
    assert make_rows(**shuffled, protocol=PROTOCOL, draws=50, seed=0).equals(
        make_rows(**tiny(ANSWERS), protocol=PROTOCOL, draws=50, seed=0)
    )
    texts = [text for _, text in ANSWERS]
    late = list(zip(["r1", "r2", "e0"], texts, strict=False))  # the classic off-by-one
    with pytest.raises(DataError, match="vanilla has no answer for record r0"):
        make_rows(**tiny(late), protocol=PROTOCOL, draws=50, seed=0)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (ANSWERS[1:], "system vanilla has no answer for record r0"),
        ([*ANSWERS, ANSWERS[2]], "of system vanilla for record r2 occurs twice"),
        ([*ANSWERS, ("r9", "x")], "for record r9 belongs to no record"),
        ([*ANSWERS[:3], ("e0", None)], "for record e0 has no text"),
    ],
)
def test_an_answer_that_is_missing_doubled_or_unknown_is_named(answers, message):
    with pytest.raises(DataError, match=message):
        make_rows(**tiny(answers), protocol=PROTOCOL, draws=50, seed=0)


def test_an_answer_of_an_unknown_system_is_an_error():
    inputs = tiny(ANSWERS)
    inputs["answers"].loc[0, "system"] = "stranger"
    with pytest.raises(DataError, match="system stranger for record r0 belongs to no system"):
        make_rows(**inputs, protocol=PROTOCOL, draws=50, seed=0)


def test_a_stop_that_the_engine_does_not_know_is_an_error():
    inputs = tiny(ANSWERS)
    inputs["answers"].loc[0, "stop"] = "stopped"
    with pytest.raises(DataError, match="none of eos, length"):
        make_rows(**inputs, protocol=PROTOCOL, draws=50, seed=0)


def test_a_set_with_an_unknown_or_doubled_record_is_an_error():
    inputs = tiny(ANSWERS)
    inputs["sets"].loc[0, "record_id"] = "r7"
    with pytest.raises(DataError, match="person/person/efficacy/r7"):
        make_rows(**inputs, protocol=PROTOCOL, draws=50, seed=0)
    inputs["sets"].loc[0, "record_id"] = "r1"
    with pytest.raises(DataError, match=r"efficacy/r1 of sets\.parquet occurs"):
        make_rows(**inputs, protocol=PROTOCOL, draws=50, seed=0)


def test_a_value_that_does_not_exist_is_null_with_a_reason_and_never_zero():
    rows = make_rows(**tiny(ANSWERS, keywords=()), protocol=PROTOCOL, draws=50, seed=0)
    recall = value(rows, "scope", "keyword_recall")
    assert np.isnan(recall["value"])
    assert recall["reason"] == "the record lists no keywords"
    assert recall["n"] == 0
    world = value(rows, "world", "presence_accuracy")
    assert np.isnan(world["value"])
    assert world["reason"] == "the set of this column is empty"


def test_a_reason_stands_exactly_where_a_value_is_absent(rows):
    assert (rows["value"].isna() == (rows["reason"] != "")).all()
    assert rows["value"].dropna().between(0, 1).all()


def test_one_person_has_a_value_but_no_interval():
    row = value(
        make_rows(**tiny(ANSWERS), protocol=PROTOCOL, draws=50, seed=0), "retain", "name_hit"
    )
    assert row["value"] == 1.0
    assert np.isnan(row["low"])
    assert row["clusters"] == 1


def test_one_name_in_several_spellings_is_one_person():
    """The metrics take them for one name: as several people they would narrow every interval."""
    asked = tiny(ANSWERS)
    asked["records"].loc[:1, "person"] = ["Ann Lee", "(ann LEE)."]
    found = make_rows(**asked, protocol=PROTOCOL, draws=50, seed=0)
    assert value(found, "efficacy", "name_hit")["clusters"] == 1


def test_the_order_of_input_rows_changes_nothing(inputs, rows):
    for seed in (1, 2):
        shuffled = {
            name: table.sample(frac=1, random_state=seed) if name != "systems" else table[::-1]
            for name, table in inputs.items()
        }
        assert make_rows(**shuffled, protocol=PROTOCOL, draws=100, seed=0).equals(rows)


def test_adding_a_system_changes_no_other_row(inputs, rows):
    kept = [system for system in inputs["systems"] if system["method"] != "ga"]
    names = [system["name"] for system in kept]
    answers = inputs["answers"]
    fewer = {**inputs, "systems": kept, "answers": answers[answers["system"].isin(names)]}
    expected = rows[rows["method"] != "ga"].reset_index(drop=True)
    assert make_rows(**fewer, protocol=PROTOCOL, draws=100, seed=0).equals(expected)


def test_vanilla_is_measured_for_every_target_and_others_for_their_own(rows):
    targets = rows.groupby("system")["target"].agg(set)
    assert targets["vanilla"] == {"person", "event", "both"}
    assert targets["retain_only-event"] == {"event"}
    assert targets["person-npo-s1"] == {"person"}


def test_there_is_one_headline_a_column_and_no_scope_when_both_are_forgotten(rows):
    headline = rows[rows["headline"] & (rows["system"] == "vanilla")]
    assert headline.groupby("target").size().to_dict() == {"person": 7, "event": 7, "both": 12}
    assert "scope" not in set(headline[headline["target"] == "both"]["column"])


def test_columns_and_types_are_the_ones_of_the_result_format(rows):
    assert list(rows.columns) == list(ROW_TYPES)
    assert str(rows["seed"].dtype) == "Int64"
    assert rows["seed"].isna().equals(rows["system"] == "vanilla")


def test_stored_files_give_the_same_rows_as_tables_in_memory(tmp_path, rows):
    results = write_toy_results(tmp_path / "toy")
    again = make_rows(**read_inputs(results), protocol=PROTOCOL, draws=100, seed=0)
    assert again.equals(rows)


def test_rows_survive_being_stored(tmp_path, rows):
    rows.to_parquet(tmp_path / "rows.parquet", index=False)
    assert pd.read_parquet(tmp_path / "rows.parquet").astype(ROW_TYPES).equals(rows)


def test_a_result_without_answers_names_the_stage_to_run(tmp_path):
    with pytest.raises(MissingStageError, match=r"run `\./run\.sh evaluate MANIFEST`"):
        read_inputs(tmp_path)
