"""Worked examples: text, seeded, and never of a person who is asked about."""

import re

import pytest

from kit.errors import ManifestError
from kit.streams import stream
from tests.toys.mllmu import loaded, person


def shown_and_asked(benchmark):
    """Return the (set, ID) pairs that examples show, and those that are asked about.

    Every question of the toy data holds its profile's ID between two hash signs; the last one of
    a prompt is the question's own.
    """
    shown, asked = set(), set()
    for ids in benchmark.splits["text"].evaluation.values():
        for record in map(benchmark.records.get, ids):
            *examples, own = re.findall(r"#(\d+)#", record.question)
            shown |= set(examples)
            asked.add((record.id.split("/")[1], own))
    return shown, asked


def unfair(shown, asked):
    """Return the examples that show somebody of the fictitious people who is asked about."""
    return shown & {key for name, key in asked if name != "celebrity"}


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_no_example_is_of_a_person_who_is_asked_about(tmp_path, count, seed):
    options = {"options": {"few_shot": count}}
    benchmark = loaded(tmp_path / "data", benchmark=options, split={"seed": seed})
    shown, asked = shown_and_asked(benchmark)
    assert len(shown) == count
    assert not unfair(shown, asked)
    # Their names are nobody's who is asked about either.
    names = {person(key) for key in shown}
    records = [benchmark.records[k] for ids in benchmark.splits["text"].evaluation.values()
               for k in ids]  # fmt: skip
    assert not names & {r.person for r in records}


def test_the_choice_of_the_released_code_would_be_found_unfair(tmp_path):
    benchmark = loaded(tmp_path / "data")
    _, asked = shown_and_asked(benchmark)
    evaluated = sorted(key for name, key in asked if name == "forget")
    for seed in range(4):
        # It draws the example from the list of IDs that it evaluates.
        assert unfair({stream("released", seed).choice(evaluated)}, asked)


def test_an_example_is_question_and_answer_of_the_same_kind_before_the_question(tmp_path):
    plain = loaded(tmp_path / "data")
    benchmark = loaded(tmp_path / "data", benchmark={"options": {"few_shot": 2}})
    for key, record in benchmark.records.items():
        if "/pair-" in key:
            assert record == plain.records[key]
            continue
        examples = record.question.removesuffix(plain.records[key].question)
        assert len(examples) < len(record.question), key
        answer = "B" if "/choice-" in key else r"fact \d"
        assert re.fullmatch(rf"(.+\nAnswer: {answer}\n\n){{2}}", examples, re.DOTALL)
        assert ("Just give ONE letter" in examples) is ("/choice-" in key)
        assert ("Image_Textual" in examples or "sight" in examples) is ("-image/" in key)
        assert record.image == plain.records[key].image


def test_examples_are_the_same_for_all_and_change_with_the_seed(tmp_path):
    drawn = set()
    for seed in range(5):
        options = {"options": {"few_shot": 1}}
        one = loaded(tmp_path / "data", benchmark=options, split={"seed": seed})
        assert one == loaded(tmp_path / "data", benchmark=options, split={"seed": seed})
        drawn.add(frozenset(shown_and_asked(one)[0]))
    assert len(drawn) > 1


def test_without_the_option_there_is_no_example(tmp_path):
    shown, _ = shown_and_asked(loaded(tmp_path / "data"))
    assert shown == set()


def test_a_retain_person_with_the_name_of_somebody_evaluated_is_never_shown(tmp_path):
    def change(made):
        for row in made["retain_90"][0][:-2]:
            row["biography"] = '{"Name": "famous3"}'

    options = {"options": {"few_shot": 1}}
    for seed in range(4):
        benchmark = loaded(tmp_path / "data", change, benchmark=options, split={"seed": seed})
        assert shown_and_asked(benchmark)[0] <= {"8", "9", "10"}


@pytest.mark.parametrize("count", [8, 9, 50])
def test_more_examples_than_people_to_spare_are_refused(tmp_path, count):
    with pytest.raises(ManifestError, match="few_shot") as caught:
        loaded(tmp_path / "data", benchmark={"options": {"few_shot": count}})
    assert caught.value.expected == "at most 7"
    assert "lower few_shot" in caught.value.remedy
