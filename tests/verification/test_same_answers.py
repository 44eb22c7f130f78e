"""Systems whose answers are copies are named; what honest methods give is not."""

import pandas as pd
import pytest

from kit.artifacts import PROJECT
from kit.result.stored import read_result
from kit.verification import same_answers
from kit.verification.same_answers import same_answer_lines, same_likelihood_lines

QUESTIONS = 400


def system(name, target="person", method="npo", seed=1):
    label = method.upper()
    return {"name": name, "target": target, "method": method, "label": label, "seed": seed}


VANILLA = system("vanilla", None, "vanilla", None)
NPO, SECOND = system("person-npo-s1"), system("person-npo-s2", seed=2)
DPO, EVENT = system("person-dpo-s1", method="dpo"), system("event-npo-s1", "event")


def answers(**told):
    """told: {system: how many of its answers are its own; the others are those of everybody}."""
    rows = [
        (f"r{n}", name, f"{name} {n}" if n < own else f"all {n}")
        for name, own in told.items()
        for n in range(QUESTIONS)
    ]
    return pd.DataFrame(rows, columns=["record_id", "system", "text"])


def lines(systems, *own):
    told = dict(zip([each["name"] for each in systems], own, strict=True))
    return list(same_answer_lines(answers(**told), systems))


def test_methods_that_answer_alike_are_named_with_how_many():
    (said,) = lines([NPO, DPO], 0, 1)
    assert said.startswith("person-npo-s1 and person-dpo-s1 answer 399 of 400 questions alike")
    assert lines([VANILLA, NPO], 0, 1), "a method that changes nothing is Vanilla again"


@pytest.mark.parametrize("way", [str.upper, lambda text: text + ".", lambda text: f" {text}!"])
def test_a_full_stop_or_capitals_make_no_other_answer(way):
    table = answers(**{"vanilla": 0, "person-npo-s1": 0})
    copy = table["system"] == "person-npo-s1"
    told = table.assign(text=table["text"].mask(copy, table["text"].map(way)))
    assert len(list(same_answer_lines(told, [VANILLA, NPO]))) == 1
    silent = told.assign(text=told["text"].mask(copy, "..."))
    assert list(same_answer_lines(silent, [VANILLA, NPO])) == []


@pytest.mark.parametrize("own", [2, 3, 400])
def test_one_in_two_hundred_other_answers_is_enough(own):
    assert lines([NPO, DPO], 0, own) == []


def test_two_seeds_of_a_method_may_differ_in_one_answer_and_not_in_none():
    assert lines([NPO, SECOND], 0, 1) == []
    assert len(lines([NPO, SECOND], 0, 0)) == 1


def test_seeds_of_a_control_that_changes_nearly_nothing_may_agree():
    """Continued fine-tuning leaves nearly all of Vanilla's answers, whatever the seed."""
    table = answers(**{"vanilla": 0, "person-npo-s1": 0, "person-npo-s2": 0})
    for changed, named in ((20, 0), (21, 1)):
        unlike = table["record_id"].isin([f"r{n}" for n in range(changed)])
        own = table.assign(text=table["text"].mask(unlike & (table["system"] != "vanilla"), "new"))
        assert len(list(same_answer_lines(own, [VANILLA, NPO, SECOND]))) == named


def likelihoods(**shift):
    rows = [(f"r{n}", name, "answer", "text", -(n + 1) / 7 - more, 3)
            for name, more in shift.items() for n in range(20)]  # fmt: skip
    names = ["record_id", "system", "role", "text", "logprob", "tokens"]
    return pd.DataFrame(rows, columns=names)


def test_likelihoods_that_are_equal_to_the_last_digit_are_a_copy():
    systems = [VANILLA, NPO, DPO]
    told = {"vanilla": 0.0, "person-npo-s1": 0.0, "person-dpo-s1": 1e-12}
    (said,) = same_likelihood_lines(likelihoods(**told), systems)
    assert said.startswith("vanilla and person-npo-s1 have equal likelihoods of 20 given answers")
    few = likelihoods(**told).query("record_id in ['r0', 'r1', 'r2']")
    assert list(same_likelihood_lines(few, systems)) == []
    certain = likelihoods(**told).assign(logprob=0.0)
    assert list(same_likelihood_lines(certain, systems)) == [], "two models may both be certain"
    other = likelihoods(**told)
    other.loc[20, "logprob"] -= 1e-9
    assert list(same_likelihood_lines(other, systems)) == []


def test_systems_of_two_targets_are_not_compared_with_each_other():
    assert lines([NPO, EVENT], 0, 0) == []


def test_few_questions_say_nothing():
    few = answers(**{"person-npo-s1": 0, "person-dpo-s1": 0})
    few = few[few["record_id"].isin([f"r{n}" for n in range(15)])]
    assert list(same_answer_lines(few, [NPO, DPO])) == []


def test_only_questions_that_both_were_asked_count():
    asked = answers(**{"person-npo-s1": 0, "person-dpo-s1": 200})
    own = (asked["system"] == "person-dpo-s1") & asked["text"].str.startswith("person")
    assert len(list(same_answer_lines(asked[~own], [NPO, DPO]))) == 1


def test_of_many_pairs_five_are_named():
    many = [system(f"person-m{n}-s1", method=f"m{n}") for n in range(5)]
    found = lines(many, *[0] * 5)
    assert len(found) == 6
    assert found[-1] == "and 5 more pairs of systems answer alike"


def test_too_many_answers_are_not_compared_and_that_is_said(monkeypatch):
    monkeypatch.setattr(same_answers, "MOST_COMPARED", 100)
    (said,) = lines([NPO, DPO], 0, 0)
    assert "were not compared" in said


@pytest.mark.parametrize("name", ["smoke", "smoke-full"])
def test_no_two_systems_of_a_reference_are_taken_for_copies(name):
    result = read_result(PROJECT / "manifests" / "reference" / name, pages=False)
    table = result.tables["answers/answers.parquet"]
    assert list(same_answer_lines(table, result.systems)) == []
